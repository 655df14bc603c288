'use strict';

// The span that ends with a record's report travels with the record, also through interceptors that copy it.
const SPAN = Symbol('rkafka.span');

const SPAN_KIND_PRODUCER = 3;
const STATUS_ERROR = 2;

/** Headers are [name, value] pairs; a name that is set replaces what it had. */
const setter = {
  set(headers, name, value) {
    const at = headers.findIndex(([n]) => n === name);
    if (at >= 0) headers[at] = [name, value];
    else headers.push([name, value]);
  },
};

/**
 * An interceptor that carries OpenTelemetry's context in message headers (traceparent, tracestate, baggage: whatever the
 * program's propagator writes), and with a tracer makes a producer span of each message, from produce to its report.
 *
 * @param {object} api the program's `@opentelemetry/api`: propagation, context, trace
 * @param {{ tracer?: object }} [options] `tracer`: `trace.getTracer(...)`; without one the active context is passed on
 */
function openTelemetryInterceptor({ propagation, context, trace }, { tracer } = {}) {
  return {
    onSend(record) {
      let active = context.active();
      if (tracer) {
        const attributes = {
          'messaging.system': 'kafka',
          'messaging.operation.type': 'send',
          'messaging.destination.name': record.topic,
        };
        if (typeof record.key === 'string') attributes['messaging.kafka.message.key'] = record.key;
        const span = tracer.startSpan(`send ${record.topic}`, { kind: SPAN_KIND_PRODUCER, attributes }, active);
        record[SPAN] = span;
        active = trace.setSpan(active, span);
      }
      propagation.inject(active, record.headers, setter);
      return record;
    },

    onAcknowledgement(metadata, err, record) {
      const span = record[SPAN];
      if (!span) return;
      if (metadata.partition >= 0) span.setAttribute('messaging.destination.partition.id', String(metadata.partition));
      if (metadata.offset !== null) span.setAttribute('messaging.kafka.offset', metadata.offset);
      if (err) {
        span.recordException(err);
        span.setStatus({ code: STATUS_ERROR, message: err.message });
      }
      span.end();
    },
  };
}

module.exports = { openTelemetryInterceptor };
