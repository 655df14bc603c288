'use strict';

const native = require('../native');
const Link = require('../link');
const { Interceptors, Intercepted } = require('../interceptors');
const { clientConf, producerConf, sendConf } = require('./conf');
const { errorOf, KafkaJSError, KafkaJSNonRetriableError } = require('./errors');
const { EVENTS, Instrumentation } = require('./events');
const { methodOf } = require('./logger');
const { DefaultPartitioner } = require('./partitioners');
const promised = require('./promised');
const { Send, check } = require('./send');
const { Transaction } = require('./transaction');

const METADATA_MAX_AGE_MS = 300000;
const METADATA_TIMEOUT_MS = 30000;
const FLUSH_MS = 30000;
const PURGE_ALL = 3;
const DEFAULTS = { acks: -1, compression: 0, timeout: undefined };

/** Of what a send asks for, as a key. */
const nameOf = ({ acks, compression, timeout }) => `${acks} ${compression} ${timeout}`;

/**
 * KafkaJS's producer. The library's acks, codec and timeout belong to a client as a whole, so each combination that send
 * is called with gets a client of its own when it is first used; a program that always asks for the same has one.
 */
class Producer {
  constructor(kafka, options = {}) {
    this.kafka = kafka;
    this.options = { ...options };
    this.log = kafka.logger().namespace('Producer');
    this.instrumentation = new Instrumentation(kafka.options.clientId);
    this.events = EVENTS;
    this.interceptors = options.interceptors && options.interceptors.length ? new Interceptors(options.interceptors) : null;
    this.links = new Map(); // by what a send asks for: a promise of a link
    this.ready = new Map(); // the same, once they are
    this.blocked = new Map(); // link: sends that wait for room in its queue, in order
    this.connected = false;
    this.connecting = null;
    this.defaultLink = undefined; // that of sends which ask for nothing special
    this.transactional = null; // the transaction under way
    const { createPartitioner } = options;
    this.partitioner = createPartitioner && createPartitioner !== DefaultPartitioner ? createPartitioner() : null;
    this.partitions = new Map(); // topic: what its partitioner is given, and when it was got
  }

  isIdempotent() {
    return !!(this.options.idempotent || this.options.transactionalId);
  }

  logger() {
    return this.log;
  }

  /** Calls `listener({ id, type, timestamp, payload })`; returns a function that ends this. */
  on(name, listener) {
    return this.instrumentation.on(name, listener);
  }

  /** Resolves when a broker has answered, and with a transactional id when transactions can begin. */
  async connect() {
    if (this.connected) return;
    if (!this.connecting) {
      this.connecting = this.connectOnce().finally(() => {
        this.connecting = null;
      });
    }
    await this.connecting;
  }

  async connectOnce() {
    const defaults = { ...DEFAULTS, compression: this.options.compression || 0 };
    try {
      const link = await this.link(defaults);
      await promised((cb) => link.native.metadata(null, false, this.kafka.options.connectTimeout || METADATA_TIMEOUT_MS, cb));
      if (this.options.transactionalId) {
        await promised((cb) => link.native.transaction(0, this.options.transactionTimeout || 60000, cb));
      }
      this.defaultLink = link;
    } catch (e) {
      await this.stopLinks();
      throw e;
    }
    this.connected = true;
    this.instrumentation.emit(EVENTS.CONNECT);
  }

  /** Delivers what was sent, for at most 30 s, and ends. */
  async disconnect() {
    if (this.connecting) await this.connecting.catch(() => {});
    if (!this.connected) return;
    this.connected = false;
    this.defaultLink = undefined;
    await this.stopLinks();
    this.instrumentation.emit(EVENTS.DISCONNECT);
  }

  async stopLinks() {
    const links = await Promise.allSettled(this.links.values());
    this.links.clear();
    this.ready.clear();
    await Promise.all(links.map(({ value: link }) => link && this.stopLink(link)));
  }

  async stopLink(link) {
    await promised((cb) => link.native.flush(this.options.disconnectTimeout || FLUSH_MS, cb)).catch((e) => this.log.warn(`not all messages are delivered: ${e.message}`));
    for (const send of this.blocked.get(link) || []) send.reject(new KafkaJSError('The producer is disconnected'));
    this.blocked.delete(link);
    await promised((cb) => link.native.purgeAndWait(PURGE_ALL, cb));
    link.drain();
    await promised((cb) => link.stop(cb));
  }

  /** The client for what a send asks for, started if it is the first to ask for this. */
  link(asked) {
    const name = nameOf(asked);
    let promise = this.links.get(name);
    if (promise === undefined) {
      promise = this.startLink(asked).then((link) => {
        this.ready.set(name, link);
        return link;
      });
      this.links.set(name, promise);
      promise.catch(() => this.links.delete(name));
    }
    return promise;
  }

  async startLink(asked) {
    const { options } = this.kafka;
    const brokers = typeof options.brokers === 'function' ? await options.brokers() : options.brokers;
    if (!Array.isArray(brokers) || brokers.length === 0) throw new KafkaJSNonRetriableError('Failed to connect: expected brokers array and got nothing');
    const confs = [
      clientConf(options, brokers), producerConf(this.options, options.retry), { 'log.queue': true }, options.config,
      this.options.config, sendConf(asked),
    ];
    let link;
    try {
      link = new Link(confs, {
        onReport: (code, opaque, has, from) => this.onReport(code, opaque, from),
        onServed: () => this.unblock(link),
        onEvent: (event) => this.onEvent(event, link),
      });
    } catch (e) {
      throw new KafkaJSNonRetriableError(e);
    }
    link.poll(true);
    await promised((cb) => link.start(cb));
    return link;
  }

  onReport(code, opaque, link) {
    let send = opaque;
    if (opaque instanceof Intercepted) {
      opaque.acknowledge(code === 0 ? null : errorOf(code), link);
      send = opaque.opaque;
    }
    send.report(code, link);
  }

  onEvent(event, link) {
    switch (event[0]) {
      case native.EVENT_LOG:
        this.log[methodOf(event[1])](event[3], { facility: event[2] });
        break;
      case native.EVENT_ERROR:
        this.log[event[3] ? 'error' : 'warn'](event[2], { code: event[1] });
        this.instrumentation.emit(EVENTS.ERROR, errorOf({ code: event[1], message: event[2], isFatal: event[3] === 1 }));
        break;
      case native.EVENT_STATS:
        this.instrumentation.statistics(event[1]);
        break;
      case native.EVENT_THROTTLE:
        this.instrumentation.emit(EVENTS.THROTTLE, { broker: event[1], brokerId: event[2], throttleTime: event[3] });
        break;
      case native.EVENT_TOKEN_REFRESH:
        this.token(link);
        break;
    }
  }

  async token(link) {
    const provider = this.kafka.options.sasl && this.kafka.options.sasl.oauthBearerProvider;
    try {
      const { value, lifetime = Date.now() + 3600000, principal = 'rkafka' } = await provider();
      link.native.setToken(value, lifetime, principal);
    } catch (e) {
      this.log.error(`no token from oauthBearerProvider: ${e.message}`);
      link.native.setTokenFailure(e.message || 'no token'); // which asks again in ten seconds
    }
  }

  /** The custom partitioner for these topics, once their partitions are known. */
  async partitionOf(link, topicMessages) {
    const maxAge = this.options.metadataMaxAge || METADATA_MAX_AGE_MS;
    for (const { topic } of topicMessages) {
      const known = this.partitions.get(topic);
      if (known && Date.now() - known.at < maxAge) continue;
      this.partitions.set(topic, { at: Date.now(), metadata: await this.partitionMetadata(link, topic) });
    }
    return (topic, message) => this.partitioner({ topic, partitionMetadata: this.partitions.get(topic).metadata, message });
  }

  async partitionMetadata(link, topic) {
    const end = Date.now() + METADATA_TIMEOUT_MS;
    for (;;) {
      const { topics } = await promised((cb) => link.native.metadata(topic, false, METADATA_TIMEOUT_MS, cb));
      const found = topics.find((t) => t.name === topic);
      if (found && found.partitions.length > 0) {
        return found.partitions.map(({ id, leader, replicas, isrs }) => ({
          partitionId: id, leader, replicas, isr: isrs, offlineReplicas: [], partitionErrorCode: 0,
        }));
      }
      if (Date.now() > end) throw errorOf((found && found.error) || 3);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /**
   * Resolves when all messages are delivered, with where each partition's begin; rejects if one is not.
   *
   * @param {{ topic: string, messages: object[], acks?: number, timeout?: number, compression?: number }} record
   */
  send({ topic, messages, acks, timeout, compression }) {
    return this.sendBatch({ topicMessages: [{ topic, messages }], acks, timeout, compression });
  }

  // Not async functions: most sends find their client ready, and one promise for each is enough.
  sendBatch({ topicMessages = [], acks = -1, timeout, compression = this.options.compression || 0 }) {
    if (this.transactional) return Promise.reject(new KafkaJSNonRetriableError('Cannot send messages outside of transaction while transaction is active'));
    if (this.options.transactionalId) return Promise.reject(new KafkaJSNonRetriableError('A producer with a transactional id sends within transactions alone'));
    return this.produce(topicMessages, acks, timeout, compression);
  }

  produce(topicMessages, acks, timeout, compression) {
    let link;
    try {
      check(topicMessages);
      if (acks !== -1 && this.isIdempotent()) {
        throw new KafkaJSNonRetriableError("Not requiring ack for all messages invalidates the idempotent producer's EoS guarantees");
      }
      if (!this.connected) throw new KafkaJSError('The producer is disconnected');
      const isDefault = acks === -1 && timeout === undefined && compression === (this.options.compression || 0);
      link = isDefault ? this.defaultLink : this.ready.get(nameOf({ acks, compression, timeout }));
    } catch (e) {
      return Promise.reject(e);
    }
    if (link === undefined || this.partitioner !== null) return this.produceLater(topicMessages, acks, timeout, compression);
    return new Promise((resolve, reject) => {
      this.enqueue(link, new Send(topicMessages, null, acks, resolve, reject));
    });
  }

  async produceLater(topicMessages, acks, timeout, compression) {
    const link = await this.link({ acks, timeout, compression });
    const partitionOf = this.partitioner === null ? null : await this.partitionOf(link, topicMessages);
    return new Promise((resolve, reject) => {
      this.enqueue(link, new Send(topicMessages, partitionOf, acks, resolve, reject));
    });
  }

  /** Those that wait for room come first. */
  enqueue(link, send) {
    const waiting = this.blocked.get(link);
    if (waiting && waiting.length > 0) waiting.push(send);
    else if (!send.produce(link, this.interceptors)) this.blocked.set(link, [send]);
  }

  unblock(link) {
    const waiting = this.blocked.get(link);
    while (waiting && waiting.length > 0 && waiting[0].produce(link, this.interceptors)) waiting.shift();
  }

  /** Begins a transaction. There is one at a time. */
  async transaction() {
    if (!this.options.transactionalId) throw new KafkaJSNonRetriableError('Must provide transactional id for transactional producer');
    if (!this.connected) throw new KafkaJSError('The producer is disconnected');
    if (this.transactional) {
      throw new KafkaJSNonRetriableError('There is already an ongoing transaction for this producer. Please end the transaction before beginning another.');
    }
    const err = this.defaultLink.native.beginTransaction();
    if (err) throw errorOf(err);
    this.transactional = new Transaction(this, this.defaultLink);
    return this.transactional;
  }

  /** Messages that were reported with an error, of all clients. For metrics. */
  get failed() {
    let failed = 0;
    for (const link of this.ready.values()) failed += link.failed;
    return failed;
  }
}

module.exports = { Producer };
