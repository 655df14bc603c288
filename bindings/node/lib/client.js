'use strict';

const { EventEmitter } = require('node:events');
const native = require('./native');
const Link = require('./link');
const LibrdKafkaError = require('./error');

// The library wants to know when a token expires; whoever sets one by hand renews it by hand, before that.
const TOKEN_LIFETIME_MS = 365 * 24 * 3600 * 1000;

/**
 * What every client has: a connection with events around it. Not for use by itself; see Producer.
 *
 * Events: ready (info, metadata), disconnected (metrics), connection.failure (err, metrics), event.log, event.stats,
 * event.error, event.throttle, event.event.
 */
class Client extends EventEmitter {
  /**
   * @param {object} globalConf properties of the client; `event_cb: false` switches events off. It is not changed
   * @param {object} topicConf properties of topics
   * @param {object} options what Link takes, without onEvent
   * @throws {Error} if a property cannot be
   */
  constructor(globalConf, topicConf, options) {
    super();
    const confs = [globalConf, topicConf];
    const withEvents = globalConf.event_cb !== false;
    delete globalConf.event_cb;
    if (withEvents) confs.push({ 'log.queue': true });
    try {
      this._client = new Link(confs, { ...options, onEvent: withEvents ? (event) => this._onEvent(event) : undefined });
    } catch (e) {
      if (e.code !== undefined) e.errno = e.code;
      throw e;
    }
    this.globalConfig = globalConf;
    this.topicConfig = topicConf;
    this.metrics = {};
    this.errorCounter = 0;
    this.lastError = null;
    this._metadata = {};
    this._isConnected = false;
    this._isConnecting = false;
    this._isDisconnecting = false;
    this._token = null;
  }

  _onEvent(event) {
    switch (event[0]) {
      case native.EVENT_ERROR: {
        const err = LibrdKafkaError.create({ code: event[1], message: event[2], isFatal: event[3] === 1 });
        this.lastError = err;
        this.errorCounter++;
        this.emit('event.error', err);
        break;
      }
      case native.EVENT_STATS:
        this.emit('event.stats', { message: event[1] });
        break;
      case native.EVENT_LOG:
        this.emit('event.log', { severity: event[1], fac: event[2], message: event[3] });
        break;
      case native.EVENT_THROTTLE: {
        const data = {
          message: `${event[1]} throttled the client for ${event[3]} ms`,
          throttleTime: event[3],
          brokerName: event[1],
          brokerId: event[2],
        };
        this.emit('event.event', data);
        this.emit('event.throttle', data);
        break;
      }
      case native.EVENT_TOKEN_REFRESH:
        this._tokenWanted = true;
        if (this._token) this._applyToken();
        break;
    }
  }

  /**
   * Starts the client and asks the cluster for its metadata; then `ready` is emitted and `cb(err, metadata)` called.
   *
   * @param {object} [metadataOptions] topic, allTopics, timeout (ms, default 30000); see getMetadata
   */
  connect(metadataOptions, cb) {
    if (typeof metadataOptions === 'function') return this.connect({}, metadataOptions);
    const next = cb || (() => {});
    if (this._isConnected) {
      setImmediate(next);
      return this;
    }
    if (this._isConnecting) {
      this.once('ready', () => next(null, this._metadata));
      return this;
    }
    this._isConnecting = true;
    this._client.start((err, name) => {
      if (err) {
        this._isConnecting = false;
        next(LibrdKafkaError.create(err));
        return;
      }
      this._isConnected = true;
      this.name = name;
      if (this._token) this._applyToken();
      // Until it is connected nobody polls, and errors and logs should be heard all the same.
      this._client.poll(true);
      this.getMetadata(metadataOptions || {}, (failure, metadata) => {
        this._client.poll(false);
        if (failure) {
          this._failConnect(failure, next);
          return;
        }
        this._isConnecting = false;
        this.metrics.connectionOpened = Date.now();
        this._connected();
        this.emit('ready', { name }, metadata);
        next(null, metadata);
      });
    });
    return this;
  }

  _failConnect(err, next) {
    this._isConnected = false;
    this._client.stop(() => {
      this._isConnecting = false;
      next(err);
    });
    this.emit('connection.failure', err, this.metrics);
  }

  /** For subclasses: what goes on while the client is connected. */
  _connected() {}

  /** Ends the client; see Producer#disconnect, which delivers first. */
  disconnect(cb) {
    if (this._isDisconnecting || !this._isConnected) {
      if (cb && !this._isConnected) setImmediate(cb, null, {});
      return this;
    }
    this._isDisconnecting = true;
    this._isConnected = false;
    const stopped = () => {
      this._isDisconnecting = false;
      const metrics = { ...this.metrics };
      this.metrics = {};
      this.emit('disconnected', metrics);
      if (cb) cb(null, metrics);
    };
    this._beforeStop(() => this._client.stop(stopped));
    return this;
  }

  /** For subclasses: what is to be done at the end, when the application can call nothing any more. */
  _beforeStop(next) {
    next();
  }

  /**
   * Asks the cluster about itself: `cb(err, { orig_broker_id, orig_broker_name, brokers, topics })`.
   *
   * @param {object} [options] `topic`: of this topic only; `allTopics`: of all (default), or of those in use; `timeout`:
   *   ms, default 30000
   */
  getMetadata(options, cb) {
    if (typeof options === 'function') return this.getMetadata({}, options);
    if (!this.isConnected()) return cb && cb(new Error('Client is disconnected'));
    const { topic = null, allTopics = true, timeout = 30000 } = options || {};
    this._client.native.metadata(topic || null, topic ? false : allTopics, timeout, (err, metadata) => {
      if (!err) this._metadata = metadata;
      if (cb) cb(Link.error(err), metadata);
    });
  }

  /**
   * The token for SASL's OAUTHBEARER. To be called before connect, and again before the token expires.
   *
   * @throws {Error} if it is not a text, or the library refuses it
   */
  setOauthBearerToken(token) {
    if (!token || typeof token !== 'string') throw new Error('OAuthBearer token is undefined/empty or not a string');
    this._token = token;
    if (this._isConnected || this._isConnecting) this._applyToken();
    return this;
  }

  _applyToken() {
    if (!this._tokenWanted) return;
    this._client.native.setToken(this._token, Date.now() + TOKEN_LIFETIME_MS, 'rkafka');
  }

  /** Replaces sasl.username and sasl.password from the next authentication on. */
  setSaslCredentials(username, password) {
    LibrdKafkaError.wrap(this._client.native.setSaslCredentials(username, password));
    return this;
  }

  isConnected() {
    return this._isConnected;
  }

  /** Milliseconds since the client was connected. */
  connectedTime() {
    return this._isConnected ? Date.now() - this.metrics.connectionOpened : 0;
  }

  /** The last of the errors that were emitted as event.error, or null. */
  getLastError() {
    return this.lastError;
  }

  getClient() {
    return this._client;
  }
}

module.exports = Client;
