'use strict';

// Runs node-rdkafka's own tests of its producer against rkafka: their files, with what they require made to be ours.
//
//   node tools/peer-tests.js DIR
//
// DIR has node_modules with node-rdkafka (not built), mocha and bluebird.

const fs = require('node:fs');
const path = require('node:path');
const { spawn } = require('node:child_process');
const native = require('../lib/native');

const dir = path.resolve(process.argv[2]);
const lib = path.join(__dirname, '..', 'lib');
const peer = path.join(dir, 'node_modules', 'node-rdkafka');
const index = JSON.stringify(path.join(lib, 'index.js'));

// What the tests require, relative to their folder's parent.
const SHIMS = {
  'index.js': `module.exports = require(${index});`,
  'lib/producer.js': `module.exports = require(${index}).Producer;`,
  'lib/producer/high-level-producer.js': `module.exports = require(${index}).HighLevelProducer;`,
  'lib/producer-stream.js': `module.exports = require(${index}).ProducerStream;`,
  'lib/error.js': `module.exports = require(${index}).LibrdKafkaError;`,
};
const UNIT = ['producer.spec.js', 'producer/high-level-producer.spec.js', 'producer-stream.spec.js', 'error.spec.js'];
const E2E = ['producer.spec.js'];

function mocha(args, env = {}) {
  const program = path.join(dir, 'node_modules', 'mocha', 'bin', 'mocha.js');
  const child = spawn(process.execPath, [program, '--exit', '--timeout', '30000', ...args], {
    cwd: dir, stdio: 'inherit', env: { ...process.env, ...env },
  });
  return new Promise((resolve) => child.on('close', resolve));
}

async function main() {
  for (const [file, text] of Object.entries(SHIMS)) {
    fs.mkdirSync(path.dirname(path.join(dir, file)), { recursive: true });
    fs.writeFileSync(path.join(dir, file), `${text}\n`);
  }
  for (const folder of ['test', 'e2e']) fs.cpSync(path.join(peer, folder), path.join(dir, folder), { recursive: true });
  const cluster = native.mock(1);
  const unit = await mocha(['--ui', 'exports', ...UNIT.map((f) => path.join('test', f))]);
  const e2e = await mocha(E2E.map((f) => path.join('e2e', f)), { KAFKA_HOST: cluster.bootstraps() });
  cluster.close();
  process.exitCode = unit || e2e;
}

main();
