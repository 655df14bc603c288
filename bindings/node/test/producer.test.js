'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const { Producer, LibrdKafkaError, CODES } = require('..');
const { cluster, connected, disconnected, call, reports, eventually, allMessages } = require('./helpers');

const { ERRORS } = CODES;
const CONF = { 'client.id': 'test', 'metadata.broker.list': 'localhost:9092', 'socket.timeout.ms': 250 };

test('a producer needs a configuration, and says what is wrong with it', () => {
  assert.throws(() => new Producer());
  assert.throws(() => new Producer({ 'no.such.property': 1 }), (e) => /no\.such\.property/.test(e.message) && e.code === -186);
  assert.throws(() => new Producer({ 'linger.ms': 'soon' }), /linger\.ms|queue\.buffering/);
  assert.throws(() => new Producer({}, { partitioner_cb: () => 0 }), /partitioner_cb does not take a function/);
  assert.ok(new Producer({ ...CONF, rebalance_cb: () => {} }));
  assert.ok(Producer(CONF) instanceof Producer, 'it can be called without new');
});

test('it clones its configuration and leaves the application\'s alone', () => {
  const conf = { ...CONF, dr_cb: true, event_cb: false, topic: 'x' };
  const topicConf = {};
  const producer = new Producer(conf, topicConf);
  assert.deepStrictEqual(conf, { ...CONF, dr_cb: true, event_cb: false, topic: 'x' });
  assert.deepStrictEqual(producer.globalConfig, CONF);
  assert.deepStrictEqual(producer.topicConfig, {});
  assert.notStrictEqual(producer.topicConfig, topicConf);
});

test('before connect: no produce, poll, flush or metadata', async () => {
  const producer = new Producer(CONF);
  assert.throws(() => producer.produce('t', null, Buffer.from('x')), /Producer not connected/);
  assert.throws(() => producer.poll(), /Producer not connected/);
  assert.throws(() => producer.flush(10), /Producer not connected/);
  await assert.rejects(call(producer, 'getMetadata', {}), /Client is disconnected/);
  assert.strictEqual(producer.isConnected(), false);
  assert.strictEqual(producer.connectedTime(), 0);
  assert.strictEqual(producer.getLastError(), null);
});

test('connect: ready with name and metadata, in node-rdkafka\'s form', async (t) => {
  const mock = cluster(t, { brokers: 3, topics: { things: 5 } });
  const producer = new Producer({ 'metadata.broker.list': mock.bootstraps(), 'client.id': 'me' });
  const ready = new Promise((resolve) => producer.once('ready', (...args) => resolve(args)));
  const metadata = await connected(t, producer, { timeout: 10000 });
  const [info, same] = await ready;
  assert.match(info.name, /me/);
  assert.strictEqual(same, metadata);
  assert.ok(metadata.orig_broker_name);
  assert.strictEqual(typeof metadata.orig_broker_id, 'number');
  assert.deepStrictEqual(metadata.brokers.map((b) => b.id).sort(), [1, 2, 3]);
  assert.ok(metadata.brokers.every((b) => typeof b.host === 'string' && b.port > 0));
  const topic = metadata.topics.find((x) => x.name === 'things');
  assert.strictEqual(topic.partitions.length, 5);
  for (const p of topic.partitions) {
    assert.deepStrictEqual(Object.keys(p), ['id', 'leader', 'replicas', 'isrs']);
    assert.ok(p.replicas.includes(p.leader));
  }
  assert.ok(producer.connectedTime() >= 0);
  const one = await call(producer, 'getMetadata', { topic: 'things', timeout: 10000 });
  assert.deepStrictEqual(one.topics.map((x) => x.name), ['things']);
  await call(producer, 'connect', {}).then(() => {}, assert.fail);
});

test('connect fails with an error when no broker answers, and can be tried again', async (t) => {
  const mock = cluster(t);
  mock.brokerDown(-1);
  const producer = new Producer({ 'metadata.broker.list': mock.bootstraps() });
  const failure = new Promise((resolve) => producer.once('connection.failure', resolve));
  await assert.rejects(call(producer, 'connect', { timeout: 300 }), (e) => e instanceof LibrdKafkaError && e.code < 0);
  assert.ok((await failure) instanceof LibrdKafkaError);
  assert.strictEqual(producer.isConnected(), false);
  mock.brokerUp(-1);
  await connected(t, producer, { timeout: 20000 });
  assert.strictEqual(producer.isConnected(), true);
});

test('reports come when polled, with what dr_cb promises', async (t) => {
  const mock = cluster(t, { topics: { t: 1 } });
  const producer = new Producer({ 'metadata.broker.list': mock.bootstraps(), dr_cb: true });
  await connected(t, producer);
  let early = true;
  const got = reports(producer, 4);
  got.then(() => assert.strictEqual(early, false));
  assert.strictEqual(producer.produce('t', null, null, null), true);
  producer.produce('t', 0, Buffer.from('value'), 'key');
  producer.produce('t', -1, Buffer.from('value'), Buffer.from('k\0y'), 1500000000000, 'opaque');
  producer.produce('t', null, Buffer.from('value'), 7, null, null);
  await eventually(() => mock.endOffset('t', 0) === 4);
  early = false;
  producer.setPollInterval(10);
  const [a, b, c, d] = await got;
  for (const [err, report] of [a, b, c, d]) {
    assert.strictEqual(err, null);
    assert.strictEqual(report.topic, 't');
    assert.strictEqual(report.partition, 0);
    assert.strictEqual('value' in report, false);
  }
  assert.strictEqual(a[1].key, null);
  assert.strictEqual(a[1].size, 0);
  assert.strictEqual('opaque' in a[1], false);
  assert.strictEqual(b[1].key.toString(), 'key');
  assert.strictEqual(b[1].size, 5);
  assert.strictEqual(c[1].key.toString(), 'k\0y');
  assert.strictEqual(c[1].timestamp, 1500000000000);
  assert.strictEqual(c[1].opaque, 'opaque');
  assert.strictEqual(d[1].key.toString(), '7');
  assert.strictEqual(d[1].opaque, null);
  assert.deepStrictEqual([a, b, c, d].map((x) => x[1].offset), [0, 1, 2, 3]);
});

test('dr_msg_cb: reports bear values; null and empty are told apart', async (t) => {
  const mock = cluster(t, { topics: { t: 1 } });
  const producer = new Producer({ 'metadata.broker.list': mock.bootstraps(), dr_msg_cb: true });
  await connected(t, producer);
  producer.setPollInBackground(true);
  const got = reports(producer, 3);
  producer.produce('t', null, Buffer.from('hai'), 'key');
  producer.produce('t', null, Buffer.from(''), '');
  producer.produce('t', null, null, null);
  const [a, b, c] = (await got).map((x) => x[1]);
  assert.deepStrictEqual([a.value.toString(), a.key.toString()], ['hai', 'key']);
  assert.deepStrictEqual([b.value.toString(), b.key.toString()], ['', '']);
  assert.deepStrictEqual([c.value, c.key], [null, null]);
  assert.deepStrictEqual(mock.messages('t', 0).map((m) => [m.value && m.value.toString(), m.key && m.key.toString()]),
    [['hai', 'key'], ['', ''], [null, null]]);
});

test('dr_cb and dr_msg_cb may be functions', async (t) => {
  const mock = cluster(t, { topics: { t: 1 } });
  const seen = await new Promise((resolve) => {
    const producer = new Producer({ 'metadata.broker.list': mock.bootstraps(), dr_cb: (err, report) => resolve([err, report]) });
    connected(t, producer).then(() => {
      producer.setPollInterval(5);
      producer.produce('t', null, Buffer.from('x'));
    });
  });
  assert.strictEqual(seen[0], null);
  assert.strictEqual(seen[1].size, 1);
});

test('arguments that cannot be are refused, and nothing is sent', async (t) => {
  const mock = cluster(t, { topics: { t: 1 } });
  const producer = new Producer({ 'metadata.broker.list': mock.bootstraps(), dr_cb: true, 'message.max.bytes': 2000 });
  await connected(t, producer);
  const b = Buffer.from('x');
  for (const topic of [undefined, null, '', 5, {}]) assert.throws(() => producer.produce(topic, null, b), TypeError);
  assert.throws(() => producer.produce('no such topic!', null, b), (e) => e.code === ERRORS.ERR__INVALID_ARG);
  for (const value of [undefined, 'text', 5, {}]) {
    assert.throws(() => producer.produce('t', null, value), /Message must be a buffer or null/);
  }
  assert.throws(() => producer.produce('t', null, b, {}), /Key must be/);
  assert.throws(() => producer.produce('t', null, b, null, 'now'), /Timestamp must be a number/);
  assert.throws(() => producer.produce('t', null, Buffer.alloc(3000), null, null, 'o'), (e) => e.code === ERRORS.ERR_MSG_SIZE_TOO_LARGE);
  assert.strictEqual(producer.outstanding, 0);
  await disconnected(producer);
  assert.strictEqual(mock.endOffset('t', 0), 0);
});

test('headers: strings, buffers, numbers, several of a name, null', async (t) => {
  const mock = cluster(t, { topics: { t: 1 } });
  const producer = new Producer({ 'metadata.broker.list': mock.bootstraps() });
  await connected(t, producer);
  producer.produce('t', null, Buffer.from('x'), null, null, undefined,
    [{ a: 'text' }, { b: Buffer.from([1, 2, 0]) }, { c: 100 }, { d: 10.1 }, { a: 'again' }, { e: null }, { f: '' }, {}]);
  producer.produce('t', null, Buffer.from('x'), null, null, undefined, []);
  await call(producer, 'flush', 20000);
  const [first, second] = mock.messages('t', 0);
  assert.deepStrictEqual(first.headers.map(([k, v]) => [k, v && v.toString('latin1')]),
    [['a', 'text'], ['b', '\x01\x02\0'], ['c', '100'], ['d', '10.1'], ['a', 'again'], ['e', null], ['f', '']]);
  assert.deepStrictEqual(second.headers, []);
});

test('keys of any length and script arrive unchanged', async (t) => {
  const mock = cluster(t, { topics: { t: 1 } });
  const producer = new Producer({ 'metadata.broker.list': mock.bootstraps(), dr_cb: true });
  await connected(t, producer);
  producer.setPollInBackground(true);
  const keys = [];
  for (const n of [0, 1, 2, 500, 1018, 1019, 1020, 1021, 1022, 1023, 1024, 1025, 5000]) {
    keys.push('a'.repeat(n), 'é'.repeat(n), '€'.repeat(n), '😀'.repeat(n), `${'a'.repeat(n)}€😀`);
  }
  const got = reports(producer, keys.length);
  for (const key of keys) producer.produce('t', null, null, key);
  assert.deepStrictEqual((await got).map(([, r]) => r.key.toString()), keys);
  assert.deepStrictEqual(mock.messages('t', 0).map((m) => m.key.toString()), keys);
});

test('defaults for partition; partitions chosen by key', async (t) => {
  const mock = cluster(t, { topics: { t: 4 } });
  const producer = new Producer({ 'metadata.broker.list': mock.bootstraps(), partition: 2 });
  await connected(t, producer);
  producer.produce('t', null, Buffer.from('x'));
  producer.produce('t', 1, Buffer.from('x'));
  for (let i = 0; i < 100; i++) producer.produce('t', -1, Buffer.from('x'), `k${i}`);
  await call(producer, 'flush', 20000);
  const counts = [0, 1, 2, 3].map((p) => mock.endOffset('t', p));
  assert.strictEqual(counts.reduce((a, b) => a + b), 102);
  assert.ok(counts.every((n) => n >= 5), counts.join());
});

test('all of many messages are reported, each once, with its own opaque', async (t) => {
  const count = 30000;
  const mock = cluster(t, { topics: { t: 4 } });
  const producer = new Producer({ 'metadata.broker.list': mock.bootstraps(), dr_cb: true });
  await connected(t, producer);
  producer.setPollInterval(10);
  const seen = new Uint8Array(count);
  let total = 0;
  const all = new Promise((resolve) => {
    producer.on('delivery-report', (err, report) => {
      assert.strictEqual(err, null);
      seen[report.opaque.i]++;
      if (++total === count) resolve();
    });
  });
  for (let i = 0; i < count; i++) {
    producer.produce('t', null, Buffer.from(`message ${i}`), null, null, { i });
    if (i % 5000 === 0) await new Promise(setImmediate);
  }
  await all;
  assert.ok(seen.every((n) => n === 1));
  assert.strictEqual(producer.getClient().slots.used, 0);
  assert.strictEqual(allMessages(mock, 't', 4).length, count);
});

test('a full queue is ERR__QUEUE_FULL until reports are served', async (t) => {
  const mock = cluster(t, { topics: { t: 1 } });
  const producer = new Producer({ 'metadata.broker.list': mock.bootstraps(), dr_cb: true, 'queue.buffering.max.messages': 10 });
  await connected(t, producer);
  let refused = 0;
  const total = reports(producer, 10);
  for (let i = 0; i < 15; i++) {
    try {
      producer.produce('t', null, Buffer.from('x'), null, null, i);
    } catch (e) {
      assert.ok(e instanceof LibrdKafkaError && e instanceof Error);
      assert.strictEqual(e.code, ERRORS.ERR__QUEUE_FULL);
      assert.strictEqual(e.errno, e.code);
      assert.strictEqual(e.origin, 'local');
      assert.match(e.message, /Queue full/);
      refused++;
    }
  }
  assert.strictEqual(refused, 5);
  await eventually(() => mock.endOffset('t', 0) === 10);
  await eventually(() => {
    producer.poll();
    return producer.outstanding === 0;
  });
  await total;
  assert.strictEqual(producer.produce('t', null, Buffer.from('x')), true);
});

test('flush: 500 ms by default, an error if messages remain; disconnect reports them', async (t) => {
  const mock = cluster(t, { topics: { t: 1 } });
  const producer = new Producer({ 'metadata.broker.list': mock.bootstraps(), dr_cb: true });
  await connected(t, producer);
  producer.produce('t', null, Buffer.from('x'), null, null, 1);
  await call(producer, 'flush', 20000);
  mock.brokerDown(-1);
  producer.produce('t', null, Buffer.from('x'), null, null, 2);
  const begun = Date.now();
  await assert.rejects(call(producer, 'flush'), (e) => e.code === ERRORS.ERR__TIMED_OUT);
  assert.ok(Date.now() - begun >= 450);
  const got = reports(producer, 1);
  await disconnected(producer, 50);
  const [[err, report]] = await got;
  assert.ok([ERRORS.ERR__PURGE_QUEUE, ERRORS.ERR__PURGE_INFLIGHT].includes(err.code), String(err.code));
  assert.strictEqual(report.opaque, 2);
  assert.strictEqual(report.partition >= -1, true);
});

test('disconnect calls flush first, with the timeout given or one of its own', async () => {
  const producer = new Producer(CONF);
  const timeouts = [];
  producer.flush = (timeout, cb) => {
    timeouts.push(timeout);
    setImmediate(cb);
  };
  producer._disconnect = (cb) => setImmediate(cb);
  await new Promise((resolve) => producer.disconnect(1, resolve));
  await new Promise((resolve) => producer.disconnect(resolve));
  assert.deepStrictEqual(timeouts, [1, 5000]);
});

test('disconnected is emitted; then the producer can be connected again', async (t) => {
  const mock = cluster(t, { topics: { t: 1 } });
  const producer = new Producer({ 'metadata.broker.list': mock.bootstraps(), dr_cb: true });
  for (let round = 1; round <= 2; round++) {
    await connected(t, producer);
    producer.produce('t', null, Buffer.from('x'));
    const event = new Promise((resolve) => producer.once('disconnected', resolve));
    await disconnected(producer);
    assert.ok((await event).connectionOpened > 0);
    assert.strictEqual(producer.isConnected(), false);
    assert.strictEqual(mock.endOffset('t', 0), round);
    assert.throws(() => producer.produce('t', null, Buffer.from('x')), /not connected/);
  }
});

test('events: log, stats, throttle, error', async (t) => {
  const mock = cluster(t, { topics: { t: 1 } });
  const producer = new Producer({ 'metadata.broker.list': mock.bootstraps(), debug: 'all', 'statistics.interval.ms': 50 });
  const once = (name) => new Promise((resolve) => producer.once(name, resolve));
  const waits = [once('event.log'), once('event.stats'), once('event.throttle'), once('event.event')];
  const failed = once('event.error');
  mock.throttle(0, 20);
  await connected(t, producer);
  producer.produce('t', null, Buffer.from('x'));
  const [log, stats, throttle, event] = await Promise.all(waits);
  assert.deepStrictEqual(Object.keys(log), ['severity', 'fac', 'message']);
  assert.strictEqual(JSON.parse(stats.message).type, 'producer');
  assert.strictEqual(throttle.throttleTime, 20);
  assert.strictEqual(throttle.brokerId, 1);
  assert.ok(throttle.brokerName);
  assert.strictEqual(event, throttle);
  mock.throttle(0, 0);
  mock.brokerDown(-1);
  const err = await failed;
  assert.ok(err instanceof LibrdKafkaError);
  assert.ok([ERRORS.ERR__TRANSPORT, ERRORS.ERR__ALL_BROKERS_DOWN].includes(err.code));
  assert.ok(producer.errorCounter >= 1);
  assert.ok(producer.getLastError() instanceof LibrdKafkaError);
});

test('an exception of a report\'s listener is an uncaught one, and no report is lost by it', async (t) => {
  const mock = cluster(t, { topics: { t: 1 } });
  const producer = new Producer({ 'metadata.broker.list': mock.bootstraps(), dr_cb: true });
  await connected(t, producer);
  producer.setPollInBackground(true);
  const listeners = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  t.after(() => listeners.forEach((l) => process.on('uncaughtException', l)));
  const caught = [];
  process.on('uncaughtException', (e) => caught.push(e.message));
  let count = 0;
  producer.on('delivery-report', (err, report) => {
    count++;
    if (report.opaque % 2) throw new Error(`of ${report.opaque}`);
  });
  for (let i = 0; i < 10; i++) producer.produce('t', null, Buffer.from('x'), null, null, i);
  await eventually(() => count === 10 && caught.length === 5);
  process.removeAllListeners('uncaughtException');
  assert.deepStrictEqual(caught, ['of 1', 'of 3', 'of 5', 'of 7', 'of 9']);
});

test('listeners of reports may produce, poll, flush and disconnect', async (t) => {
  const mock = cluster(t, { topics: { t: 1 } });
  const producer = new Producer({ 'metadata.broker.list': mock.bootstraps(), dr_cb: true });
  await connected(t, producer);
  producer.setPollInBackground(true);
  const order = [];
  const gone = new Promise((resolve) => {
    producer.on('delivery-report', (err, report) => {
      assert.strictEqual(err, null);
      order.push(report.opaque);
      producer.poll();
      if (report.opaque < 100) producer.produce('t', 0, Buffer.from('x'), null, null, report.opaque + 1);
      else producer.flush(10, () => producer.disconnect(resolve));
    });
  });
  producer.produce('t', 0, Buffer.from('x'), null, null, 1);
  await gone;
  assert.deepStrictEqual(order, Array.from({ length: 100 }, (_, i) => i + 1));
  assert.strictEqual(mock.endOffset('t', 0), 100);
});

test('purge gives up what waits', async (t) => {
  const mock = cluster(t, { topics: { t: 1 } });
  const producer = new Producer({ 'metadata.broker.list': mock.bootstraps(), dr_cb: true, 'linger.ms': 60000 });
  await connected(t, producer);
  producer.setPollInBackground(true);
  const got = reports(producer, 3);
  for (let i = 0; i < 3; i++) producer.produce('t', 0, Buffer.from('x'), null, null, i);
  producer.purge();
  assert.deepStrictEqual((await got).map(([err, report]) => [err.code, report.opaque]), [0, 1, 2].map((i) => [ERRORS.ERR__PURGE_QUEUE, i]));
  assert.throws(() => producer.purge(64), (e) => e.code === ERRORS.ERR__INVALID_ARG);
});

test('null values and lists of properties: what is not given is the default', async (t) => {
  const mock = cluster(t, { topics: { t: 1 } });
  const producer = new Producer({ 'metadata.broker.list': mock.bootstraps(), 'client.rack': undefined, 'linger.ms': null, 'compression.type': 'zstd' }, { acks: 'all' });
  await connected(t, producer);
  producer.produce('t', null, Buffer.from('x'));
  await call(producer, 'flush', 20000);
  assert.strictEqual(mock.endOffset('t', 0), 1);
});

test('large values in reports, more than are taken at once', async (t) => {
  const mock = cluster(t, { topics: { t: 2 } });
  const producer = new Producer({ 'metadata.broker.list': mock.bootstraps(), dr_msg_cb: true, 'linger.ms': 20 });
  await connected(t, producer);
  producer.setPollInBackground(true);
  const got = reports(producer, 60);
  for (let i = 0; i < 60; i++) producer.produce('t', i % 2, Buffer.alloc(100000 + i, i), `key ${i}`, null, i);
  for (const [err, { opaque, value, key, size }] of await got) {
    assert.strictEqual(err, null);
    assert.deepStrictEqual([key.toString(), size, value.length], [`key ${opaque}`, 100000 + opaque, 100000 + opaque]);
    assert.ok(value[0] === opaque && value.at(-1) === opaque);
  }
});
