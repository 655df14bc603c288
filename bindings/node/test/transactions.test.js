'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const { Producer, CODES } = require('..');
const { cluster, connected, call, reports } = require('./helpers');

const { ERRORS } = CODES;

async function producerOf(t, mock, conf = {}) {
  const producer = new Producer({ 'metadata.broker.list': mock.bootstraps(), 'transactional.id': 'tx', dr_cb: true, ...conf });
  await connected(t, producer);
  producer.setPollInterval(10);
  return producer;
}

test('commit: messages and offsets', async (t) => {
  const mock = cluster(t, { brokers: 3, topics: { in: 1, out: 1 } });
  const producer = await producerOf(t, mock);
  await call(producer, 'initTransactions', 30000);
  await call(producer, 'beginTransaction');
  const got = reports(producer, 1);
  producer.produce('out', -1, Buffer.from('B'));
  await call(producer, 'sendOffsetsToTransaction', [{ topic: 'in', partition: 0, offset: 2, metadata: 'm' }], { groupMetadata: () => ({ groupId: 'g' }) });
  await call(producer, 'commitTransaction', 30000);
  const [[err, report]] = await got;
  assert.strictEqual(err, null);
  assert.strictEqual(report.offset, 0);
  assert.strictEqual(mock.requestCount(28) >= 1, true, 'TxnOffsetCommit was sent');
  assert.strictEqual(mock.messages('out', 0)[0].value.toString(), 'B');
  await call(producer, 'beginTransaction');
  await call(producer, 'sendOffsetsToTransaction', [{ topic: 'in', partition: 0, offset: 3 }], 'g', 20000);
  await call(producer, 'commitTransaction');
});

test('abort gives up what waits, and the next transaction works', async (t) => {
  const mock = cluster(t, { topics: { out: 1 } });
  const producer = await producerOf(t, mock, { 'linger.ms': 5000 });
  await call(producer, 'initTransactions');
  await call(producer, 'beginTransaction');
  const got = reports(producer, 1);
  producer.produce('out', -1, Buffer.from('A'));
  await call(producer, 'abortTransaction', 30000);
  const [[err]] = await got;
  assert.strictEqual(err.code, ERRORS.ERR__PURGE_QUEUE);
  await call(producer, 'beginTransaction');
  producer.produce('out', -1, Buffer.from('B'));
  await call(producer, 'commitTransaction', 30000);
  assert.deepStrictEqual(mock.messages('out', 0).filter((m) => m.value).map((m) => m.value.toString()), ['B']);
});

test('errors say what may be done about them', async (t) => {
  const mock = cluster(t, { topics: { out: 1 } });
  const plain = new Producer({ 'metadata.broker.list': mock.bootstraps() });
  await assert.rejects(call(plain, 'initTransactions'), (e) => e.code === ERRORS.ERR__STATE);
  await assert.rejects(call(plain, 'beginTransaction'), (e) => e.code === ERRORS.ERR__STATE);
  await connected(t, plain);
  await assert.rejects(call(plain, 'initTransactions', 5000), (e) => e.code === ERRORS.ERR__NOT_CONFIGURED && e.isFatal === false);
  const producer = await producerOf(t, mock);
  await assert.rejects(call(producer, 'beginTransaction'), (e) => e.code === ERRORS.ERR__STATE);
  await call(producer, 'initTransactions');
  assert.throws(() => producer.produce('out', -1, Buffer.from('x')), (e) => e.code === ERRORS.ERR__STATE);
  assert.throws(() => producer.sendOffsetsToTransaction([], {}, () => {}), TypeError);
  await call(producer, 'beginTransaction');
  const second = await producerOf(t, mock);
  await call(second, 'initTransactions');
  producer.produce('out', -1, Buffer.from('x'));
  await assert.rejects(call(producer, 'commitTransaction', 30000), (e) => e.code === ERRORS.ERR__FENCED && e.isFatal === true);
});
