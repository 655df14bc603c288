'use strict';

const Client = require('./client');
const Link = require('./link');
const LibrdKafkaError = require('./error');
const makeReport = require('./report');
const ProducerStream = require('./producer-stream');
const { Interceptors, Intercepted } = require('./interceptors');

const { codes } = LibrdKafkaError;
const PURGE_ALL = 1 | 2; // queue and in flight
const TRANSACTION = { init: 0, commit: 1, abort: 2 };

/** Headers as the library takes them, names and values in turn, from node-rdkafka's array of objects of one entry each. */
function flatHeaders(headers) {
  const flat = [];
  for (const header of headers) {
    if (header === null || typeof header !== 'object') continue;
    const name = Object.keys(header)[0];
    if (name === undefined) continue;
    const value = header[name];
    const asIs = value === null || value === undefined || typeof value === 'string' || ArrayBuffer.isView(value);
    flat.push(name, asIs ? value : String(value));
  }
  return flat;
}

/** Errors of produce are thrown where they are told from; those of a full queue are frequent, so they say only that. */
function produceError(code) {
  return LibrdKafkaError.create(code);
}

/**
 * node-rdkafka's producer. Delivery reports are emitted as `delivery-report` (err, report) if `dr_cb` or `dr_msg_cb` is
 * set, when poll is called, or by themselves with setPollInterval or setPollInBackground.
 */
class Producer extends Client {
  /**
   * @param {object} conf properties; besides `dr_cb`, `dr_msg_cb`, `event_cb`, and `topic` and `partition` as defaults
   * @param {object} [topicConf] properties of topics
   */
  constructor(conf, topicConf) {
    if (conf === null || typeof conf !== 'object') throw new TypeError('Configuration required');
    const { topic, partition, dr_cb: drCb, dr_msg_cb: drMsgCb, interceptors, ...global } = conf;
    const wantsReports = !!(drCb || drMsgCb);
    const intercepts = !!(interceptors && interceptors.length);
    let self = null;
    super(global, { ...topicConf }, {
      values: !!drMsgCb,
      onReport: wantsReports || intercepts ? (err, opaque, has, link) => self._onReport(err, opaque, has, link) : undefined,
    });
    self = this;
    this.defaultTopic = topic || null;
    this.defaultPartition = partition === undefined || partition === null ? -1 : partition;
    this.sentMessages = 0;
    this.pollInterval = undefined;
    this._inBackground = false;
    this._emitsReports = wantsReports;
    this._interceptors = intercepts ? new Interceptors(interceptors) : null;
    if (typeof drCb === 'function') this.on('delivery-report', drCb);
    if (typeof drMsgCb === 'function') this.on('delivery-report', drMsgCb);
  }

  _onReport(code, opaque, hasOpaque, link) {
    const err = code === 0 ? null : LibrdKafkaError.create(code);
    if (opaque instanceof Intercepted) {
      opaque.acknowledge(err, link);
      ({ opaque } = opaque);
      hasOpaque = opaque !== undefined;
    }
    this._deliver(err, opaque, hasOpaque, link);
  }

  /** For subclasses: takes a report. */
  _deliver(err, opaque, hasOpaque, link) {
    if (!this._emitsReports) return;
    const report = makeReport(link);
    if (hasOpaque) report.opaque = opaque;
    this.emit('delivery-report', err, report);
  }

  _connected() {
    if (this._inBackground || !this._emitsReports) this._pollInBackground(true);
  }

  /**
   * Puts a message in the queue. Does not wait.
   *
   * @param {string} topic
   * @param {number|null} partition null or negative: the partitioner chooses
   * @param {Buffer|null} message null is a tombstone
   * @param {Buffer|string|null} [key]
   * @param {number|null} [timestamp] ms since the epoch; default now
   * @param {any} [opaque] comes back as `opaque` of the report
   * @param {object[]} [headers] one entry each: name to string, Buffer or number
   * @return {boolean} true
   * @throws {LibrdKafkaError} with code ERR__QUEUE_FULL if reports must be served first, and others
   */
  produce(topic, partition, message, key, timestamp, opaque, headers) {
    if (!this._isConnected) throw new Error('Producer not connected');
    if (!topic || typeof topic !== 'string') throw new TypeError('"topic" must be a string');
    if (message === undefined || typeof message === 'string') throw new Error('Message must be a buffer or null');
    let to = partition === undefined || partition === null ? this.defaultPartition : partition;
    if (to < 0) to = -1;
    if (key !== null && typeof key !== 'string' && typeof key !== 'object' && key !== undefined) key = String(key);
    if (timestamp === undefined || timestamp === null) timestamp = 0;
    else if (typeof timestamp !== 'number') throw new Error('Timestamp must be a number');
    this.sentMessages++;
    const flat = headers === undefined || headers === null ? undefined : flatHeaders(headers);
    const code =
      this._interceptors === null
        ? this._client.produce(topic, to, message, key, timestamp, opaque, flat)
        : this._interceptors.produce(this._client, topic, to, message, key, timestamp, opaque, flat);
    if (code !== 0) throw produceError(code);
    return true;
  }

  /** Serves what has come: emits events and delivery reports. */
  poll() {
    if (!this._isConnected) throw new Error('Producer not connected');
    this._client.drain();
    return this;
  }

  /** Polls every so many milliseconds while connected; 0 ends that. */
  setPollInterval(interval) {
    if (this.pollInterval) {
      clearInterval(this.pollInterval);
      this.pollInterval = undefined;
    }
    if (interval === 0) return undefined;
    if (!this._isConnected || this._isConnecting) {
      this.once('ready', () => this.setPollInterval(interval));
      return undefined;
    }
    this.pollInterval = setInterval(() => {
      if (this._isConnected) this._client.drain();
    }, interval).unref();
    this.once('disconnected', () => this.setPollInterval(0));
    return this;
  }

  /** Has events and reports served by the event loop as soon as they come: cheapest, and earliest. */
  setPollInBackground(on) {
    this._inBackground = !!on;
    if (this._isConnected && !this._isConnecting) this._pollInBackground(this._inBackground);
    return this;
  }

  _pollInBackground(on) {
    if (on === !!this._polling) return;
    this._polling = on;
    this._client.poll(on);
  }

  /**
   * Waits until all messages are delivered or have failed: `cb(err)`.
   *
   * @param {number} [timeout=500] ms
   */
  flush(timeout, cb) {
    if (typeof timeout === 'function') return this.flush(undefined, timeout);
    if (!this._isConnected) throw new Error('Producer not connected');
    if (timeout === undefined || timeout === null) timeout = 500;
    this._client.native.flush(timeout, this._client.polling((err) => cb && cb(Link.error(err))));
    return this;
  }

  /** Gives up messages: those that wait and those in flight. Their reports come with ERR__PURGE_QUEUE, _INFLIGHT. */
  purge(flags = PURGE_ALL) {
    if (!this._isConnected) throw new Error('Producer not connected');
    LibrdKafkaError.wrap(this._client.native.purge(flags));
    return this;
  }

  /** Messages without a report yet, and other events that wait. */
  get outstanding() {
    return this._client.native.length();
  }

  /** @private The end without a flush: messages that are not delivered yet are given up, with reports. */
  _disconnect(cb) {
    return super.disconnect(cb);
  }

  _beforeStop(next) {
    this._client.native.purgeAndWait(PURGE_ALL, () => {
      this._client.drain();
      this._pollInBackground(false);
      next();
    });
  }

  /**
   * Flushes, gives up what is not delivered by then, and ends the client.
   *
   * @param {number} [timeout=5000] ms for the flush
   */
  disconnect(timeout, cb) {
    if (typeof timeout === 'function') return this.disconnect(undefined, timeout);
    if (timeout === undefined || timeout === null) timeout = 5000;
    if (!this._isConnected && this.flush === Producer.prototype.flush) return this._disconnect(cb);
    this.flush(timeout, () => this._disconnect(cb));
    return this;
  }

  _transaction(what, timeout, cb) {
    if (typeof timeout === 'function') return this._transaction(what, undefined, timeout);
    if (timeout === undefined || timeout === null) timeout = 5000;
    if (!this._isConnected) {
      setImmediate(cb, LibrdKafkaError.create(codes.ERR__STATE));
      return this;
    }
    this._client.native.transaction(TRANSACTION[what], timeout, this._client.polling((err) => cb(Link.error(err))));
    return this;
  }

  /** To be called once, before the first transaction. `timeout`, here and below: ms, default 5000. */
  initTransactions(timeout, cb) {
    return this._transaction('init', timeout, cb);
  }

  beginTransaction(cb) {
    const err = this._isConnected ? this._client.native.beginTransaction() : codes.ERR__STATE;
    setImmediate(cb, Link.error(err));
    return this;
  }

  commitTransaction(timeout, cb) {
    return this._transaction('commit', timeout, cb);
  }

  abortTransaction(timeout, cb) {
    return this._transaction('abort', timeout, cb);
  }

  /**
   * @param {object[]} offsets topic, partition, offset (one past the last processed) and perhaps metadata
   * @param {object|string} consumer the group's id, or { groupId, memberId, generationId, groupInstanceId }, or whatever
   *   has a method groupMetadata() that returns such
   */
  sendOffsetsToTransaction(offsets, consumer, timeout, cb) {
    if (typeof timeout === 'function') return this.sendOffsetsToTransaction(offsets, consumer, undefined, timeout);
    if (timeout === undefined || timeout === null) timeout = 5000;
    const group = groupOf(consumer);
    if (!this._isConnected) {
      setImmediate(cb, LibrdKafkaError.create(codes.ERR__STATE));
      return this;
    }
    const flat = offsets.flatMap((o) => [o.topic, o.partition, Number(o.offset), o.metadata ?? null]);
    this._client.native.sendOffsets(
      flat, group.groupId, group.generationId ?? -1, group.memberId ?? null, group.groupInstanceId ?? null, timeout,
      (err) => cb(Link.error(err)));
    return this;
  }

  /** A Writable that produces to one topic, or in objectMode what the objects say. Emits 'drain' as the queue has room. */
  static createWriteStream(conf, topicConf, streamOptions) {
    return new ProducerStream(new Producer(conf, topicConf), streamOptions);
  }
}

function groupOf(consumer) {
  if (typeof consumer === 'string') return { groupId: consumer };
  if (consumer && typeof consumer.groupMetadata === 'function') return consumer.groupMetadata();
  if (consumer && typeof consumer.groupId === 'string') return consumer;
  throw new TypeError('"consumer" must be a group id, group metadata, or have a method groupMetadata()');
}

Producer.flatHeaders = flatHeaders;

module.exports = Producer;
