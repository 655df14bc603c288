'use strict';

const { EventEmitter } = require('node:events');
const { KafkaJSNonRetriableError } = require('./errors');

const EVENTS = {
  CONNECT: 'producer.connect',
  DISCONNECT: 'producer.disconnect',
  REQUEST: 'producer.network.request',
  REQUEST_TIMEOUT: 'producer.network.request_timeout',
  REQUEST_QUEUE_SIZE: 'producer.network.request_queue_size',
  STATISTICS: 'producer.statistics',
  THROTTLE: 'producer.throttle',
  ERROR: 'producer.error',
};
const NAMES = new Set(Object.values(EVENTS));

/** Events as { id, type, timestamp, payload }, to listeners that are asked for by `on`, which returns how to end it. */
class Instrumentation {
  constructor(clientId) {
    this.emitter = new EventEmitter();
    this.clientId = clientId;
    this.id = 0;
    this.before = new Map(); // per broker, its counts at the last statistics
  }

  on(name, listener) {
    if (!NAMES.has(name)) throw new KafkaJSNonRetriableError(`Event name should be one of ${[...NAMES].join(', ')}`);
    const guarded = (event) => {
      // A promise that a listener returns is nobody's: its rejection must not end the process.
      Promise.resolve(listener(event)).catch((e) => process.emitWarning(`rkafka: a listener of ${name} failed: ${e.message}`));
    };
    this.emitter.on(name, guarded);
    return () => this.emitter.removeListener(name, guarded);
  }

  emit(type, payload = {}) {
    this.emitter.emit(type, { id: this.id++, type, timestamp: Date.now(), payload });
  }

  get wantsStatistics() {
    return ['REQUEST', 'REQUEST_TIMEOUT', 'REQUEST_QUEUE_SIZE', 'STATISTICS'].some((n) => this.emitter.listenerCount(EVENTS[n]) > 0);
  }

  /** The network's events come from statistics: what each broker was asked since the last ones. */
  statistics(json) {
    if (!this.wantsStatistics) return;
    const statistics = JSON.parse(json);
    this.emit(EVENTS.STATISTICS, statistics);
    for (const broker of Object.values(statistics.brokers)) this.broker(broker);
  }

  broker({ name, req, rtt, req_timeouts: timeouts, outbuf_cnt: queued, waitresp_cnt: inFlight }) {
    const before = this.before.get(name) || { req: {}, timeouts: 0 };
    const common = { broker: name, clientId: this.clientId };
    this.before.set(name, { req, timeouts });
    for (const [apiName, total] of Object.entries(req)) {
      const count = total - (before.req[apiName] || 0);
      if (count > 0) this.emit(EVENTS.REQUEST, { ...common, apiName, count, duration: rtt.avg / 1000 });
    }
    if (timeouts > before.timeouts) this.emit(EVENTS.REQUEST_TIMEOUT, { ...common, count: timeouts - before.timeouts });
    this.emit(EVENTS.REQUEST_QUEUE_SIZE, { ...common, queueSize: queued + inFlight });
  }
}

module.exports = { EVENTS, Instrumentation };
