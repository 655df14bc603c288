'use strict';

// Workers, the end of the process, memory, faults.

const { test } = require('node:test');
const assert = require('node:assert');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { Worker } = require('node:worker_threads');
const { Producer, HighLevelProducer } = require('..');
const { cluster, connected, disconnected, call, eventually, allMessages } = require('./helpers');

const fixture = (name) => path.join(__dirname, 'fixtures', name);

function worker(mock, count, end) {
  const thread = new Worker(fixture('worker.js'), { workerData: { bootstrap: mock.bootstraps(), count, end } });
  const message = new Promise((resolve, reject) => {
    thread.once('message', resolve);
    thread.once('error', reject);
  });
  const ended = new Promise((resolve) => thread.once('exit', resolve));
  return { thread, message, ended };
}

test('workers have producers of their own, and end by themselves after disconnect', async (t) => {
  const mock = cluster(t, { topics: { t: 4 } });
  const workers = [1, 2, 3].map(() => worker(mock, 3000, 'disconnect'));
  assert.deepStrictEqual(await Promise.all(workers.map((w) => w.message)), [3000, 3000, 3000]);
  assert.deepStrictEqual(await Promise.all(workers.map((w) => w.ended)), [0, 0, 0]);
  assert.strictEqual(allMessages(mock, 't', 4).length, 9000);
});

test('a worker may exit, or be terminated, with its producer connected or busy; others go on', async (t) => {
  const mock = cluster(t, { topics: { t: 1 } });
  const producer = new HighLevelProducer({ 'metadata.broker.list': mock.bootstraps() });
  await connected(t, producer);
  for (let round = 0; round < 3; round++) {
    const exiting = worker(mock, 100, 'exit');
    await exiting.message;
    assert.strictEqual(await exiting.ended, 0);
    const idle = worker(mock, 100, 'stay');
    await idle.message;
    await idle.thread.terminate();
    mock.brokerRtt(-1, 60000);
    const busy = worker(cluster(t, { topics: { t: 1 } }), 10000, 'busy');
    await busy.message;
    await busy.thread.terminate();
    mock.brokerRtt(-1, 0);
  }
  await producer.produce('t', 0, Buffer.from('x'), null, null);
});

function run(mock, how) {
  const child = spawn(process.execPath, [fixture('exit.js'), mock.bootstraps(), how], { stdio: ['ignore', 'ignore', 'pipe'] });
  let text = '';
  child.stderr.on('data', (data) => (text += data));
  return new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal, text })));
}

for (const [how, expected] of Object.entries({
  unconnected: { code: 0 },
  exit: { code: 3 },
  flushing: { code: 3 },
  report: { code: 3 },
  disconnect: { code: 0 },
  throw: { code: 1, text: /on purpose/ },
  signal: { signal: 'SIGTERM' },
})) {
  test(`the process ends cleanly: ${how}`, async (t) => {
    const mock = cluster(t, { topics: { t: 1 } });
    const { code, signal, text } = await run(mock, how);
    assert.strictEqual(signal, expected.signal || null, text);
    if (expected.code !== undefined) assert.strictEqual(code, expected.code, text);
    if (expected.text) assert.match(text, expected.text);
    if (how === 'disconnect') assert.strictEqual(mock.endOffset('t', 0), 1000);
  });
}

test('the process ends cleanly: while it connects, and no broker answers', async (t) => {
  const mock = cluster(t);
  mock.brokerDown(-1);
  const begun = Date.now();
  const { code, signal, text } = await run(mock, 'connecting');
  assert.strictEqual(signal, null, text);
  assert.strictEqual(code, 3, text);
  assert.ok(Date.now() - begun < 30000, 'it waited for the connection');
});

test('memory: messages leave nothing behind', async (t) => {
  const mock = cluster(t, { topics: { t: 1 } });
  const producer = new Producer({ 'metadata.broker.list': mock.bootstraps(), dr_msg_cb: true, 'linger.ms': 1 });
  await connected(t, producer);
  producer.setPollInBackground(true);
  let delivered = 0;
  producer.on('delivery-report', () => delivered++);
  const value = Buffer.alloc(1000);
  const round = async () => {
    const goal = delivered + 20000;
    for (let sent = 0; sent < 20000; sent++) {
      producer.produce('t', null, value, `key ${sent}`, null, { sent }, sent % 10 === 0 ? [{ h: 'v' }] : undefined);
      if (sent % 2000 === 0) await new Promise(setImmediate);
    }
    await eventually(() => delivered === goal);
  };
  // The broker keeps 64 MB of a partition, and pools grow to what is used at once: first fill those.
  for (let i = 0; i < 5; i++) await round();
  const before = process.memoryUsage().rss;
  for (let i = 0; i < 10; i++) await round();
  const grown = (process.memoryUsage().rss - before) / 1e6;
  assert.strictEqual(producer.getClient().slots.used, 0);
  // 200,000 messages of a kilobyte are 200 MB.
  assert.ok(grown < 80, `grew by ${grown.toFixed(1)} MB`);
});

test('producers that were made and connected leave nothing running', async (t) => {
  const mock = cluster(t, { topics: { t: 1 } });
  const { readdirSync } = require('node:fs');
  const threads = () => readdirSync('/proc/self/task').length;
  const before = threads();
  for (let i = 0; i < 10; i++) {
    new Producer({ 'metadata.broker.list': mock.bootstraps() });
    const producer = new Producer({ 'metadata.broker.list': mock.bootstraps() });
    await call(producer, 'connect', {});
    await disconnected(producer);
  }
  await eventually(() => threads() <= before + 2);
});

test('a producer that the program has forgotten goes on', async (t) => {
  const { setFlagsFromString } = require('node:v8');
  setFlagsFromString('--expose-gc');
  const gc = require('node:vm').runInNewContext('gc');
  const mock = cluster(t, { topics: { t: 1 } });
  let link = null;
  await new Promise((resolve) => {
    const producer = new Producer({ 'metadata.broker.list': mock.bootstraps(), dr_cb: true, 'linger.ms': 200 });
    producer.connect({}, () => {
      producer.produce('t', null, Buffer.from('x'));
      link = new WeakRef(producer);
      resolve();
    });
  });
  for (let i = 0; i < 5; i++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await eventually(() => mock.endOffset('t', 0) === 1);
  await disconnected(link.deref());
});

test('disconnect while other calls wait: they come back', async (t) => {
  const mock = cluster(t, { topics: { t: 1 } });
  const producer = new Producer({ 'metadata.broker.list': mock.bootstraps(), dr_cb: true });
  await connected(t, producer);
  mock.brokerRtt(-1, 300);
  producer.produce('t', null, Buffer.from('x'));
  const calls = [call(producer, 'flush', 60000), call(producer, 'getMetadata', { timeout: 10000 })];
  const all = Promise.allSettled(calls);
  await disconnected(producer, 1);
  await all;
  assert.strictEqual(producer.isConnected(), false);
});

test('faults: brokers that refuse, cut and go: every message is reported once, and those delivered are in the log', async (t) => {
  const count = 2000;
  const mock = cluster(t, { brokers: 3, topics: { t: 3 } });
  const producer = new Producer({ 'metadata.broker.list': mock.bootstraps(), dr_cb: true, 'retry.backoff.ms': 20, 'enable.idempotence': true });
  await connected(t, producer);
  producer.setPollInBackground(true);
  const outcome = new Array(count).fill(0);
  let total = 0;
  producer.on('delivery-report', (err, report) => {
    outcome[report.opaque] += err ? 1000 : 1;
    total++;
  });
  for (let i = 0; i < count; i++) {
    producer.produce('t', null, Buffer.from(`${i}`), null, null, i);
    if (i % 100 !== 0) continue;
    if (i % 300 === 0) mock.dropConnections(-1);
    if (i % 500 === 0) mock.pushErrors(0, [6, 7, 13]);
    if (i === 600) mock.brokerDown(2);
    if (i === 1200) mock.brokerUp(2);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await eventually(() => total === count, 60000);
  assert.ok(outcome.every((n) => n === 1), 'each delivered once');
  const inLog = allMessages(mock, 't', 3).map((m) => Number(m.value.toString())).sort((a, b) => a - b);
  assert.deepStrictEqual(inLog, Array.from({ length: count }, (_, i) => i));
});

test('the event loop goes on while calls wait', async (t) => {
  const mock = cluster(t, { topics: { t: 1 } });
  const producer = new Producer({ 'metadata.broker.list': mock.bootstraps() });
  await connected(t, producer);
  mock.brokerRtt(-1, 400);
  let ticks = 0;
  const timer = setInterval(() => ticks++, 10);
  await call(producer, 'getMetadata', { timeout: 20000 });
  clearInterval(timer);
  assert.ok(ticks >= 5, `${ticks} ticks`);
});
