'use strict';

// KafkaJS's API by itself: what was require('kafkajs') becomes require('rkafka/kafkajs').

module.exports = require('./lib/kafkajs');
