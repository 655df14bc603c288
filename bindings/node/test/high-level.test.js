'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const { HighLevelProducer, Producer, CODES } = require('..');
const { cluster, connected, call, eventually } = require('./helpers');

const { ERRORS } = CODES;
const CONF = { 'client.id': 'test', 'metadata.broker.list': 'localhost:9092' };
const HEADERS = [{ key1: 'value1A' }, { key1: 'value1B' }, { key2: 'value2' }, { key1: 'value1C' }];

/** A producer that is not connected: what would be produced goes to `take`. */
function fake(take) {
  const producer = new HighLevelProducer(CONF, {});
  producer._oldProduce = take;
  return producer;
}

test('it needs a configuration, is a Producer, and clones the configuration', () => {
  assert.throws(() => new HighLevelProducer());
  const producer = HighLevelProducer(CONF, {});
  assert.ok(producer instanceof Producer);
  assert.strictEqual(typeof producer._oldProduce, 'function');
  assert.deepStrictEqual(producer.globalConfig, CONF);
  assert.notStrictEqual(producer.globalConfig, CONF);
});

test('headers are passed on', async () => {
  const args = await new Promise((resolve) => {
    fake((...all) => resolve(all)).produce('topic', 0, 'foo', 'key', null, HEADERS, () => {});
  });
  assert.deepStrictEqual([args[2], args[3], args[6]], ['foo', 'key', HEADERS]);
});

const VALUE = { disparaging: 'hyena' };
const KEY = { delicious: 'cookie' };
const ways = {
  sync: (check, out) => (v) => {
    check(v);
    return out;
  },
  callback: (check, out) => (v, cb) => {
    check(v);
    setImmediate(cb, null, out);
  },
  promise: (check, out) => async (v) => {
    check(v);
    return out;
  },
};

for (const valueWay of Object.keys(ways)) {
  for (const keyWay of Object.keys(ways)) {
    test(`serializers: value ${valueWay}, key ${keyWay}`, async () => {
      const out = Buffer.from('foo');
      const args = await new Promise((resolve) => {
        const producer = fake((...all) => resolve(all));
        producer.setValueSerializer(ways[valueWay]((v) => assert.strictEqual(v, VALUE), out));
        producer.setKeySerializer(ways[keyWay]((k) => assert.strictEqual(k, KEY), 'key'));
        producer.produce('topic', 0, VALUE, KEY, null, () => {});
      });
      assert.strictEqual(args[2], out);
      assert.strictEqual(args[3], 'key');
    });
  }
}

for (const which of ['setValueSerializer', 'setKeySerializer']) {
  const failures = {
    throws: () => {
      throw new Error('even together we failed');
    },
    'calls back': (v, cb) => setImmediate(cb, new Error('even together we failed')),
    rejects: () => Promise.reject(new Error('even together we failed')),
  };
  for (const [how, serializer] of Object.entries(failures)) {
    test(`${which}: an error that it ${how} reaches the callback, once, and nothing is produced`, async () => {
      const producer = fake(() => assert.fail('produced'));
      producer[which](serializer);
      let calls = 0;
      const err = await new Promise((resolve) => {
        producer.produce('topic', 0, VALUE, KEY, null, (e) => {
          calls++;
          resolve(e);
        });
      });
      assert.match(err.message, /even together we failed/);
      if (how === 'throws') {
        assert.match(err.message, /^Could not serialize value/);
        assert.strictEqual(err.serializer, serializer);
        assert.ok(err.value === VALUE || err.value === KEY);
      }
      await new Promise(setImmediate);
      assert.strictEqual(calls, 1);
    });
  }
}

test('each message has its callback or promise, with its offset', async (t) => {
  const mock = cluster(t, { topics: { t: 1 } });
  const producer = new HighLevelProducer({ 'metadata.broker.list': mock.bootstraps() });
  await connected(t, producer);
  const offsets = await Promise.all([
    ...Array.from({ length: 50 }, (_, i) => call(producer, 'produce', 't', 0, Buffer.from(`${i}`), `k${i}`, null)),
    ...Array.from({ length: 50 }, (_, i) => producer.produce('t', 0, Buffer.from(`p${i}`), `k${i}`, null, HEADERS)),
  ]);
  assert.deepStrictEqual(offsets, Array.from({ length: 100 }, (_, i) => i));
  assert.strictEqual(mock.messages('t', 0)[7].value.toString(), '7');
  assert.strictEqual(mock.messages('t', 0)[57].headers.length, 4);
});

test('acks=0 has no offsets; delivery-report is still emitted', async (t) => {
  const mock = cluster(t, { topics: { t: 1 } });
  const producer = new HighLevelProducer({ 'metadata.broker.list': mock.bootstraps() }, { acks: 0 });
  await connected(t, producer);
  const report = new Promise((resolve) => producer.once('delivery-report', (err, r) => resolve(r)));
  assert.strictEqual(await producer.produce('t', 0, Buffer.from('x'), null, null), null);
  assert.strictEqual((await report).topic, 't');
});

test('errors reach the callback: those of produce and those of delivery', async (t) => {
  const mock = cluster(t, { topics: { t: 1 } });
  const producer = new HighLevelProducer({ 'metadata.broker.list': mock.bootstraps(), 'message.timeout.ms': 300, retries: 0 });
  await assert.rejects(call(producer, 'produce', 't', 0, Buffer.from('x'), null, null), /not connected/);
  await connected(t, producer);
  await assert.rejects(producer.produce('t', 0, 'text', null, null), /Message must be a buffer/);
  await producer.produce('t', 0, Buffer.from('x'), null, null);
  mock.pushErrors(0, [ERRORS.ERR_INVALID_RECORD]);
  await assert.rejects(producer.produce('t', 0, Buffer.from('x'), null, null), (e) => e.code === ERRORS.ERR_INVALID_RECORD && e.origin === 'kafka');
  mock.brokerDown(-1);
  await assert.rejects(producer.produce('t', 0, Buffer.from('x'), null, null), (e) => e.code === ERRORS.ERR__MSG_TIMED_OUT);
  await eventually(() => producer.outstanding === 0);
});
