'use strict';

const Producer = require('./producer');

/** What goes with a message until its report: whom to tell. */
class Waiting {
  constructor(callback) {
    this.callback = callback;
  }
}

/** A serializer with two parameters is given a callback; others return the value, or a promise of it. */
function createSerializer(serializer) {
  const wrapped = (value, cb) => {
    try {
      return cb ? serializer(value, cb) : serializer(value);
    } catch (e) {
      throw Object.assign(new Error(`Could not serialize value: ${e.message}`), { value, serializer });
    }
  };
  return { apply: wrapped, async: serializer.length > 1 };
}

const isPromise = (value) => !!value && typeof value.then === 'function' && typeof value.catch === 'function';

/** Calls done(err, value), at once if the serializer is synchronous. */
function serialize(serializer, value, done) {
  if (serializer.async) {
    serializer.apply(value, done);
    return;
  }
  const out = serializer.apply(value);
  if (isPromise(out)) out.then((v) => done(null, v), (e) => done(e));
  else done(null, out);
}

/** The same for every producer without serializers, so that produce need not make closures for nothing. */
const AS_IS = createSerializer((v) => v);

/**
 * A producer that tells of each message: `callback(err, offset)`, or without a callback a promise of the offset (null
 * where there is none, as with acks=0). Reports are served as they come.
 */
class HighLevelProducer extends Producer {
  constructor(conf, topicConf) {
    if (conf === null || typeof conf !== 'object') throw new TypeError('Configuration required');
    // It lives by the reports: a function of the application's stays, but they cannot be turned off.
    const dr_cb = typeof conf.dr_cb === 'function' ? conf.dr_cb : true;
    super({ ...conf, dr_cb }, topicConf);
    this.keySerializer = AS_IS;
    this.valueSerializer = AS_IS;
    this._inBackground = true;
    this._oldProduce = super.produce;
    this.produce = this._modifiedProduce;
  }

  _deliver(err, opaque, hasOpaque, link) {
    if (this.listenerCount('delivery-report') > 0) super._deliver(err, opaque, hasOpaque, link);
    if (opaque instanceof Waiting) opaque.callback(err, link.offset >= 0 ? link.offset : null);
  }

  /**
   * @param {string} topic
   * @param {number|null} partition
   * @param {any} message what the value serializer takes; a Buffer or null without one
   * @param {any} key
   * @param {number|null} timestamp ms
   * @param {object[]} [headers]
   * @param {function} [callback] (err, offset)
   * @return {Promise<number|null>|undefined} a promise if there is no callback
   */
  _modifiedProduce(topic, partition, message, key, timestamp, headers, callback) {
    if (typeof headers === 'function') {
      callback = headers;
      headers = undefined;
    }
    if (callback === undefined) {
      return new Promise((resolve, reject) => {
        this._send(topic, partition, message, key, timestamp, headers,
          (err, offset) => (err ? reject(err) : resolve(offset)));
      });
    }
    this._send(topic, partition, message, key, timestamp, headers, callback);
    return undefined;
  }

  _send(topic, partition, message, key, timestamp, headers, callback) {
    if (this.valueSerializer === AS_IS && this.keySerializer === AS_IS) {
      try {
        this._oldProduce(topic, partition, message, key, timestamp, new Waiting(callback), headers);
      } catch (e) {
        setImmediate(callback, e);
      }
      return;
    }
    const parts = { value: undefined, key: undefined };
    let left = 2;
    const part = (name) => (err, out) => {
      if (left === 0) return;
      if (err) {
        left = 0;
        setImmediate(callback, err);
        return;
      }
      parts[name] = out;
      if (--left > 0) return;
      try {
        this._oldProduce(topic, partition, parts.value, parts.key, timestamp, new Waiting(callback), headers);
      } catch (e) {
        setImmediate(callback, e);
      }
    };
    for (const [name, serializer, value] of [
      ['value', this.valueSerializer, message],
      ['key', this.keySerializer, key],
    ]) {
      const done = part(name);
      try {
        serialize(serializer, value, done);
      } catch (e) {
        done(e);
      }
    }
  }

  setKeySerializer(serializer) {
    this.keySerializer = createSerializer(serializer);
  }

  setValueSerializer(serializer) {
    this.valueSerializer = createSerializer(serializer);
  }
}

module.exports = HighLevelProducer;
