'use strict';

// The package as a whole: what it exports, its types, and that it installs without a network or a compiler.

const { test } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { spawnSync } = require('node:child_process');
const rkafka = require('..');

const ROOT = path.join(__dirname, '..');
const TSC = path.join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');

function run(command, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', ...options });
  if (error) throw error;
  assert.strictEqual(status, 0, `${command} ${args.join(' ')}\n${stdout}${stderr}`);
  return stdout;
}

test('features, versions, error codes', () => {
  assert.ok(rkafka.features.includes('lz4') && rkafka.features.includes('ssl'));
  assert.match(rkafka.librdkafkaVersion, /^\d+\.\d+\.\d+/);
  assert.strictEqual(rkafka.Topic('name'), 'name');
  const { ERRORS } = rkafka.CODES;
  assert.strictEqual(ERRORS.ERR__QUEUE_FULL, -184);
  assert.strictEqual(ERRORS.ERR_NO_ERROR, 0);
  assert.strictEqual(ERRORS.ERR_UNKNOWN, -1);
  assert.strictEqual(ERRORS.ERR_REBOOTSTRAP_REQUIRED, 129);
  assert.deepStrictEqual([ERRORS.ERR__BEGIN, ERRORS.ERR__END], [-200, -100]);
  assert.ok(Object.keys(ERRORS).every((name) => /^ERR_[A-Z0-9_]+$/.test(name)));
});

test('LibrdKafkaError: of a code, of an object, of another Error', () => {
  const { LibrdKafkaError } = rkafka;
  const e = new LibrdKafkaError(-184);
  assert.ok(e instanceof Error && e instanceof LibrdKafkaError);
  assert.deepStrictEqual([e.message, e.code, e.errno, e.origin, e.name], ['Local: Queue full', -184, -184, 'local', 'LibrdKafkaError']);
  assert.match(e.stack, /package\.test\.js/);
  assert.strictEqual(LibrdKafkaError.create(10).origin, 'kafka');
  const flags = LibrdKafkaError({ message: 'm', code: -144, isFatal: true, isRetriable: false, isTxnRequiresAbort: false });
  assert.deepStrictEqual([flags.message, flags.code, flags.isFatal, flags.isRetriable, flags.isTxnRequiresAbort], ['m', -144, true, false, false]);
  const foreign = LibrdKafkaError.create(new Error('Local: broker: gone'));
  assert.deepStrictEqual([foreign.origin, foreign.message, foreign.code], ['local', 'broker: gone', -1]);
  assert.strictEqual(LibrdKafkaError.create(new Error('plain')).origin, 'unknown');
  assert.throws(() => LibrdKafkaError.wrap(-184), LibrdKafkaError);
  assert.strictEqual(LibrdKafkaError.wrap(0), true);
});

test('every export has a type, every property and error code too', () => {
  const text = fs.readdirSync(path.join(ROOT, 'types')).map((f) => fs.readFileSync(path.join(ROOT, 'types', f), 'utf8')).join('\n');
  for (const name of Object.keys(rkafka)) {
    assert.match(text, new RegExp(`export (declare )?(abstract )?(class|const|function|enum) ${name}\\b`), name);
  }
  for (const name of Object.keys(rkafka.CODES.ERRORS)) assert.ok(text.includes(`  ${name}: number;`), name);
  assert.match(text, /'linger\.ms'\?: number \| undefined;/);
  assert.match(text, /'compression\.codec'\?: 'none' \| 'gzip' \| /);
  assert.match(text, /'enable\.idempotence'\?: boolean \| undefined;/);
  assert.ok(text.match(/^ {2}'[a-z0-9._]+'\?: .+ \| undefined;$/gm).length > 100);
});

test('programs compile against the types, and mistakes do not', { skip: !fs.existsSync(TSC) && 'typescript is not installed' }, () => {
  run(process.execPath, [TSC, '-p', path.join(__dirname, 'types', 'tsconfig.json')]);
});

test('the package installs offline and brings its library', { skip: !process.env.PACKAGE && 'run by make test-node' }, (t) => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'rkafka-package-'));
  t.after(() => fs.rmSync(dir, { recursive: true }));
  fs.writeFileSync(path.join(dir, 'package.json'), '{"private":true}');
  const env = { PATH: process.env.PATH, HOME: dir, npm_config_offline: 'true', npm_config_cache: path.join(dir, 'cache'), CC: 'false' };
  run(process.env.NPM || 'npm', ['install', '--no-audit', '--no-fund', process.env.PACKAGE], { cwd: dir, env });
  const program = `
    const { HighLevelProducer } = require('rkafka');
    const producer = new HighLevelProducer({ 'test.mock.num.brokers': 1 });
    producer.connect({}, async (err) => {
      if (err) throw err;
      console.log(await producer.produce('t', null, Buffer.from('x'), null, null));
      console.log(require('fs').readFileSync('/proc/self/maps', 'utf8').match(/\\S+librkafka\\S+/)[0]);
      if (typeof require('rkafka/kafkajs').Kafka !== 'function') throw new Error('no KafkaJS');
      producer.disconnect();
    });`;
  const [offset, library] = run(process.execPath, ['-e', program], { cwd: dir, env }).split('\n');
  assert.strictEqual(offset, '0');
  assert.strictEqual(path.dirname(path.dirname(path.dirname(library))), fs.realpathSync(path.join(dir, 'node_modules', 'rkafka')));
});
