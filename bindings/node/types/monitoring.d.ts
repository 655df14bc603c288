/// <reference types="node" />

// Interceptors, OpenTelemetry, metrics.

/** A message on its way, as interceptors see it. They may change it. */
export interface InterceptedRecord {
  topic: string;
  /** -1: not chosen yet. */
  partition: number;
  key: Buffer | string | null | undefined;
  value: Buffer | string | null;
  /** Milliseconds since the epoch; 0 is now. */
  timestamp: number;
  headers: Array<[name: string, value: Buffer | string | null | undefined]>;
}

export interface AcknowledgedMetadata {
  topic: string;
  partition: number;
  offset: number | null;
  timestamp: number;
  size: number;
}

export interface Interceptor {
  /** Before a message is queued; what it returns, if anything, is sent instead. */
  onSend?(record: InterceptedRecord): InterceptedRecord | void;
  /** When it is delivered, has failed, or could not be queued. */
  onAcknowledgement?(metadata: AcknowledgedMetadata, err: Error | null, record: InterceptedRecord): void;
}

/** What is used of `@opentelemetry/api`. */
export interface OpenTelemetryApi {
  propagation: { inject(context: any, carrier: any, setter: any): void };
  context: { active(): any };
  trace: { setSpan(context: any, span: any): any };
}

/** Carries the active context in headers; with a tracer also makes a span of each message. */
export function openTelemetryInterceptor(
  api: OpenTelemetryApi,
  options?: { tracer?: { startSpan(name: string, options?: any, context?: any): any } },
): Interceptor;

/** Java's names, as in `kafka.producer:type=producer-metrics`. */
export type MetricName =
  | 'record-send-rate'
  | 'record-retry-rate'
  | 'record-error-rate'
  | 'byte-rate'
  | 'outgoing-byte-rate'
  | 'request-rate'
  | 'request-latency-avg'
  | 'request-latency-max'
  | 'record-queue-time-avg'
  | 'produce-throttle-time-avg'
  | 'records-per-request-avg'
  | 'batch-size-avg'
  | 'compression-rate-avg'
  | 'requests-in-flight'
  | 'buffer-total-bytes'
  | 'buffer-available-bytes'
  | 'connection-count';

export const METRIC_NAMES: MetricName[];

/** Metrics of a producer of either API, from its statistics. */
export class ProducerMetrics {
  constructor(producer: { on(event: any, listener: any): any });
  update(statistics: object): void;
  /** Null before the first statistics. */
  snapshot(): Record<MetricName, number> | null;
  /** Prometheus's text format. */
  prometheus(labels?: Record<string, string>): string;
  /** No longer listens to the producer. */
  end(): void;
}
