'use strict';

// Compares rkafka's Node binding with node-rdkafka: the same program, against the same accepting broker (benches/sink.c),
// in turn, in one run. Prints the median of the runs, and fails below the bar: twice the messages/s and less CPU.
//
//   node run.js SINK OURS PEER [--runs N] [--quick]

const { spawn, execFileSync } = require('node:child_process');
const path = require('node:path');

const [sink, ours, peer, ...flags] = process.argv.slice(2);
const quick = flags.includes('--quick');
const runs = quick ? 1 : Number(flags[flags.indexOf('--runs') + 1]) || 5;
const ROWS = [
  { size: 100, count: quick ? 200000 : 1000000 },
  { size: 1000, count: quick ? 100000 : 500000 },
];
const BAR = 2;

const median = (list) => list.slice().sort((a, b) => a - b)[Math.floor(list.length / 2)];

/** Runs the broker for one run, which must have got every message. */
async function withSink(work, expected) {
  const broker = spawn(sink, ['--partitions', '8'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  const ended = new Promise((resolve) => broker.on('close', resolve));
  const address = await new Promise((resolve, reject) => {
    broker.on('error', reject);
    broker.stdout.on('data', (data) => {
      text += data;
      const match = /listening (\S+)/.exec(text);
      if (match) resolve(match[1]);
    });
  });
  try {
    return work(address);
  } finally {
    broker.kill('SIGTERM');
    await ended;
    const totals = JSON.parse(text.slice(text.indexOf('{')));
    if (totals.records !== expected || totals.bad_crc) throw new Error(`the broker says ${JSON.stringify(totals)}`);
  }
}

function produce(module_, address, { count, size }) {
  const program = path.join(__dirname, 'produce.js');
  return JSON.parse(execFileSync(process.execPath, [program, path.resolve(module_), address, count, size]));
}

async function main() {
  let missed = false;
  const version = (module_) => require(path.resolve(module_, 'package.json')).version;
  console.log(`rkafka ${version(ours)} and node-rdkafka ${version(peer)} on Node ${process.version}, a report per message`);
  console.log('');
  console.log('| message | library | messages/s | CPU ns/message | max RSS MB |');
  console.log('|---|---|---:|---:|---:|');
  for (const row of ROWS) {
    const results = { ours: [], peer: [] };
    for (let i = 0; i < runs; i++) {
      for (const [name, module_] of [['ours', ours], ['peer', peer]]) {
        results[name].push(await withSink((address) => produce(module_, address, row), row.count));
      }
    }
    const of = (name, field) => median(results[name].map((r) => r[field]));
    for (const [name, title] of [['ours', 'rkafka'], ['peer', 'node-rdkafka']]) {
      const [rate, cpu, rss] = ['messages_per_s', 'cpu_ns_per_message', 'rss_mb'].map((f) => of(name, f));
      console.log(`| ${row.size} B | ${title} | ${rate} | ${cpu} | ${rss} |`);
    }
    const faster = of('ours', 'messages_per_s') / of('peer', 'messages_per_s');
    const cheaper = of('peer', 'cpu_ns_per_message') / of('ours', 'cpu_ns_per_message');
    console.log(`| ${row.size} B | ratio | ${faster.toFixed(2)} x | ${cheaper.toFixed(2)} x less | |`);
    missed ||= faster < BAR || cheaper <= 1;
  }
  console.log('');
  console.log(missed ? 'MISSED: twice the messages/s with less CPU per message' : 'held: twice the messages/s with less CPU per message');
  process.exitCode = missed ? 1 : 0;
}

main();
