/// <reference types="node" />

import { EventEmitter } from 'events';
import { Writable, WritableOptions } from 'stream';
import { GlobalProperties, TopicProperties } from './config';
import { ErrorCodes } from './errors';
import { Interceptor } from './monitoring';

export * from './config';
export * from './errors';
export * from './kafkajs';
export * from './monitoring';

// ---- node-rdkafka's API ----

/** An error of the library. */
export class LibrdKafkaError extends Error {
  constructor(e: number | { message: string; code?: number });
  /** The number in CODES.ERRORS. */
  code: number;
  errno: number;
  /** Who said so: "local" is the library, "kafka" a broker. */
  origin: 'local' | 'kafka' | 'unknown' | string;
  isFatal?: boolean;
  isRetriable?: boolean;
  isTxnRequiresAbort?: boolean;
  static codes: ErrorCodes;
  static create(e: number | { message: string; code?: number }): LibrdKafkaError;
}

export const CODES: { ERRORS: ErrorCodes };

export interface ReadyInfo {
  name: string;
}

export interface ClientMetrics {
  /** Milliseconds since the epoch. */
  connectionOpened: number;
}

export interface MetadataOptions {
  /** Only of this topic. */
  topic?: string;
  /** Of all topics (default), or of those in use. */
  allTopics?: boolean;
  /** Milliseconds; default 30000. */
  timeout?: number;
}

export interface BrokerMetadata {
  id: number;
  host: string;
  port: number;
  rack?: string;
}

export interface PartitionMetadata {
  id: number;
  leader: number;
  replicas: number[];
  isrs: number[];
}

export interface TopicMetadata {
  name: string;
  error?: Error & { code: number };
  partitions: PartitionMetadata[];
}

export interface Metadata {
  orig_broker_id: number;
  orig_broker_name: string;
  cluster_id: string | null;
  controller_id: number;
  topics: TopicMetadata[];
  brokers: BrokerMetadata[];
}

export interface TopicPartition {
  topic: string;
  partition: number;
}

export interface TopicPartitionOffset extends TopicPartition {
  offset: number;
  metadata?: string | null;
}

export type NumberNullUndefined = number | null | undefined;
export type MessageKey = Buffer | string | null | undefined;
export type MessageValue = Buffer | null;
/** One entry: the header's name and value. */
export type MessageHeader = { [name: string]: string | Buffer | number | null };

export interface DeliveryReport extends TopicPartition {
  /** Negative if there is none. */
  offset: number;
  key: Buffer | null;
  timestamp: number;
  /** Bytes of the value. */
  size: number;
  /** With `dr_msg_cb` alone. */
  value?: Buffer | null;
  /** What it was produced with. */
  opaque?: any;
}

export type DeliveryCallback = (err: LibrdKafkaError | null, report: DeliveryReport) => void;

export interface ProducerCallbacks {
  /** Have delivery reports emitted; a function is a listener of them. */
  dr_cb?: boolean | DeliveryCallback;
  /** The same, with the messages' values. */
  dr_msg_cb?: boolean | DeliveryCallback;
  /** False: no events but delivery reports. */
  event_cb?: boolean;
  /** Partition of messages for which produce is given none. */
  partition?: number;
  topic?: string;
  interceptors?: Interceptor[];
}

export interface ProducerGlobalConfig extends GlobalProperties, Omit<TopicProperties, keyof GlobalProperties>, ProducerCallbacks {}
export interface ProducerTopicConfig extends TopicProperties {}
export type GlobalConfig = GlobalProperties;
export type TopicConfig = TopicProperties;

export interface LogEvent {
  /** Syslog's level: 0 emergency to 7 debug. */
  severity: number;
  fac: string;
  message: string;
}

export interface ThrottleEvent {
  message: string;
  throttleTime: number;
  brokerName: string;
  brokerId: number;
}

export interface StatsEvent {
  /** JSON. */
  message: string;
}

export interface ProducerEvents {
  ready: (info: ReadyInfo, metadata: Metadata) => void;
  disconnected: (metrics: ClientMetrics) => void;
  'connection.failure': (error: LibrdKafkaError, metrics: ClientMetrics) => void;
  'event.error': (error: LibrdKafkaError) => void;
  'event.stats': (event: StatsEvent) => void;
  'event.log': (event: LogEvent) => void;
  'event.throttle': (event: ThrottleEvent) => void;
  'event.event': (event: any) => void;
  'delivery-report': DeliveryCallback;
}

export type ErrorCallback = (err: LibrdKafkaError | null) => void;

export abstract class Client extends EventEmitter {
  connect(metadataOptions?: MetadataOptions, cb?: (err: LibrdKafkaError | null, metadata: Metadata) => void): this;
  connect(cb: (err: LibrdKafkaError | null, metadata: Metadata) => void): this;
  disconnect(cb?: (err: null, metrics: ClientMetrics) => void): this;
  disconnect(timeout: NumberNullUndefined, cb?: (err: null, metrics: ClientMetrics) => void): this;
  getMetadata(options?: MetadataOptions, cb?: (err: LibrdKafkaError | Error | null, metadata: Metadata) => void): void;
  setOauthBearerToken(token: string): this;
  /** From the next authentication on. */
  setSaslCredentials(username: string, password: string): this;
  isConnected(): boolean;
  /** Milliseconds. */
  connectedTime(): number;
  getLastError(): LibrdKafkaError | null;
  getClient(): unknown;

  on<E extends keyof ProducerEvents>(event: E, listener: ProducerEvents[E]): this;
  once<E extends keyof ProducerEvents>(event: E, listener: ProducerEvents[E]): this;
  off<E extends keyof ProducerEvents>(event: E, listener: ProducerEvents[E]): this;
  removeListener<E extends keyof ProducerEvents>(event: E, listener: ProducerEvents[E]): this;
}

/** Who a consumer is, or only in which group. */
export type ConsumerGroup =
  | string
  | { groupId: string; generationId?: number; memberId?: string; groupInstanceId?: string | null }
  | { groupMetadata(): { groupId: string; generationId?: number; memberId?: string; groupInstanceId?: string | null } };

export class Producer extends Client {
  constructor(conf: ProducerGlobalConfig, topicConf?: ProducerTopicConfig);

  /**
   * Puts a message in the queue, without waiting.
   *
   * @throws LibrdKafkaError with code ERR__QUEUE_FULL if reports must be served first
   */
  produce(
    topic: string,
    partition: NumberNullUndefined,
    message: MessageValue,
    key?: MessageKey | number,
    timestamp?: NumberNullUndefined,
    opaque?: any,
    headers?: MessageHeader[] | null,
  ): any;

  poll(): this;
  /** Milliseconds; 0 ends it. */
  setPollInterval(interval: number): this | undefined;
  /** Have reports and events served as they come. */
  setPollInBackground(on: boolean): this;
  /** Milliseconds; default 500. */
  flush(timeout?: NumberNullUndefined, cb?: ErrorCallback): this;
  flush(cb: ErrorCallback): this;
  /** 1: those that wait; 2: those in flight; 3, the default: both. */
  purge(flags?: number): this;
  /** Messages without a report yet, and other events that wait. */
  readonly outstanding: number;

  initTransactions(cb: ErrorCallback): this;
  initTransactions(timeout: NumberNullUndefined, cb: ErrorCallback): this;
  beginTransaction(cb: ErrorCallback): this;
  commitTransaction(cb: ErrorCallback): this;
  commitTransaction(timeout: NumberNullUndefined, cb: ErrorCallback): this;
  abortTransaction(cb: ErrorCallback): this;
  abortTransaction(timeout: NumberNullUndefined, cb: ErrorCallback): this;
  sendOffsetsToTransaction(offsets: TopicPartitionOffset[], consumer: ConsumerGroup, cb: ErrorCallback): this;
  sendOffsetsToTransaction(offsets: TopicPartitionOffset[], consumer: ConsumerGroup, timeout: NumberNullUndefined, cb: ErrorCallback): this;

  static createWriteStream(conf: ProducerGlobalConfig, topicConf: ProducerTopicConfig, streamOptions: WriteStreamOptions | string): ProducerStream;
}

export type Serializer<V> =
  | ((value: any) => V | Promise<V>)
  | ((value: any, cb: (err: any, value?: V) => void) => void);

export type OffsetCallback = (err: any, offset?: NumberNullUndefined) => void;

// Its produce has other arguments than Producer's, so it is not declared as a subclass of it, which it is.
export interface HighLevelProducer extends Omit<Producer, 'produce'> {
  produce(topic: string, partition: NumberNullUndefined, message: any, key: any, timestamp: NumberNullUndefined, callback: OffsetCallback): void;
  produce(topic: string, partition: NumberNullUndefined, message: any, key: any, timestamp: NumberNullUndefined, headers: MessageHeader[] | null | undefined, callback: OffsetCallback): void;
  produce(topic: string, partition: NumberNullUndefined, message: any, key?: any, timestamp?: NumberNullUndefined, headers?: MessageHeader[] | null): Promise<number | null>;
  setKeySerializer(serializer: Serializer<MessageKey>): void;
  setValueSerializer(serializer: Serializer<MessageValue>): void;
}
export const HighLevelProducer: {
  new (conf: ProducerGlobalConfig, topicConf?: ProducerTopicConfig): HighLevelProducer;
};

export interface WriteStreamOptions extends WritableOptions {
  /** Needed unless objectMode is on. */
  topic?: string;
  autoClose?: boolean;
  /** Milliseconds; default 1000. */
  pollInterval?: number;
  connectOptions?: MetadataOptions;
  encoding?: BufferEncoding;
}

/** What a stream in objectMode takes. */
export interface StreamMessage {
  topic?: string;
  partition?: NumberNullUndefined;
  value: MessageValue;
  key?: MessageKey;
  timestamp?: NumberNullUndefined;
  opaque?: any;
  headers?: MessageHeader[];
}

export class ProducerStream extends Writable {
  constructor(producer: Producer, options: WriteStreamOptions | string);
  producer: Producer;
  connect(options?: MetadataOptions): void;
  close(cb?: () => void): this;
}

export function createWriteStream(conf: ProducerGlobalConfig, topicConf: ProducerTopicConfig, streamOptions: WriteStreamOptions | string): ProducerStream;

export interface Topic {
  (name: string): string;
  PARTITION_UA: number;
  OFFSET_BEGINNING: number;
  OFFSET_END: number;
  OFFSET_STORED: number;
  OFFSET_INVALID: number;
}
export const Topic: Topic;

export const features: string[];
export const librdkafkaVersion: string;
