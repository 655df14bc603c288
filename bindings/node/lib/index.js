'use strict';

const native = require('./native');
const LibrdKafkaError = require('./error');
const Producer = require('./producer');
const HighLevelProducer = require('./high-level-producer');
const ProducerStream = require('./producer-stream');
const Topic = require('./topic');
const kafkajs = require('./kafkajs');
const { ProducerMetrics, METRIC_NAMES } = require('./metrics');
const { openTelemetryInterceptor } = require('./opentelemetry');

/** node-rdkafka's classes can be called without new; a class of today cannot, so a proxy does it. */
const callable = (type) => new Proxy(type, { apply: (target, self, args) => new target(...args) });

module.exports = {
  Producer: callable(Producer),
  HighLevelProducer: callable(HighLevelProducer),
  ProducerStream,
  createWriteStream: Producer.createWriteStream,
  Topic,
  LibrdKafkaError,
  CODES: { ERRORS: LibrdKafkaError.codes },
  // The property's default lists what the library was built with.
  features: (native.defaults()[native.defaults().indexOf('builtin.features') + 1] || '').split(','),
  librdkafkaVersion: native.version,
  ProducerMetrics,
  METRIC_NAMES,
  openTelemetryInterceptor,
  // The promise API.
  ...kafkajs,
};
