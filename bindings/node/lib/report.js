'use strict';

// Plain objects, as node-rdkafka's; written as two literals so that each kind has one shape and is quick to make.

/** What a delivery-report tells of the message being served; `value` only with `dr_msg_cb`. */
function makeReport(link) {
  if (link.values) {
    return {
      topic: link.topic,
      partition: link.partition,
      offset: link.offset,
      key: link.key,
      timestamp: link.timestamp,
      value: link.value,
      size: link.size,
    };
  }
  return {
    topic: link.topic,
    partition: link.partition,
    offset: link.offset,
    key: link.key,
    timestamp: link.timestamp,
    size: link.size,
  };
}

module.exports = makeReport;
