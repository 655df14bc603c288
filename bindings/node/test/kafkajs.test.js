'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const { Kafka, CompressionTypes, Partitioners, logLevel, CODES, ...errors } = require('..');
const { murmur2 } = require('../lib/kafkajs/partitioners');
const { cluster, atEnd, eventually, allMessages } = require('./helpers');

const { ERRORS } = CODES;
const quiet = { logLevel: logLevel.NOTHING };

async function producerOf(t, mock, options = {}, kafkaOptions = {}) {
  const kafka = new Kafka({ brokers: [mock.bootstraps()].flatMap((b) => b.split(',')), clientId: 'app', ...quiet, ...kafkaOptions });
  const producer = kafka.producer(options);
  atEnd(t, () => producer.disconnect());
  await producer.connect();
  return producer;
}

test('send: resolves with the first offset of each partition', async (t) => {
  const mock = cluster(t, { topics: { t: 3 } });
  const producer = await producerOf(t, mock);
  assert.deepStrictEqual(await producer.send({ topic: 't', messages: [{ value: 'a', partition: 1 }, { value: 'b', partition: 1 }] }),
    [{ topicName: 't', partition: 1, errorCode: 0, baseOffset: '0', logAppendTime: '-1', logStartOffset: '-1' }]);
  const result = await producer.send({
    topic: 't',
    messages: [
      { value: 'c', partition: 1, key: 'k', headers: { one: 'x', many: ['y', Buffer.from('z')], none: undefined }, timestamp: '1500000000000' },
      { value: null, partition: 2, key: Buffer.from('k2') },
      { value: Buffer.from('d'), partition: 0 },
    ],
  });
  assert.deepStrictEqual(result.map((r) => [r.partition, r.baseOffset]).sort(), [[0, '0'], [1, '2'], [2, '0']]);
  const [, , c] = mock.messages('t', 1);
  assert.strictEqual(c.timestamp, 1500000000000);
  assert.deepStrictEqual(c.headers.map(([k, v]) => [k, v.toString()]), [['one', 'x'], ['many', 'y'], ['many', 'z']]);
  assert.deepStrictEqual([mock.messages('t', 2)[0].value, mock.messages('t', 2)[0].key.toString()], [null, 'k2']);
});

test('sendBatch: several topics; nothing to send is fine', async (t) => {
  const mock = cluster(t, { topics: { a: 1, b: 1 } });
  const producer = await producerOf(t, mock);
  const result = await producer.sendBatch({
    topicMessages: [
      { topic: 'a', messages: [{ value: '1' }] },
      { topic: 'b', messages: [{ value: '2' }] },
      { topic: 'a', messages: [{ value: '3' }] },
    ],
  });
  assert.deepStrictEqual(result.map((r) => r.topicName).sort(), ['a', 'b']);
  assert.deepStrictEqual(mock.messages('a', 0).map((m) => m.value.toString()), ['1', '3']);
  assert.deepStrictEqual(await producer.sendBatch({ topicMessages: [] }), []);
  assert.deepStrictEqual(await producer.send({ topic: 'a', messages: [] }), []);
});

test('acks and compression of each send', async (t) => {
  const mock = cluster(t, { topics: { t: 1 } });
  const producer = await producerOf(t, mock);
  assert.deepStrictEqual(await producer.send({ topic: 't', acks: 0, messages: [{ value: 'no ack' }] }), []);
  for (const [name, compression] of Object.entries(CompressionTypes)) {
    const [{ errorCode }] = await producer.send({ topic: 't', compression, messages: [{ value: name.repeat(1000) }] });
    assert.strictEqual(errorCode, 0);
  }
  await producer.send({ topic: 't', acks: 1, timeout: 5000, messages: [{ value: 'leader' }] });
  await eventually(() => mock.endOffset('t', 0) === 7);
  assert.strictEqual(mock.messages('t', 0).filter((m) => m.value.toString() === 'ZSTD'.repeat(1000)).length, 1);
});

test('what cannot be is refused', async (t) => {
  const mock = cluster(t, { topics: { t: 1 } });
  assert.throws(() => new Kafka(), errors.KafkaJSNonRetriableError);
  const kafka = new Kafka({ brokers: [], ...quiet });
  await assert.rejects(kafka.producer().connect(), /expected brokers array/);
  await assert.rejects(new Kafka({ brokers: ['x:1'], sasl: { mechanism: 'magic' }, ...quiet }).producer().connect(), /not supported/);
  await assert.rejects(new Kafka({ brokers: ['x:1'], config: { 'no.such': 1 }, ...quiet }).producer().connect(), errors.KafkaJSNonRetriableError);
  const idle = new Kafka({ brokers: [mock.bootstraps()], ...quiet }).producer();
  await assert.rejects(idle.send({ topic: 't', messages: [{ value: 'x' }] }), /The producer is disconnected/);
  await idle.disconnect();
  const producer = await producerOf(t, mock, { idempotent: true });
  assert.strictEqual(producer.isIdempotent(), true);
  await assert.rejects(producer.send({ topic: '', messages: [] }), /Invalid topic/);
  await assert.rejects(producer.send({ topic: 't', messages: 'x' }), /Invalid messages array/);
  await assert.rejects(producer.send({ topic: 't', messages: [{ key: 'x' }] }), /Invalid message without value for topic "t"/);
  await assert.rejects(producer.send({ topic: 't', messages: [{ value: 5 }] }), /buffer or null/);
  await assert.rejects(producer.send({ topic: 't', acks: 1, messages: [{ value: 'x' }] }), /idempotent producer's EoS/);
  await assert.rejects(producer.transaction(), /Must provide transactional id/);
  await producer.send({ topic: 't', messages: [{ value: 'x' }] });
});

test('connect rejects when no broker answers', async (t) => {
  const mock = cluster(t);
  mock.brokerDown(-1);
  const producer = new Kafka({ brokers: [mock.bootstraps()], connectTimeout: 300, ...quiet }).producer();
  await assert.rejects(producer.connect(), (e) => e instanceof errors.KafkaJSError && e.retriable === true && e.code < 0);
  mock.brokerUp(-1);
});

test('a send of which a message fails rejects, with the protocol\'s error', async (t) => {
  const mock = cluster(t, { topics: { t: 1 } });
  const producer = await producerOf(t, mock);
  await producer.send({ topic: 't', messages: [{ value: 'x' }] });
  mock.pushErrors(0, [ERRORS.ERR_TOPIC_AUTHORIZATION_FAILED]);
  await assert.rejects(producer.send({ topic: 't', messages: [{ value: 'x' }] }), (e) => {
    assert.ok(e instanceof errors.KafkaJSProtocolError && e instanceof errors.KafkaJSError);
    assert.deepStrictEqual([e.name, e.type, e.code, e.retriable],
      ['KafkaJSProtocolError', 'TOPIC_AUTHORIZATION_FAILED', ERRORS.ERR_TOPIC_AUTHORIZATION_FAILED, false]);
    return true;
  });
  assert.strictEqual(producer.failed, 1);
  await assert.rejects(producer.send({ topic: 't', messages: [{ value: Buffer.alloc(2000000) }, { value: 'y' }] }), { type: 'MSG_SIZE_TOO_LARGE' });
  assert.strictEqual(mock.messages('t', 0).at(-1).value.toString(), 'y');
});

test('sends wait for room in the queue, and stay in order', async (t) => {
  const mock = cluster(t, { topics: { t: 1 } });
  const producer = await producerOf(t, mock, { config: { 'queue.buffering.max.messages': 100 } });
  const sends = [];
  for (let i = 0; i < 50; i++) {
    sends.push(producer.send({ topic: 't', messages: Array.from({ length: 30 }, (_, k) => ({ value: `${i * 30 + k}` })) }));
  }
  const results = await Promise.all(sends);
  assert.deepStrictEqual(results.map((r) => Number(r[0].baseOffset)), Array.from({ length: 50 }, (_, i) => i * 30));
  assert.deepStrictEqual(mock.messages('t', 0).map((m) => Number(m.value.toString())), Array.from({ length: 1500 }, (_, i) => i));
});

test('keys go to the partitions that Java chooses; the function can be called, too', async (t) => {
  const mock = cluster(t, { topics: { t: 8 } });
  // As computed by org.apache.kafka.common.utils.Utils.murmur2.
  for (const [text, hash] of [['21', -973932308], ['foobar', -790332482], ['a-little-bit-long-string', -985981536], ['abc', 479470107]]) {
    assert.strictEqual(murmur2(Buffer.from(text)), hash);
  }
  const producer = await producerOf(t, mock);
  const keys = Array.from({ length: 200 }, (_, i) => `key ${i}`);
  await producer.send({ topic: 't', messages: keys.map((key) => ({ key, value: key })) });
  const partitioner = Partitioners.DefaultPartitioner();
  const partitionMetadata = Array.from({ length: 8 }, (_, partitionId) => ({ partitionId, leader: 1 }));
  for (let p = 0; p < 8; p++) {
    for (const { key } of mock.messages('t', p)) assert.strictEqual(partitioner({ topic: 't', partitionMetadata, message: { key } }), p);
  }
  assert.strictEqual(allMessages(mock, 't', 8).length, 200);
});

test('a custom partitioner is given the topic, its partitions and the message', async (t) => {
  const mock = cluster(t, { brokers: 2, topics: { t: 4 } });
  const seen = [];
  const createPartitioner = () => (args) => {
    seen.push(args);
    if (args.message.value === 'fail') throw new Error('on purpose');
    return args.message.value.length % args.partitionMetadata.length;
  };
  const producer = await producerOf(t, mock, { createPartitioner });
  await producer.send({ topic: 't', messages: [{ value: '1' }, { value: '22' }, { value: '333' }] });
  assert.deepStrictEqual([0, 1, 2, 3].map((p) => mock.endOffset('t', p)), [0, 1, 1, 1]);
  assert.strictEqual(seen[0].topic, 't');
  assert.deepStrictEqual(seen[0].partitionMetadata.map((p) => p.partitionId), [0, 1, 2, 3]);
  assert.ok(seen[0].partitionMetadata.every((p) => p.leader > 0 && p.isr.length === 2 && p.replicas.length === 2));
  await assert.rejects(producer.send({ topic: 't', messages: [{ value: 'fail' }] }), /on purpose/);
});

test('transactions: commit, abort, offsets, one at a time', async (t) => {
  const mock = cluster(t, { topics: { t: 1 } });
  const producer = await producerOf(t, mock, { transactionalId: 'tx', maxInFlightRequests: 1, idempotent: true });
  await assert.rejects(producer.send({ topic: 't', messages: [{ value: 'x' }] }), /within transactions/);
  const first = await producer.transaction();
  assert.strictEqual(first.isActive(), true);
  await assert.rejects(producer.transaction(), /already an ongoing transaction/);
  await assert.rejects(producer.send({ topic: 't', messages: [{ value: 'x' }] }), /outside of transaction/);
  await first.send({ topic: 't', messages: [{ value: 'committed' }] });
  await first.sendOffsets({ consumerGroupId: 'g', topics: [{ topic: 't', partitions: [{ partition: 0, offset: '5' }] }] });
  await assert.rejects(first.send({ topic: 't', compression: CompressionTypes.GZIP, messages: [{ value: 'x' }] }), /compression/);
  await first.commit();
  assert.strictEqual(first.isActive(), false);
  await assert.rejects(first.send({ topic: 't', messages: [{ value: 'x' }] }), /once ended/);
  const second = await producer.transaction();
  await second.sendBatch({ topicMessages: [{ topic: 't', messages: [{ value: 'aborted' }] }] });
  await second.abort();
  const third = await producer.transaction();
  await third.send({ topic: 't', messages: [{ value: 'again' }] });
  await third.commit();
  assert.ok(mock.requestCount(28) >= 1);
});

test('instrumentation events', async (t) => {
  const mock = cluster(t, { topics: { t: 1 } });
  const kafka = new Kafka({ brokers: [mock.bootstraps()], clientId: 'app', ...quiet, config: { 'statistics.interval.ms': 50 } });
  const producer = kafka.producer();
  atEnd(t, () => producer.disconnect());
  const seen = {};
  for (const name of Object.values(producer.events)) producer.on(name, (event) => (seen[name] ||= []).push(event));
  assert.throws(() => producer.on('producer.nothing', () => {}), /Event name should be one of/);
  const end = producer.on(producer.events.CONNECT, () => assert.fail('removed'));
  end();
  await producer.connect();
  await producer.send({ topic: 't', messages: [{ value: 'x' }] });
  await eventually(() => (seen['producer.network.request'] || []).some((e) => e.payload.apiName === 'Produce'));
  const event = seen['producer.network.request'].find((e) => e.payload.apiName === 'Produce');
  assert.strictEqual(event.type, 'producer.network.request');
  assert.deepStrictEqual(Object.keys(event.payload), ['broker', 'clientId', 'apiName', 'count', 'duration']);
  assert.strictEqual(event.payload.clientId, 'app');
  assert.ok(seen['producer.network.request_queue_size'].length > 0);
  assert.strictEqual(seen['producer.statistics'][0].payload.type, 'producer');
  mock.throttle(0, 20);
  await producer.send({ topic: 't', messages: [{ value: 'x' }] });
  await eventually(() => seen['producer.throttle']);
  assert.strictEqual(seen['producer.throttle'][0].payload.throttleTime, 20);
  mock.brokerDown(-1);
  await eventually(() => seen['producer.error']);
  mock.brokerUp(-1);
  await producer.disconnect();
  assert.deepStrictEqual([seen['producer.connect'].length, seen['producer.disconnect'].length], [1, 1]);
});

test('a logger of the application\'s own', async (t) => {
  const mock = cluster(t, { topics: { t: 1 } });
  const lines = [];
  const levels = [];
  const logCreator = (level) => {
    levels.push(level);
    return (entry) => lines.push(entry);
  };
  const producer = await producerOf(t, mock, {}, { logLevel: logLevel.DEBUG, logCreator, config: { debug: 'broker' } });
  await eventually(() => lines.length > 0);
  assert.deepStrictEqual(levels, [logLevel.DEBUG]);
  const { namespace, level, label, log } = lines[0];
  assert.deepStrictEqual([namespace, level, label], ['Producer', logLevel.DEBUG, 'DEBUG']);
  assert.strictEqual(typeof log.message, 'string');
  assert.ok(!Number.isNaN(Date.parse(log.timestamp)));
  producer.logger().setLogLevel(logLevel.ERROR);
  const { length } = lines;
  producer.logger().warn('not heard');
  producer.logger().error('heard', { extra: 1 });
  const own = lines.slice(length).filter((l) => l.log.message === 'heard' || l.log.message === 'not heard');
  assert.deepStrictEqual(own.map((l) => [l.label, l.log.extra]), [['ERROR', 1]]);
});

test('brokers may be a function; OAUTHBEARER asks for tokens', async (t) => {
  const mock = cluster(t, { topics: { t: 1 } });
  const kafka = new Kafka({ brokers: async () => [mock.bootstraps()], ...quiet });
  const producer = kafka.producer({ retry: { retries: 3, initialRetryTime: 100, maxRetryTime: 500 }, metadataMaxAge: 60000 });
  await producer.connect();
  await producer.send({ topic: 't', messages: [{ value: 'x' }] });
  await producer.disconnect();
  let asked = 0;
  const oauthBearerProvider = async () => {
    asked++;
    throw new Error('none');
  };
  const secured = new Kafka({ brokers: [mock.bootstraps()], sasl: { mechanism: 'oauthbearer', oauthBearerProvider }, connectTimeout: 500, ...quiet });
  await assert.rejects(secured.producer().connect());
  assert.ok(asked >= 1);
});
