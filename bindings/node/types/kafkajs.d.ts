/// <reference types="node" />

// KafkaJS's API.

import { GlobalProperties, TopicProperties } from './config';
import { Interceptor } from './monitoring';

export type Properties = GlobalProperties & Omit<TopicProperties, keyof GlobalProperties>;

export interface SSLOptions {
  ca?: string | Buffer | Array<string | Buffer>;
  cert?: string | Buffer;
  key?: string | Buffer;
  passphrase?: string;
  rejectUnauthorized?: boolean;
}

export interface OauthbearerProviderResponse {
  value: string;
  /** Milliseconds since the epoch; default in an hour. */
  lifetime?: number;
  principal?: string;
}

export type SASLOptions =
  | { mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'; username: string; password: string }
  | { mechanism: 'oauthbearer'; oauthBearerProvider: () => Promise<OauthbearerProviderResponse> };

export interface RetryOptions {
  retries?: number;
  /** Milliseconds. */
  initialRetryTime?: number;
  /** Milliseconds. */
  maxRetryTime?: number;
}

export enum logLevel {
  NOTHING = 0,
  ERROR = 1,
  WARN = 2,
  INFO = 4,
  DEBUG = 5,
}

export interface LogEntry {
  namespace: string;
  level: logLevel;
  label: string;
  log: { timestamp: string; message: string; [extra: string]: any };
}

export type logCreator = (level: logLevel) => (entry: LogEntry) => void;

export interface Logger {
  info(message: string, extra?: object): void;
  error(message: string, extra?: object): void;
  warn(message: string, extra?: object): void;
  debug(message: string, extra?: object): void;
  namespace(name: string, level?: logLevel): Logger;
  setLogLevel(level: logLevel): void;
}

export interface KafkaConfig {
  brokers: string[] | (() => string[] | Promise<string[]>);
  clientId?: string;
  ssl?: boolean | SSLOptions;
  sasl?: SASLOptions;
  /** Milliseconds for a connection and its security to be set up. */
  connectionTimeout?: number;
  /** Milliseconds for connect() as a whole; default 30000. */
  connectTimeout?: number;
  /** Milliseconds. */
  requestTimeout?: number;
  retry?: RetryOptions;
  logLevel?: logLevel;
  logCreator?: logCreator;
  /** Properties of the library, which win over what the other options come to. */
  config?: Properties;
}

export enum CompressionTypes {
  None = 0,
  GZIP = 1,
  Snappy = 2,
  LZ4 = 3,
  ZSTD = 4,
}

export interface IHeaders {
  [name: string]: Buffer | string | Array<Buffer | string> | undefined;
}

export interface Message {
  key?: Buffer | string | null;
  value: Buffer | string | null;
  partition?: number;
  headers?: IHeaders;
  /** Milliseconds since the epoch. */
  timestamp?: string;
}

export interface PartitionerMetadata {
  partitionId: number;
  leader: number;
  replicas: number[];
  isr: number[];
  offlineReplicas: number[];
  partitionErrorCode: number;
}

export interface PartitionerArgs {
  topic: string;
  partitionMetadata: PartitionerMetadata[];
  message: Message;
}

export type ICustomPartitioner = () => (args: PartitionerArgs) => number;

export const Partitioners: {
  DefaultPartitioner: ICustomPartitioner;
  JavaCompatiblePartitioner: ICustomPartitioner;
};

export interface ProducerConfig {
  createPartitioner?: ICustomPartitioner;
  retry?: RetryOptions;
  /** Milliseconds. */
  metadataMaxAge?: number;
  allowAutoTopicCreation?: boolean;
  idempotent?: boolean;
  transactionalId?: string;
  /** Milliseconds. */
  transactionTimeout?: number;
  maxInFlightRequests?: number;
  /** Codec of sends that name none. */
  compression?: CompressionTypes;
  /** Milliseconds that disconnect() may take to deliver; default 30000. */
  disconnectTimeout?: number;
  interceptors?: Interceptor[];
  /** Properties of the library, which win over what the other options come to. */
  config?: Properties;
}

export interface TopicMessages {
  topic: string;
  messages: Message[];
}

export interface SendOptions {
  /** -1 all replicas in sync, 1 the leader, 0 nobody. */
  acks?: number;
  /** Milliseconds that brokers may wait for acknowledgements. */
  timeout?: number;
  compression?: CompressionTypes;
}

export interface ProducerRecord extends TopicMessages, SendOptions {}

export interface ProducerBatch extends SendOptions {
  topicMessages?: TopicMessages[];
}

export interface RecordMetadata {
  topicName: string;
  partition: number;
  errorCode: number;
  /** Offset of the first of the call's messages in this partition. */
  baseOffset?: string;
  logAppendTime?: string;
  logStartOffset?: string;
}

export interface Sender {
  send(record: ProducerRecord): Promise<RecordMetadata[]>;
  sendBatch(batch: ProducerBatch): Promise<RecordMetadata[]>;
}

export interface Offsets {
  topics: Array<{ topic: string; partitions: Array<{ partition: number; offset: string; metadata?: string | null }> }>;
}

export interface Transaction extends Sender {
  sendOffsets(offsets: Offsets & { consumerGroupId: string; generationId?: number; memberId?: string; groupInstanceId?: string }): Promise<void>;
  commit(): Promise<void>;
  abort(): Promise<void>;
  isActive(): boolean;
}

export interface InstrumentationEvent<T> {
  id: number;
  type: string;
  timestamp: number;
  payload: T;
}

export interface ProducerEventNames {
  CONNECT: 'producer.connect';
  DISCONNECT: 'producer.disconnect';
  REQUEST: 'producer.network.request';
  REQUEST_TIMEOUT: 'producer.network.request_timeout';
  REQUEST_QUEUE_SIZE: 'producer.network.request_queue_size';
  STATISTICS: 'producer.statistics';
  THROTTLE: 'producer.throttle';
  ERROR: 'producer.error';
}

export interface InstrumentationPayloads {
  'producer.connect': {};
  'producer.disconnect': {};
  /** What was asked of a broker since the last statistics. */
  'producer.network.request': { broker: string; clientId?: string; apiName: string; count: number; duration: number };
  'producer.network.request_timeout': { broker: string; clientId?: string; count: number };
  'producer.network.request_queue_size': { broker: string; clientId?: string; queueSize: number };
  'producer.statistics': any;
  'producer.throttle': { broker: string; brokerId: number; throttleTime: number };
  'producer.error': KafkaJSError;
}

export interface KafkaProducer extends Sender {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  isIdempotent(): boolean;
  transaction(): Promise<Transaction>;
  readonly events: ProducerEventNames;
  on<E extends keyof InstrumentationPayloads>(
    event: E,
    listener: (event: InstrumentationEvent<InstrumentationPayloads[E]>) => void,
  ): () => void;
  logger(): Logger;
}

export class Kafka {
  constructor(config: KafkaConfig);
  producer(config?: ProducerConfig): KafkaProducer;
  logger(): Logger;
}

export class KafkaJSError extends Error {
  constructor(e: Error | string, options?: { retriable?: boolean });
  readonly retriable: boolean;
  /** The number in CODES.ERRORS, where there is one. */
  readonly code?: number;
  /** Its name. */
  readonly type?: string;
  readonly isFatal?: boolean;
  readonly isTxnRequiresAbort?: boolean;
}
export class KafkaJSNonRetriableError extends KafkaJSError {
  constructor(e: Error | string);
}
export class KafkaJSProtocolError extends KafkaJSNonRetriableError {}
export class KafkaJSConnectionError extends KafkaJSError {}
export class KafkaJSRequestTimeoutError extends KafkaJSError {}
