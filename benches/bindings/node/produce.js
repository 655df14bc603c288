'use strict';

// One run: produces COUNT messages of SIZE bytes with a delivery report each, and prints what it took as one line of JSON.
//
//   node produce.js MODULE BOOTSTRAP COUNT SIZE
//
// MODULE is the folder of rkafka or of node-rdkafka: the program is the same for both. A message has an opaque value and
// no key; the application produces a thousand at a time, serves reports, and lets the event loop go on.

const [module_, bootstrap, count_, size_] = process.argv.slice(2);
const count = Number(count_);
const { Producer, CODES } = require(module_);

const CHUNK = 1000;
const QUEUE_FULL = CODES.ERRORS.ERR__QUEUE_FULL;

const producer = new Producer({
  'metadata.broker.list': bootstrap,
  'queue.buffering.max.ms': 5,
  'queue.buffering.max.messages': 100000,
  dr_cb: true,
});
const message = Buffer.alloc(Number(size_), 'x');

let sent = 0;
let delivered = 0;
let failed = 0;
let opaques = 0;
let started;
let cpu;

function pump() {
  const end = Math.min(sent + CHUNK, count);
  try {
    for (; sent < end; sent++) producer.produce('bench', null, message, null, null, sent);
  } catch (e) {
    if (e.code !== QUEUE_FULL) throw e;
  }
  producer.poll();
  if (sent < count) setImmediate(pump);
}

function done() {
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  const used = process.cpuUsage(cpu);
  if (failed > 0 || opaques !== (count * (count - 1)) / 2) throw new Error('reports are not those of the messages');
  console.log(JSON.stringify({
    messages_per_s: Math.round(count / seconds),
    cpu_ns_per_message: Math.round(((used.user + used.system) * 1000) / count),
    rss_mb: Math.round(process.resourceUsage().maxRSS / 1024),
  }));
  producer.disconnect();
}

producer.on('delivery-report', (err, report) => {
  if (err) failed++;
  opaques += report.opaque;
  if (++delivered === count) done();
});
producer.on('event.error', (err) => console.error(err.message));
producer.connect({ timeout: 10000 }, (err) => {
  if (err) throw err;
  producer.setPollInterval(10);
  // The topic is known and the code is compiled when the clock starts.
  started = process.hrtime.bigint();
  cpu = process.cpuUsage();
  pump();
});
