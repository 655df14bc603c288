'use strict';

const { KafkaJSNonRetriableError } = require('./errors');
const promised = require('./promised');

const COMMIT = 1;
const ABORT = 2;

/** A transaction under way, of Producer#transaction. Over after commit or abort. */
class Transaction {
  constructor(producer, link) {
    this.producer = producer;
    this.link = link;
    this.timeout = producer.options.transactionTimeout || 60000;
    this.active = true;
  }

  isActive() {
    return this.active;
  }

  check() {
    if (!this.active) throw new KafkaJSNonRetriableError('Cannot continue to use transaction once ended');
  }

  send({ topic, messages, acks, timeout, compression }) {
    return this.sendBatch({ topicMessages: [{ topic, messages }], acks, timeout, compression });
  }

  /** As the producer's; `acks`, `timeout` and `compression` are those of the producer, since a transaction has one client. */
  async sendBatch({ topicMessages = [], acks = -1, timeout, compression }) {
    this.check();
    const own = this.producer.options.compression || 0;
    if ((compression !== undefined && compression !== own) || timeout !== undefined) {
      throw new KafkaJSNonRetriableError('Within a transaction, compression is chosen by kafka.producer({ compression }), and timeout is not');
    }
    return this.producer.produce(topicMessages, acks, undefined, own);
  }

  /** Commits a consumer's offsets with the transaction. */
  async sendOffsets({ consumerGroupId, topics, generationId = -1, memberId = null, groupInstanceId = null }) {
    this.check();
    if (!consumerGroupId || typeof consumerGroupId !== 'string') throw new KafkaJSNonRetriableError('Invalid consumerGroupId');
    const flat = topics.flatMap(({ topic, partitions }) =>
      partitions.flatMap(({ partition, offset, metadata = null }) => [topic, partition, Number(offset), metadata]));
    await promised((cb) => this.link.native.sendOffsets(flat, consumerGroupId, generationId, memberId, groupInstanceId, this.timeout, cb));
  }

  /** Over on success, and on failures after which only a new producer helps; otherwise it can be tried again or aborted. */
  async end(how) {
    this.check();
    try {
      await promised((cb) => this.link.native.transaction(how, this.timeout, cb));
    } catch (e) {
      if (e.isFatal) this.over();
      throw e;
    }
    this.over();
  }

  over() {
    this.active = false;
    this.producer.transactional = null;
  }

  commit() {
    return this.end(COMMIT);
  }

  abort() {
    return this.end(ABORT);
  }
}

module.exports = { Transaction };
