'use strict';

// KafkaJS's options as properties of the library. What is not given keeps the library's default.

const { KafkaJSNonRetriableError } = require('./errors');
const { DefaultPartitioner } = require('./partitioners');

const CompressionTypes = { None: 0, GZIP: 1, Snappy: 2, LZ4: 3, ZSTD: 4 };
const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];
const STATISTICS_MS = 1000;

const pem = (value) => (Array.isArray(value) ? value.map(String).join('\n') : String(value));

function sslConf(ssl, conf) {
  if (!ssl || ssl === true) return;
  if (ssl.ca) conf['ssl.ca.pem'] = pem(ssl.ca);
  if (ssl.cert) conf['ssl.certificate.pem'] = pem(ssl.cert);
  if (ssl.key) conf['ssl.key.pem'] = pem(ssl.key);
  if (ssl.passphrase) conf['ssl.key.password'] = ssl.passphrase;
  if (ssl.rejectUnauthorized === false) conf['enable.ssl.certificate.verification'] = false;
}

function saslConf(sasl, conf) {
  if (!sasl) return;
  const mechanism = String(sasl.mechanism).toUpperCase();
  if (!['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'].includes(mechanism)) {
    throw new KafkaJSNonRetriableError(`SASL mechanism ${sasl.mechanism} is not supported`);
  }
  conf['sasl.mechanisms'] = mechanism;
  if (sasl.username !== undefined) conf['sasl.username'] = sasl.username;
  if (sasl.password !== undefined) conf['sasl.password'] = sasl.password;
}

/** Of `new Kafka(options)`, with its brokers. */
function clientConf(options, brokers) {
  const { clientId, ssl, sasl } = options;
  const conf = {
    'bootstrap.servers': brokers.join(','),
    'security.protocol': `${sasl ? 'sasl_' : ''}${ssl ? 'ssl' : 'plaintext'}`,
    // A send is waited for, so nothing is gained by waiting for more; messages of one call go together all the same.
    'linger.ms': 0,
    'statistics.interval.ms': STATISTICS_MS,
  };
  if (clientId !== undefined) conf['client.id'] = clientId;
  if (options.connectionTimeout) conf['socket.connection.setup.timeout.ms'] = options.connectionTimeout;
  if (options.requestTimeout) conf['socket.timeout.ms'] = options.requestTimeout;
  sslConf(ssl, conf);
  saslConf(sasl, conf);
  return conf;
}

/** Of `kafka.producer(options)`. */
function producerConf(options, retry) {
  const conf = { 'allow.auto.create.topics': options.allowAutoTopicCreation !== false };
  if (options.metadataMaxAge) conf['metadata.max.age.ms'] = options.metadataMaxAge;
  if (options.maxInFlightRequests) conf['max.in.flight'] = options.maxInFlightRequests;
  if (options.idempotent) conf['enable.idempotence'] = true;
  if (options.transactionalId) conf['transactional.id'] = options.transactionalId;
  if (options.transactionTimeout) conf['transaction.timeout.ms'] = options.transactionTimeout;
  if (!options.createPartitioner || options.createPartitioner === DefaultPartitioner) conf.partitioner = 'murmur2_random';
  const { retries, initialRetryTime, maxRetryTime } = { ...retry, ...options.retry };
  if (retries !== undefined) conf['message.send.max.retries'] = retries;
  if (initialRetryTime) conf['retry.backoff.ms'] = initialRetryTime;
  if (maxRetryTime || initialRetryTime) conf['retry.backoff.max.ms'] = Math.max(maxRetryTime || 1000, initialRetryTime || 0);
  return conf;
}

/** What a send asks for that is a property of the client as a whole. */
function sendConf({ acks, compression, timeout }) {
  const conf = { acks, 'compression.type': CODECS[compression] };
  if (timeout !== undefined) conf['request.timeout.ms'] = timeout;
  return conf;
}

module.exports = { CompressionTypes, clientConf, producerConf, sendConf };
