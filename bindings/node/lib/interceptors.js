'use strict';

/**
 * What goes with a message that interceptors saw, until its report.
 */
class Intercepted {
  constructor(interceptors, record, opaque) {
    this.interceptors = interceptors;
    this.record = record;
    this.opaque = opaque;
  }

  acknowledge(err, link) {
    const metadata = {
      topic: link.topic,
      partition: link.partition,
      offset: link.offset >= 0 ? link.offset : null,
      timestamp: link.timestamp,
      size: link.size,
    };
    this.interceptors.acknowledge(metadata, err, this.record);
  }
}

/**
 * Interceptors in order, as in Java's client: `onSend(record)` is called before a message is queued and may change the
 * record or return another; `onAcknowledgement(metadata, err, record)` when it is delivered or has failed, or when it
 * could not be queued. What they throw is emitted as a warning and does not touch the message.
 *
 * A record is { topic, partition, key, value, timestamp, headers }, with headers an array of [name, value].
 */
class Interceptors {
  constructor(list) {
    this.list = list;
  }

  send(record) {
    for (const interceptor of this.list) {
      if (!interceptor.onSend) continue;
      try {
        record = interceptor.onSend(record) || record;
      } catch (e) {
        process.emitWarning(`rkafka: an interceptor's onSend failed: ${e.message}`);
      }
    }
    return record;
  }

  acknowledge(metadata, err, record) {
    for (const interceptor of this.list) {
      if (!interceptor.onAcknowledgement) continue;
      try {
        interceptor.onAcknowledgement(metadata, err, record);
      } catch (e) {
        process.emitWarning(`rkafka: an interceptor's onAcknowledgement failed: ${e.message}`);
      }
    }
  }

  /** Link#produce with interceptors around it. */
  produce(link, topic, partition, value, key, timestamp, opaque, flat) {
    const headers = [];
    for (let i = 0; flat && i < flat.length; i += 2) headers.push([flat[i], flat[i + 1]]);
    const record = this.send({ topic, partition, key, value, timestamp, headers });
    const code = link.produce(
      record.topic, record.partition, record.value, record.key, record.timestamp,
      new Intercepted(this, record, opaque), record.headers.length ? record.headers.flat() : undefined);
    if (code !== 0) {
      const { topic: t, partition: p } = record;
      this.acknowledge({ topic: t, partition: p, offset: null, timestamp: record.timestamp, size: 0 }, link.constructor.error(code), record);
    }
    return code;
  }
}

module.exports = { Interceptors, Intercepted };
