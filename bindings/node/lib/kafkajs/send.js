'use strict';

const { codes } = require('../error');
const { errorOf, KafkaJSNonRetriableError } = require('./errors');

/** Headers as the library takes them: names and values in turn; a name may have several values. */
function flatHeaders(headers) {
  const flat = [];
  for (const name of Object.keys(headers)) {
    const value = headers[name];
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one === undefined) continue;
      flat.push(name, one === null || typeof one === 'string' || ArrayBuffer.isView(one) ? one : String(one));
    }
  }
  return flat;
}

/** Throws unless a call's topics and messages can be. */
function check(topicMessages) {
  if (!Array.isArray(topicMessages)) throw new KafkaJSNonRetriableError('Invalid topicMessages');
  for (const { topic, messages } of topicMessages) {
    if (!topic || typeof topic !== 'string') throw new KafkaJSNonRetriableError(`Invalid topic ${topic}`);
    if (!Array.isArray(messages)) throw new KafkaJSNonRetriableError(`Invalid messages array [${messages}] for topic "${topic}"`);
    for (const message of messages) {
      if (message === null || typeof message !== 'object' || message.value === undefined) {
        throw new KafkaJSNonRetriableError(`Invalid message without value for topic "${topic}": ${JSON.stringify(message)}`);
      }
    }
  }
}

/**
 * One call of send or sendBatch: what it still has to produce, the reports it waits for, and where its messages went. It
 * is the opaque value of all its messages.
 */
class Send {
  constructor(topicMessages, partitionOf, acks, resolve, reject) {
    this.topicMessages = topicMessages;
    this.partitionOf = partitionOf; // (topic, message) => partition, or null: the library chooses
    this.acks = acks;
    this.resolve = resolve;
    this.reject = reject;
    this.entry = 0;
    this.message = 0;
    this.waiting = 1; // reports, and one until everything has been produced
    this.error = 0;
    this.thrown = null;
    this.results = new Map();
    this.topic = '';
    this.partition = -1;
  }

  /** Produces until all is done (true) or the queue is full (false). */
  produce(link, interceptors) {
    for (; this.entry < this.topicMessages.length; this.entry++, this.message = 0) {
      const { topic, messages } = this.topicMessages[this.entry];
      for (; this.message < messages.length; this.message++) {
        const code = this.produceOne(link, interceptors, topic, messages[this.message]);
        if (code === codes.ERR__QUEUE_FULL) return false;
        if (code === 0) this.waiting++;
        else if (this.error === 0) this.error = code;
      }
    }
    this.settle();
    return true;
  }

  produceOne(link, interceptors, topic, message) {
    const { value, key = null, timestamp, headers } = message;
    let partition = -1;
    try {
      if (this.partitionOf !== null) partition = this.partitionOf(topic, message);
      else if (message.partition !== undefined && message.partition !== null) ({ partition } = message);
      const time = timestamp === undefined ? 0 : Number(timestamp);
      const flat = headers === undefined ? undefined : flatHeaders(headers);
      return interceptors === null
        ? link.produce(topic, partition, value, key, time, this, flat)
        : interceptors.produce(link, topic, partition, value, key, time, this, flat);
    } catch (e) {
      if (this.thrown === null) this.thrown = e;
      return codes.ERR__FAIL;
    }
  }

  /** A report, while the link serves it. */
  report(code, link) {
    if (code !== 0) {
      if (this.error === 0) this.error = code;
    } else if (link.partition !== this.partition || link.topic !== this.topic) {
      // Reports of a partition come in order and in runs, so only the first of a run can be the lowest offset.
      this.topic = link.topic;
      this.partition = link.partition;
      const name = `${link.partition} ${link.topic}`;
      const known = this.results.get(name);
      if (known === undefined) this.results.set(name, { topic: link.topic, partition: link.partition, offset: link.offset });
      else if (link.offset < known.offset) known.offset = link.offset;
    }
    this.settle();
  }

  settle() {
    if (--this.waiting > 0) return;
    if (this.thrown !== null) this.reject(this.thrown);
    else if (this.error !== 0) this.reject(errorOf(this.error));
    else if (this.acks === 0) this.resolve([]); // no offsets are known
    else {
      this.resolve([...this.results.values()].map(({ topic, partition, offset }) => ({
        topicName: topic,
        partition,
        errorCode: 0,
        baseOffset: String(offset),
        logAppendTime: '-1',
        logStartOffset: '-1',
      })));
    }
  }
}

module.exports = { Send, check };
