'use strict';

// The metrics of Java's producer, computed from the statistics document, and Prometheus's text format of them.

/**
 * Each metric and its meaning. Rates and averages are of the time between the last two
 * documents; before the second one they are 0 (or 1, for the ratio).
 */
const METRICS = {
  'record-send-rate': 'Records written to brokers per second.',
  'record-retry-rate': 'Records sent again per second.',
  'record-error-rate': 'Records per second that were given up with an error.',
  'byte-rate': 'Bytes of records written to brokers per second, before compression.',
  'outgoing-byte-rate': 'Bytes sent to brokers per second.',
  'request-rate': 'Requests sent to brokers per second.',
  'request-latency-avg': 'Milliseconds from a request to its answer, on average.',
  'request-latency-max': 'Milliseconds from a request to its answer, at most.',
  'record-queue-time-avg': 'Milliseconds that records waited before they were sent, on average.',
  'produce-throttle-time-avg': 'Milliseconds by which brokers throttled requests, on average.',
  'records-per-request-avg': 'Records in a batch, on average.',
  'batch-size-avg': 'Bytes of a batch, on average, before compression.',
  'compression-rate-avg': 'Bytes sent to brokers over bytes of records, at most 1: the gain by compression.',
  'requests-in-flight': 'Requests that wait for their answers.',
  'buffer-total-bytes': 'Bytes that the queue may hold.',
  'buffer-available-bytes': 'Bytes that are free in the queue.',
  'connection-count': 'Brokers with a connection that is up.',
};

/** Sums of a document that rates are the differences of, and of its windows, that averages are made of. */
function totalsOf(statistics, errors) {
  const brokers = Object.values(statistics.brokers);
  const topics = Object.values(statistics.topics);
  const sum = (list, field) => list.reduce((n, item) => n + (field(item) || 0), 0);
  const window = (list, field) => ({
    sum: sum(list, (x) => x[field] && x[field].sum),
    count: sum(list, (x) => x[field] && x[field].cnt),
    max: list.reduce((n, x) => Math.max(n, (x[field] && x[field].max) || 0), 0),
  });
  return {
    at: statistics.ts,
    records: statistics.txmsgs,
    recordBytes: statistics.txmsg_bytes,
    errors,
    requests: statistics.tx,
    bytes: statistics.tx_bytes,
    retries: sum(brokers, (b) => b.txretries),
    inFlight: sum(brokers, (b) => b.waitresp_cnt),
    up: brokers.filter((b) => b.state === 'UP').length,
    rtt: window(brokers, 'rtt'),
    queued: window(brokers, 'int_latency'),
    throttle: window(brokers, 'throttle'),
    batchBytes: window(topics, 'batchsize'),
    batchRecords: window(topics, 'batchcnt'),
    bufferTotal: statistics.msg_size_max,
    bufferUsed: statistics.msg_size,
  };
}

const average = ({ sum, count }) => (count > 0 ? sum / count : 0);

function compute(now, before) {
  const seconds = before ? (now.at - before.at) / 1e6 : 0;
  const rate = (field) => (seconds > 0 ? Math.max(0, now[field] - before[field]) / seconds : 0);
  const recordsPerBatch = average(now.batchRecords);
  const uncompressed = before ? now.recordBytes - before.recordBytes : 0;
  return {
    'record-send-rate': rate('records'),
    'record-retry-rate': rate('retries') * (recordsPerBatch || 1),
    'record-error-rate': rate('errors'),
    'byte-rate': rate('recordBytes'),
    'outgoing-byte-rate': rate('bytes'),
    'request-rate': rate('requests'),
    'request-latency-avg': average(now.rtt) / 1000,
    'request-latency-max': now.rtt.max / 1000,
    'record-queue-time-avg': average(now.queued) / 1000,
    'produce-throttle-time-avg': average(now.throttle),
    'records-per-request-avg': recordsPerBatch,
    'batch-size-avg': average(now.batchBytes),
    'compression-rate-avg': uncompressed > 0 ? Math.min(1, Math.max(0, now.bytes - before.bytes) / uncompressed) : 1,
    'requests-in-flight': now.inFlight,
    'buffer-total-bytes': now.bufferTotal,
    'buffer-available-bytes': Math.max(0, now.bufferTotal - now.bufferUsed),
    'connection-count': now.up,
  };
}

const escape = (text) => String(text).replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');

/**
 * Metrics of a producer of either API. It must have `statistics.interval.ms` set (the promise API has 1000 by itself),
 * and be polled; errors are counted where delivery reports are asked for.
 */
class ProducerMetrics {
  constructor(producer) {
    this.clientId = '';
    this.before = null;
    this.values = null;
    const { events } = producer;
    if (events && events.STATISTICS) {
      this.failed = () => producer.failed;
      this.end = producer.on(events.STATISTICS, ({ payload }) => this.update(payload));
    } else {
      const take = ({ message }) => this.update(JSON.parse(message));
      this.failed = () => producer.getClient().failed;
      producer.on('event.stats', take);
      this.end = () => producer.removeListener('event.stats', take);
    }
  }

  /** Takes a statistics document; by itself the producer's events do. */
  update(statistics) {
    const now = totalsOf(statistics, this.failed());
    // Documents of a client that was started anew begin from 0 again.
    if (this.before && now.at < this.before.at) this.before = null;
    this.values = compute(now, this.before);
    this.before = now;
    this.clientId = statistics.client_id;
  }

  /** Names to numbers, or null before the first statistics. */
  snapshot() {
    return this.values && { ...this.values };
  }

  /** Prometheus's text format, version 0.0.4: kafka_producer_record_send_rate{client_id="..."} and so on. */
  prometheus(labels = {}) {
    if (!this.values) return '';
    const all = Object.entries({ client_id: this.clientId, ...labels }).map(([k, v]) => `${k}="${escape(v)}"`).join(',');
    const lines = [];
    for (const [name, help] of Object.entries(METRICS)) {
      const id = `kafka_producer_${name.replace(/-/g, '_')}`;
      lines.push(`# HELP ${id} ${help}`, `# TYPE ${id} gauge`, `${id}{${all}} ${this.values[name]}`);
    }
    return `${lines.join('\n')}\n`;
  }
}

module.exports = { ProducerMetrics, METRIC_NAMES: Object.keys(METRICS) };
