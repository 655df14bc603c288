'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { spawnSync } = require('node:child_process');
const { Producer, HighLevelProducer, Kafka, logLevel, CODES } = require('..');
const { cluster, atEnd, connected, call, eventually } = require('./helpers');

const { ERRORS } = CODES;
const plain = (mock, password) => ({
  'metadata.broker.list': mock.bootstraps(), 'security.protocol': 'sasl_plaintext', 'sasl.mechanisms': 'PLAIN',
  'sasl.username': 'user', 'sasl.password': password,
});

function secured(t, mechanism) {
  const mock = cluster(t, { topics: { t: 1 } });
  mock.setSasl(mechanism);
  mock.setUser('user', 'secret');
  return mock;
}

/** A token without a signature, as the embedded broker takes it. */
function token() {
  const part = (object) => Buffer.from(JSON.stringify(object)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  return `${part({ alg: 'none' })}.${part({ sub: 'user', iat: now, exp: now + 3600 })}.`;
}

test('a wrong password is an error that says so; setSaslCredentials replaces it', async (t) => {
  const mock = secured(t, 'PLAIN');
  const producer = new Producer(plain(mock, 'wrong'));
  const failed = new Promise((resolve) => producer.on('event.error', (err) => err.code === ERRORS.ERR__AUTHENTICATION && resolve(err)));
  const connecting = call(producer, 'connect', { timeout: 20000 });
  assert.match((await failed).message, /[Aa]uthentication/);
  producer.setSaslCredentials('user', 'secret');
  await connecting;
  atEnd(t, () => call(producer, 'disconnect'));
  producer.produce('t', 0, Buffer.from('x'));
  await call(producer, 'flush', 20000);
  assert.throws(() => producer.setSaslCredentials('user'), (e) => e.code === ERRORS.ERR__INVALID_ARG);
  assert.strictEqual(mock.endOffset('t', 0), 1);
});

for (const mechanism of ['plain', 'scram-sha-256', 'scram-sha-512']) {
  test(`KafkaJS's sasl: ${mechanism}`, async (t) => {
    const mock = secured(t, mechanism.toUpperCase());
    const sasl = { mechanism, username: 'user', password: 'secret' };
    const producer = new Kafka({ brokers: [mock.bootstraps()], sasl, logLevel: logLevel.NOTHING }).producer();
    atEnd(t, () => producer.disconnect());
    await producer.connect();
    await producer.send({ topic: 't', messages: [{ value: 'x' }] });
  });
}

test('OAUTHBEARER: setOauthBearerToken, and KafkaJS\'s oauthBearerProvider', async (t) => {
  const mock = secured(t, 'OAUTHBEARER');
  const producer = new HighLevelProducer({
    'metadata.broker.list': mock.bootstraps(), 'security.protocol': 'sasl_plaintext', 'sasl.mechanisms': 'OAUTHBEARER',
  });
  assert.throws(() => producer.setOauthBearerToken(''), /undefined\/empty or not a string/);
  assert.throws(() => producer.setOauthBearerToken(5), /undefined\/empty or not a string/);
  producer.setOauthBearerToken(token());
  await connected(t, producer, { timeout: 20000 });
  await producer.produce('t', 0, Buffer.from('x'), null, null);
  let asked = 0;
  const oauthBearerProvider = async () => {
    asked++;
    return { value: token() };
  };
  const kafka = new Kafka({ brokers: [mock.bootstraps()], sasl: { mechanism: 'oauthbearer', oauthBearerProvider }, logLevel: logLevel.NOTHING });
  const other = kafka.producer();
  atEnd(t, () => other.disconnect());
  await other.connect();
  await other.send({ topic: 't', messages: [{ value: 'x' }] });
  await eventually(() => asked === 1);
});

const openssl = spawnSync('openssl', ['version']).status === 0;

test('TLS: ssl with a CA, and without verification', { skip: !openssl && 'openssl is not installed' }, async (t) => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'rkafka-tls-'));
  t.after(() => fs.rmSync(dir, { recursive: true }));
  const [key, certificate] = ['key.pem', 'certificate.pem'].map((f) => path.join(dir, f));
  const made = spawnSync('openssl', [
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key, '-out', certificate,
    '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost',
    '-addext', 'basicConstraints=critical,CA:FALSE',
  ], { encoding: 'utf8' });
  assert.strictEqual(made.status, 0, made.stderr);
  const mock = cluster(t, { topics: { t: 1 } });
  mock.setTls(fs.readFileSync(certificate, 'utf8'), fs.readFileSync(key, 'utf8'));
  const kafka = (ssl) => new Kafka({ brokers: [mock.bootstraps()], ssl, connectTimeout: 20000, logLevel: logLevel.NOTHING });
  for (const ssl of [{ ca: [fs.readFileSync(certificate)] }, { rejectUnauthorized: false }]) {
    const producer = kafka(ssl).producer();
    atEnd(t, () => producer.disconnect());
    await producer.connect();
    await producer.send({ topic: 't', messages: [{ value: 'x' }] });
  }
  const distrusts = new Kafka({ brokers: [mock.bootstraps()], ssl: true, connectTimeout: 1000, logLevel: logLevel.NOTHING });
  await assert.rejects(distrusts.producer().connect());
});
