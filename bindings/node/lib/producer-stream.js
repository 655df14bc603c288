'use strict';

const { Writable } = require('node:stream');
const { codes } = require('./error');

// How long to wait for room in the queue before trying again.
const RETRY_MS = 10;

/**
 * A Writable in front of a producer. While the queue is full the stream holds writes back, so that write() returns false
 * and 'drain' comes when there is room again.
 */
class ProducerStream extends Writable {
  /**
   * @param {Producer} producer is connected if it is not yet
   * @param {object|string} [options] those of Writable, and `topic` (needed without objectMode), `autoClose` (default
   *   true: disconnects when the stream has finished or failed), `pollInterval` (ms, default 1000), `connectOptions`
   */
  constructor(producer, options = {}) {
    if (typeof options === 'string') options = { encoding: options };
    if (options === null || typeof options !== 'object') {
      throw new TypeError('"streamOptions" argument must be a string or an object');
    }
    if (!options.objectMode && !options.topic) {
      throw new TypeError('ProducerStreams not using objectMode must provide a topic to produce to.');
    }
    super({ ...options, autoDestroy: false, emitClose: false });
    this.producer = producer;
    this.topicName = options.topic;
    this.autoClose = options.autoClose === undefined ? true : !!options.autoClose;
    this.connectOptions = options.connectOptions || {};
    this._objects = options.objectMode === true;
    producer.setPollInterval(options.pollInterval || 1000);
    if (options.encoding) this.setDefaultEncoding(options.encoding);
    if (!producer.isConnected()) this.connect(this.connectOptions);
    this.once('finish', () => {
      if (this.autoClose) this.close();
    });
  }

  connect(options) {
    this.producer.connect(options, (err) => {
      if (err) this.emit('error', err);
    });
  }

  _produce(chunk) {
    if (!this._objects) {
      this.producer.produce(this.topicName, null, chunk, null);
      return;
    }
    const { topic = this.topicName, partition, value, key, timestamp, opaque, headers } = chunk;
    this.producer.produce(topic, partition, value, key, timestamp, opaque, headers);
  }

  _write(chunk, encoding, cb) {
    if (!this._objects && !Buffer.isBuffer(chunk)) {
      cb(new Error('Invalid data. Can only produce buffers'));
      return;
    }
    this._writeAll([{ chunk }], 0, cb);
  }

  _writev(chunks, cb) {
    this._writeAll(chunks, 0, cb);
  }

  _writeAll(chunks, from, cb) {
    if (!this.producer.isConnected()) {
      this.producer.once('ready', () => this._writeAll(chunks, from, cb));
      return;
    }
    let i = from;
    try {
      for (; i < chunks.length; i++) this._produce(chunks[i].chunk);
    } catch (e) {
      if (e.code === codes.ERR__QUEUE_FULL) {
        this.producer.poll();
        setTimeout(() => this._writeAll(chunks, i, cb), RETRY_MS);
        return;
      }
      if (this.autoClose) this.close();
      setImmediate(cb, e);
      return;
    }
    setImmediate(cb);
  }

  /** Disconnects the producer, then emits 'close'. */
  close(cb) {
    if (cb) this.once('close', cb);
    if (this.producer._isConnected) this.producer.disconnect(() => this.emit('close'));
    else if (this.producer._isConnecting) this.producer.once('ready', () => this.close());
    else setImmediate(() => this.emit('close'));
    return this;
  }
}

module.exports = ProducerStream;
