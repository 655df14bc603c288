'use strict';

// Metrics, interceptors, OpenTelemetry.

const { test } = require('node:test');
const assert = require('node:assert');
const { Producer, HighLevelProducer, Kafka, ProducerMetrics, METRIC_NAMES, openTelemetryInterceptor, logLevel, CODES } = require('..');
const { cluster, connected, atEnd, call, eventually } = require('./helpers');

const { ERRORS } = CODES;
const WATCHED = [
  'record-send-rate', 'request-latency-avg', 'record-retry-rate', 'record-error-rate', 'compression-rate-avg',
  'batch-size-avg', 'buffer-available-bytes',
];

/** A statistics document with what metrics read of it. */
function statistics({ seconds, records = 0, bytes = 0, retries = 0, batches = 0, batchBytes = 0, rtt = [0, 0], used = 0 }) {
  return {
    client_id: 'me "1"', ts: seconds * 1e6, txmsgs: records, txmsg_bytes: bytes, tx: batches, tx_bytes: batchBytes,
    msg_size_max: 1000000, msg_size: used,
    brokers: { b: { state: 'UP', txretries: retries, waitresp_cnt: 2, rtt: { sum: rtt[0], cnt: rtt[1], max: 9000 } } },
    topics: { t: { batchsize: { sum: batchBytes, cnt: batches }, batchcnt: { sum: records, cnt: batches } } },
  };
}

test('metrics are those of Java, from two statistics documents', () => {
  const producer = new Producer({ dr_cb: true });
  const metrics = new ProducerMetrics(producer);
  assert.strictEqual(metrics.snapshot(), null);
  assert.strictEqual(metrics.prometheus(), '');
  producer.emit('event.stats', { message: JSON.stringify(statistics({ seconds: 10 })) });
  assert.strictEqual(metrics.snapshot()['record-send-rate'], 0);
  producer.getClient().failed = 6;
  producer.emit('event.stats', {
    message: JSON.stringify(statistics({ seconds: 12, records: 400, bytes: 40000, retries: 1, batches: 4, batchBytes: 10061, rtt: [20000, 4], used: 250000 })),
  });
  const values = metrics.snapshot();
  assert.deepStrictEqual(Object.keys(values), METRIC_NAMES);
  for (const name of WATCHED) assert.ok(name in values, name);
  assert.strictEqual(values['record-send-rate'], 200);
  assert.strictEqual(values['record-error-rate'], 3);
  assert.strictEqual(values['record-retry-rate'], 50);
  assert.strictEqual(values['request-latency-avg'], 5);
  assert.strictEqual(values['request-latency-max'], 9);
  assert.strictEqual(values['batch-size-avg'], 10061 / 4);
  assert.strictEqual(values['records-per-request-avg'], 100);
  assert.strictEqual(values['buffer-available-bytes'], 750000);
  assert.strictEqual(values['compression-rate-avg'], 10061 / 40000);
  // A client that was started anew counts from 0: no negative rates.
  producer.emit('event.stats', { message: JSON.stringify(statistics({ seconds: 1 })) });
  assert.strictEqual(metrics.snapshot()['record-send-rate'], 0);
  metrics.end();
  assert.strictEqual(producer.listenerCount('event.stats'), 0);
});

test('Prometheus\'s text format', () => {
  const producer = new Producer({ dr_cb: true });
  const metrics = new ProducerMetrics(producer);
  metrics.update(statistics({ seconds: 1, used: 1 }));
  const lines = metrics.prometheus({ app: 'a\\b' }).split('\n');
  assert.strictEqual(lines.pop(), '');
  assert.strictEqual(lines.length, METRIC_NAMES.length * 3);
  assert.ok(lines.includes('# TYPE kafka_producer_buffer_available_bytes gauge'));
  assert.ok(lines.includes('kafka_producer_buffer_available_bytes{client_id="me \\"1\\"",app="a\\\\b"} 999999'));
  for (const line of lines) assert.match(line, /^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+\{[^{}]*\} -?[0-9.e+-]+)$/);
});

test('metrics of a producer at work, in both APIs', async (t) => {
  const mock = cluster(t, { topics: { t: 1 } });
  const low = new Producer({
    'metadata.broker.list': mock.bootstraps(), dr_cb: true, 'statistics.interval.ms': 100, 'compression.type': 'lz4', retries: 0,
  });
  await connected(t, low);
  low.setPollInBackground(true);
  const kafka = new Kafka({ brokers: [mock.bootstraps()], logLevel: logLevel.NOTHING, config: { 'statistics.interval.ms': 100 } });
  const high = kafka.producer();
  atEnd(t, () => high.disconnect());
  await high.connect();
  const [lowMetrics, highMetrics] = [new ProducerMetrics(low), new ProducerMetrics(high)];
  // Each is of the time since the last statistics, so it may be missed; what is waited for comes again.
  const seen = async (metrics, work, name, holds) => {
    await eventually(async () => {
      await work();
      const values = metrics.snapshot();
      return values && holds(values[name]);
    });
  };
  const produce = async () => {
    for (let i = 0; i < 100; i++) low.produce('t', null, Buffer.alloc(1000));
    await call(low, 'flush', 20000);
  };
  const fail = async () => {
    mock.pushErrors(0, [ERRORS.ERR_INVALID_RECORD]);
    low.produce('t', null, Buffer.alloc(10));
    await call(low, 'flush', 20000);
  };
  const positive = (value) => value > 0;
  for (const name of ['record-send-rate', 'request-latency-avg', 'batch-size-avg', 'connection-count', 'buffer-available-bytes']) {
    await seen(lowMetrics, produce, name, positive);
  }
  await seen(lowMetrics, produce, 'compression-rate-avg', (value) => value < 0.5);
  await seen(lowMetrics, fail, 'record-error-rate', positive);
  await seen(highMetrics, () => high.send({ topic: 't', messages: [{ value: 'x' }] }), 'record-send-rate', positive);
  assert.match(highMetrics.prometheus(), /kafka_producer_record_send_rate\{client_id="/);
});

test('interceptors: onSend in order may change the record, onAcknowledgement hears of each once', async (t) => {
  const mock = cluster(t, { topics: { t: 1, u: 1 } });
  const acknowledged = [];
  const interceptors = [
    {
      onSend(record) {
        record.headers.push(['first', `${record.topic} ${record.partition}`]);
        return { ...record, topic: 'u' };
      },
    },
    {
      onSend(record) {
        record.value = Buffer.concat([record.value, Buffer.from('!')]);
      },
      onAcknowledgement: (metadata, err, record) => acknowledged.push({ metadata, err, value: record.value.toString() }),
    },
  ];
  const producer = new Producer({ 'metadata.broker.list': mock.bootstraps(), dr_cb: true, interceptors, 'message.max.bytes': 2000 });
  await connected(t, producer);
  producer.setPollInBackground(true);
  const report = new Promise((resolve) => producer.once('delivery-report', (err, r) => resolve(r)));
  producer.produce('t', 0, Buffer.from('value'), 'k', null, 'opaque', [{ own: 'h' }]);
  const { topic, opaque } = await report;
  assert.deepStrictEqual([topic, opaque], ['u', 'opaque']);
  const [message] = mock.messages('u', 0);
  assert.strictEqual(message.value.toString(), 'value!');
  assert.deepStrictEqual(message.headers.map(([k, v]) => [k, v.toString()]), [['own', 'h'], ['first', 't 0']]);
  assert.strictEqual(acknowledged.length, 1);
  assert.strictEqual(acknowledged[0].err, null);
  assert.strictEqual(acknowledged[0].metadata.offset, 0);
  assert.strictEqual(acknowledged[0].value, 'value!');
  assert.throws(() => producer.produce('t', 0, Buffer.alloc(5000)), { code: ERRORS.ERR_MSG_SIZE_TOO_LARGE });
  assert.strictEqual(acknowledged.length, 2);
  assert.strictEqual(acknowledged[1].err.code, ERRORS.ERR_MSG_SIZE_TOO_LARGE);
});

test('interceptors without dr_cb hear of reports, and their failures are warnings', async (t) => {
  const mock = cluster(t, { topics: { t: 1 } });
  let heard = 0;
  const fails = () => {
    throw new Error('on purpose');
  };
  const interceptors = [{ onSend: fails, onAcknowledgement: fails }, { onAcknowledgement: () => heard++ }];
  const producer = new Producer({ 'metadata.broker.list': mock.bootstraps(), interceptors });
  producer.on('delivery-report', () => assert.fail('nobody asked for reports'));
  await connected(t, producer);
  const warnings = [];
  const warn = (w) => warnings.push(w.message);
  process.on('warning', warn);
  t.after(() => process.removeListener('warning', warn));
  producer.produce('t', 0, Buffer.from('x'));
  await eventually(() => heard === 1);
  await eventually(() => warnings.length === 2);
  assert.match(warnings[0], /onSend failed: on purpose/);
});

/** As much of @opentelemetry/api as the interceptor uses, with W3C's traceparent. */
function telemetry() {
  const spans = [];
  let next = 1;
  return {
    spans,
    context: { active: () => ({ trace: 'a'.repeat(32), span: '1'.padStart(16, '0') }) },
    trace: { setSpan: (context, span) => ({ ...context, span: span.id }) },
    propagation: { inject: (context, carrier, setter) => setter.set(carrier, 'traceparent', `00-${context.trace}-${context.span}-01`) },
    tracer: {
      startSpan(name, options, context) {
        const span = {
          name, ...options, parent: context.span, id: `${++next}`.padStart(16, '0'), ended: 0,
          setAttribute: (k, v) => (span.attributes[k] = v),
          setStatus: (status) => (span.status = status),
          recordException: (e) => (span.exception = e),
          end: () => span.ended++,
        };
        spans.push(span);
        return span;
      },
    },
  };
}

test('OpenTelemetry: context in headers, a span per message', async (t) => {
  const mock = cluster(t, { topics: { t: 1 } });
  const api = telemetry();
  const kafka = new Kafka({ brokers: [mock.bootstraps()], logLevel: logLevel.NOTHING });
  const producer = kafka.producer({ interceptors: [openTelemetryInterceptor(api, { tracer: api.tracer }), { onSend: (r) => ({ ...r }) }] });
  atEnd(t, () => producer.disconnect());
  await producer.connect();
  await producer.send({ topic: 't', messages: [{ key: 'k', value: 'x', headers: { traceparent: 'of somebody else' } }] });
  mock.pushErrors(0, [ERRORS.ERR_INVALID_RECORD]);
  await assert.rejects(producer.send({ topic: 't', messages: [{ value: 'y' }] }));
  const [good, bad] = api.spans;
  assert.deepStrictEqual(mock.messages('t', 0)[0].headers.map(([k, v]) => [k, v.toString()]), [['traceparent', `00-${'a'.repeat(32)}-${good.id}-01`]]);
  assert.deepStrictEqual([good.name, good.kind, good.ended, good.status], ['send t', 3, 1, undefined]);
  assert.deepStrictEqual(good.attributes, {
    'messaging.system': 'kafka', 'messaging.operation.type': 'send', 'messaging.destination.name': 't',
    'messaging.kafka.message.key': 'k', 'messaging.destination.partition.id': '0', 'messaging.kafka.offset': 0,
  });
  assert.strictEqual(bad.ended, 1);
  assert.strictEqual(bad.status.code, 2);
  assert.strictEqual(bad.exception.code, ERRORS.ERR_INVALID_RECORD);
});

test('OpenTelemetry without a tracer passes the active context on', async (t) => {
  const mock = cluster(t, { topics: { t: 1 } });
  const producer = new HighLevelProducer({ 'metadata.broker.list': mock.bootstraps(), interceptors: [openTelemetryInterceptor(telemetry())] });
  await connected(t, producer);
  await producer.produce('t', 0, Buffer.from('x'), null, null);
  assert.strictEqual(mock.messages('t', 0)[0].headers[0][1].toString(), `00-${'a'.repeat(32)}-${'1'.padStart(16, '0')}-01`);
});
