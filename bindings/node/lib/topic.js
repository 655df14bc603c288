'use strict';

const PARTITION_UA = -1;

/** Returns the topic's name; what node-rdkafka programs call for one. */
function Topic(name) {
  return name;
}

Topic.PARTITION_UA = PARTITION_UA;
Topic.OFFSET_BEGINNING = -2;
Topic.OFFSET_END = -1;
Topic.OFFSET_STORED = -1000;
Topic.OFFSET_INVALID = -1001;

module.exports = Topic;
