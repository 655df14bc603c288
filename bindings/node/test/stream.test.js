'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const { EventEmitter } = require('node:events');
const { Readable } = require('node:stream');
const { pipeline } = require('node:stream/promises');
const { createWriteStream, Producer, ProducerStream } = require('..');
const { cluster, eventually } = require('./helpers');

/** A producer that only keeps what it is given. */
function fakeProducer(connected = true) {
  const fake = new EventEmitter();
  Object.assign(fake, {
    _isConnected: connected,
    _isConnecting: false,
    produced: [],
    isConnected: () => fake._isConnected,
    connect(options) {
      fake.connectedWith = options;
      setImmediate(() => {
        fake._isConnected = true;
        fake.emit('ready');
      });
    },
    disconnect(cb) {
      setImmediate(() => {
        fake._isConnected = false;
        fake.emit('disconnected');
        cb();
      });
    },
    produce: (...args) => fake.produced.push(args),
    poll: () => fake,
    setPollInterval: () => fake,
  });
  return fake;
}

const failingOnce = (fake, code) => {
  const { produce } = fake;
  fake.produce = () => {
    fake.produce = produce;
    throw Object.assign(new Error('refused'), { code });
  };
};

test('options: a topic is needed without objectMode', () => {
  assert.throws(() => new ProducerStream(fakeProducer(), {}), TypeError);
  assert.throws(() => new ProducerStream(fakeProducer()), TypeError);
  assert.throws(() => new ProducerStream(fakeProducer(), 5), TypeError);
  assert.throws(() => new ProducerStream(fakeProducer(), null), TypeError);
  assert.ok(new ProducerStream(fakeProducer(), { topic: 't' }));
  assert.ok(new ProducerStream(fakeProducer(), { objectMode: true }));
});

test('it connects the producer if needed, with connectOptions', async () => {
  const idle = fakeProducer();
  idle.connect = () => assert.fail('connected twice');
  new ProducerStream(idle, { topic: 't' });
  const fake = fakeProducer(false);
  const ready = new Promise((resolve) => fake.once('ready', resolve));
  new ProducerStream(fake, { topic: 't', connectOptions: { timeout: 3000 } });
  await ready;
  assert.deepStrictEqual(fake.connectedWith, { timeout: 3000 });
});

test('at its end it disconnects, unless autoClose is false', async () => {
  const fake = fakeProducer();
  const gone = new Promise((resolve) => fake.once('disconnected', resolve));
  const stream = new ProducerStream(fake, { topic: 't' });
  const closed = new Promise((resolve) => stream.once('close', resolve));
  stream.end();
  await gone;
  await closed;
  const kept = fakeProducer();
  kept.disconnect = () => assert.fail('disconnected');
  const other = new ProducerStream(kept, { topic: 't', autoClose: false });
  await new Promise((resolve) => other.end(resolve));
  await new Promise((resolve) => setTimeout(resolve, 20));
});

test('buffers go to the topic in order, also those written before it was ready', async () => {
  const fake = fakeProducer(false);
  const stream = new ProducerStream(fake, { topic: 't' });
  for (const text of ['a', 'b', 'c']) stream.write(Buffer.from(text));
  await eventually(() => fake.produced.length === 3);
  assert.deepStrictEqual(fake.produced.map(([topic, , value]) => [topic, value.toString()]), [['t', 'a'], ['t', 'b'], ['t', 'c']]);
});

test('a readable can be piped into it', async () => {
  const fake = fakeProducer();
  await pipeline(Readable.from([Buffer.from('a'), Buffer.from('b')]), new ProducerStream(fake, { topic: 't', autoClose: false }), { end: false });
  await eventually(() => fake.produced.length === 2);
});

test('objects say topic, partition, key and the rest', async () => {
  const fake = fakeProducer();
  const message = { topic: 'u', partition: 10, value: Buffer.from('v'), key: 'k', timestamp: 5, opaque: { foo: 'bar' }, headers: [{ a: 'b' }] };
  new ProducerStream(fake, { objectMode: true }).write(message);
  await eventually(() => fake.produced.length === 1);
  assert.deepStrictEqual(fake.produced[0], ['u', 10, message.value, 'k', 5, message.opaque, message.headers]);
});

test('a full queue is waited out', async () => {
  const fake = fakeProducer();
  failingOnce(fake, -184);
  const stream = new ProducerStream(fake, { topic: 't' });
  stream.on('error', assert.fail);
  stream.cork();
  stream.write(Buffer.from('a'));
  stream.write(Buffer.from('b'));
  stream.uncork();
  await eventually(() => fake.produced.length === 2);
});

test('other errors are the stream\'s, and close it unless autoClose is false', async () => {
  for (const autoClose of [true, false]) {
    const fake = fakeProducer();
    failingOnce(fake, 10);
    let disconnected = false;
    fake.once('disconnected', () => (disconnected = true));
    const stream = new ProducerStream(fake, { topic: 't', autoClose });
    const err = await new Promise((resolve) => {
      stream.on('error', resolve);
      stream.write(Buffer.from('a'));
    });
    assert.strictEqual(err.code, 10);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.strictEqual(disconnected, autoClose);
  }
});

test('end to end with a small queue: drain comes, and all messages arrive in order', async (t) => {
  const count = 5000;
  const mock = cluster(t, { topics: { t: 1 } });
  const stream = createWriteStream(
    { 'metadata.broker.list': mock.bootstraps(), 'queue.buffering.max.messages': 500, 'linger.ms': 1 }, {},
    { topic: 't', highWaterMark: 1024 });
  assert.ok(stream.producer instanceof Producer);
  let drains = 0;
  stream.on('drain', () => drains++);
  const closed = new Promise((resolve) => stream.once('close', resolve));
  for (let i = 0; i < count; i++) {
    if (!stream.write(Buffer.from(`${i}`))) await new Promise((resolve) => stream.once('drain', resolve));
  }
  stream.end();
  await closed;
  assert.ok(drains > 0);
  assert.deepStrictEqual(mock.messages('t', 0).map((m) => Number(m.value.toString())), Array.from({ length: count }, (_, i) => i));
});
