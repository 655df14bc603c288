'use strict';

const errors = require('./errors');
const { CompressionTypes } = require('./conf');
const { LEVELS, createLogger } = require('./logger');
const { DefaultPartitioner, JavaCompatiblePartitioner } = require('./partitioners');
const { Producer } = require('./producer');

/** KafkaJS's entry: what producers have in common. */
class Kafka {
  /**
   * @param {object} options clientId, brokers (an array, or a function that returns one), ssl, sasl, connectionTimeout,
   *   requestTimeout, retry, logLevel, logCreator; and `config`: the library's properties, which win
   */
  constructor(options) {
    if (options === null || typeof options !== 'object') throw new errors.KafkaJSNonRetriableError('Options required');
    this.options = options;
    this.log = createLogger({ level: options.logLevel, logCreator: options.logCreator });
  }

  logger() {
    return this.log;
  }

  producer(options) {
    return new Producer(this, options);
  }
}

const { errorOf, ...exported } = errors;

module.exports = {
  Kafka,
  CompressionTypes,
  logLevel: LEVELS,
  Partitioners: { DefaultPartitioner, JavaCompatiblePartitioner },
  ...exported,
};
