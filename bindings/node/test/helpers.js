'use strict';

const native = require('../lib/native');

const cleanups = new WeakMap();

/** What is to be done when the test ends; later ones first. */
function atEnd(t, what) {
  if (!cleanups.has(t)) {
    const list = [];
    cleanups.set(t, list);
    t.after(async () => {
      while (list.length > 0) await list.pop()();
    });
  }
  cleanups.get(t).push(what);
}

/** An embedded cluster that is closed when the test ends. */
function cluster(t, { brokers = 1, topics = {} } = {}) {
  const mock = native.mock(brokers);
  for (const [name, partitions] of Object.entries(topics)) mock.createTopic(name, partitions, -1);
  atEnd(t, () => mock.close());
  return mock;
}

/** Connects, and disconnects when the test ends. */
async function connected(t, producer, options = {}) {
  atEnd(t, () => disconnected(producer));
  const metadata = await new Promise((resolve, reject) => {
    producer.connect(options, (err, data) => (err ? reject(err) : resolve(data)));
  });
  return metadata;
}

function disconnected(producer, timeout) {
  return new Promise((resolve) => {
    if (!producer.isConnected()) resolve();
    else producer.disconnect(timeout, resolve);
  });
}

/** A method with a callback at its end as a promise. */
function call(object, method, ...args) {
  return new Promise((resolve, reject) => {
    object[method](...args, (err, value) => (err ? reject(err) : resolve(value)));
  });
}

/** The next so many delivery reports, as [err, report]. */
function reports(producer, count) {
  return new Promise((resolve) => {
    const list = [];
    const take = (err, report) => {
      list.push([err, report]);
      if (list.length < count) return;
      producer.removeListener('delivery-report', take);
      resolve(list);
    };
    producer.on('delivery-report', take);
  });
}

/** Waits until something holds; a busy machine may take its time. */
async function eventually(check, ms = 20000) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (Date.now() > end) throw new Error(`did not come to hold within ${ms} ms: ${check}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const allMessages = (mock, topic, partitions) =>
  Array.from({ length: partitions }, (_, p) => mock.messages(topic, p)).flat();

module.exports = { atEnd, cluster, connected, disconnected, call, reports, eventually, allMessages };
