'use strict';

// What a message costs the JavaScript thread by the addon and by koffi, an FFI package: CPU time of a call of produce, and
// of reading a delivery report into an object. The choice between the two rests on this.
//
//   node ffi.js RKAFKA KOFFI [addon|koffi]       folders of the packages; without the last, both, three times in turn

const path = require('node:path');
const { execFileSync } = require('node:child_process');

const [rkafka, koffiDir, which] = process.argv.slice(2);
const COUNT = 300000;
const value = Buffer.alloc(100, 'x');

/** Nanoseconds of the thread, where node tells them, or of the process. */
function cpu() {
  const { user, system } = process.threadCpuUsage ? process.threadCpuUsage() : process.cpuUsage();
  return (user + system) * 1000;
}

function finish(name, produce, report) {
  console.log(`${name}: produce ${Math.round(produce / COUNT)} ns, report ${Math.round(report / COUNT)} ns`);
  process.exit();
}

function addon() {
  const native = require(path.resolve(rkafka, 'lib', 'native.js'));
  const Link = require(path.resolve(rkafka, 'lib', 'link.js'));
  const makeReport = require(path.resolve(rkafka, 'lib', 'report.js'));
  const cluster = native.mock(1);
  let got = 0;
  let sum = 0;
  const conf = { 'bootstrap.servers': cluster.bootstraps(), 'queue.buffering.max.messages': 2 * COUNT };
  const link = new Link([conf], {
    onReport(err, opaque, has, from) {
      const report = makeReport(from);
      report.opaque = opaque;
      sum += report.opaque;
      got++;
    },
  });
  link.start((err) => {
    if (err) throw err;
    let begin = cpu();
    for (let i = 0; i < COUNT; i++) link.produce('t', -1, value, null, 0, i, undefined);
    const produce = cpu() - begin;
    let report = 0;
    const read = () => {
      begin = cpu();
      link.drain();
      report += cpu() - begin;
      if (got < COUNT) setTimeout(read, 5);
      else finish('addon', produce, report);
    };
    read();
  });
}

function ffi() {
  const koffi = require(path.resolve(koffiDir));
  const lib = koffi.load(path.resolve(rkafka, 'prebuilds', `${process.platform}-${process.arch}`, 'librkafka.so.1'));
  const Message = koffi.struct('rk_message_t', {
    err: 'int', topic: 'str', partition: 'int32', payload: 'void *', len: 'size_t', key: 'void *', key_len: 'size_t',
    offset: 'int64', timestamp_ms: 'int64', opaque: 'size_t', latency_us: 'int64', status: 'int32', headers_len: 'uint32',
    headers: 'void *', reserved0: 'uint64', reserved1: 'uint64', reserved2: 'uint64',
  });
  const f = (signature) => lib.func(signature);
  const confSet = f('int rk_conf_set(void *, str, str, void *, size_t)');
  const produceOne = f('int rk_topic_produce(void *, int32, int, void *, size_t, void *, size_t, int64, size_t)');
  const poll = f('void *rk_producer_poll_event(void *, int)');
  const next = f('void *rk_event_message_next(void *)');
  const destroy = f('void rk_event_destroy(void *)');
  const cluster = f('void *rk_mock_cluster_new(int, void *, size_t)')(1, null, 0);
  const conf = f('void *rk_conf_new()')();
  confSet(conf, 'bootstrap.servers', f('str rk_mock_cluster_bootstraps(void *)')(cluster), null, 0);
  confSet(conf, 'queue.buffering.max.messages', String(2 * COUNT), null, 0);
  f('void rk_conf_set_events(void *, int)')(conf, 1);
  const producer = f('void *rk_producer_new(void *, void *, size_t)')(conf, null, 0);
  const topic = f('void *rk_producer_topic(void *, str)')(producer, 't');
  let begin = cpu();
  for (let i = 0; i < COUNT; i++) produceOne(topic, -1, 0, value, value.length, null, 0, 0, i);
  const produce = cpu() - begin;
  let report = 0;
  let sum = 0;
  for (let got = 0; got < COUNT; ) {
    begin = cpu();
    const event = poll(producer, 100);
    for (let at = event && next(event); at; at = next(event), got++) {
      const m = koffi.decode(at, Message);
      const object = { topic: m.topic, partition: m.partition, offset: m.offset, key: null, timestamp: m.timestamp_ms, size: m.len, opaque: m.opaque };
      sum += object.opaque;
    }
    if (event) destroy(event);
    report += cpu() - begin;
  }
  finish('koffi', produce, report);
}

if (which === 'addon') addon();
else if (which === 'koffi') ffi();
else {
  const of = process.threadCpuUsage ? 'the thread' : 'the process (the thread alone needs Node 23)';
  console.log(`Node ${process.version}, ${COUNT} messages of ${value.length} bytes, CPU time of ${of}`);
  for (let i = 0; i < 6; i++) {
    process.stdout.write(execFileSync(process.execPath, [__filename, rkafka, koffiDir, i % 2 ? 'koffi' : 'addon']));
  }
}
