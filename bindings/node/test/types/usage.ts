// Compiled, not run: what programs write must have the types they expect, and mistakes must not compile.

import {
  CODES, CompressionTypes, createWriteStream, features, HighLevelProducer, Kafka, KafkaJSError, LibrdKafkaError,
  librdkafkaVersion, logLevel, Metadata, openTelemetryInterceptor, Partitioners, Producer, ProducerMetrics, Topic,
} from 'rkafka';
import { Kafka as KafkaJS, Producer as KafkaJSProducer, ProducerConfig, RecordMetadata } from 'rkafka/kafkajs';

const version: string = librdkafkaVersion;
const list: string[] = features;
const full: number = CODES.ERRORS.ERR__QUEUE_FULL;
const name: string = Topic('name');

const producer = new Producer({ 'metadata.broker.list': 'x:1', dr_cb: true, 'linger.ms': 5, 'compression.codec': 'lz4' }, { acks: -1 });
producer.connect({ timeout: 100 }, (err: LibrdKafkaError | null, data: Metadata) => {
  if (err) throw err;
  const ids: number[] = data.topics.flatMap((t) => t.partitions.map((p) => p.id));
  ids.pop();
});
producer.on('ready', (info, metadata) => [info.name.length, metadata.brokers[0].port]);
producer.on('delivery-report', (err, report) => {
  const code: number | undefined = err?.code;
  const key: Buffer | null = report.key;
  return [code, key, report.offset.toFixed(), report.opaque];
});
producer.on('event.throttle', (event) => event.throttleTime + event.brokerId);
producer.on('event.log', (event) => event.fac + event.severity);
producer.produce('t', null, Buffer.from('x'), 'key', Date.now(), { any: 1 }, [{ header: 'value' }, { other: Buffer.from('y') }]);
producer.setPollInBackground(true).poll().flush(500, (err) => err?.message);
producer.commitTransaction(1000, () => {});
producer.sendOffsetsToTransaction([{ topic: 't', partition: 0, offset: 1 }], { groupMetadata: () => ({ groupId: 'g' }) }, () => {});
// @ts-expect-error a value is a Buffer or null
producer.produce('t', null, 'text');
// @ts-expect-error no such event
producer.on('no.such.event', () => {});
// @ts-expect-error no such codec
new Producer({ 'compression.codec': 'zip' });
// @ts-expect-error a number
new Producer({ 'linger.ms': 'soon' });
// @ts-expect-error a configuration is needed
new Producer();

const high = new HighLevelProducer({ 'bootstrap.servers': 'x:1' });
high.setValueSerializer((value: { id: number }) => Buffer.from(JSON.stringify(value)));
high.setKeySerializer((key, cb) => cb(null, String(key)));
high.produce('t', null, { id: 1 }, 1, null, (err, offset) => [err, offset]);
const promise: Promise<number | null> = high.produce('t', null, { id: 1 }, 1, null);

const stream = createWriteStream({ 'bootstrap.servers': 'x:1' }, {}, { topic: 't', highWaterMark: 100 });
stream.write(Buffer.from('x'));
stream.producer.isConnected();

async function promises() {
  const kafka = new Kafka({
    brokers: ['x:1'],
    clientId: 'app',
    ssl: { ca: ['pem'], rejectUnauthorized: true },
    sasl: { mechanism: 'scram-sha-256', username: 'u', password: 'p' },
    logLevel: logLevel.WARN,
    logCreator: () => ({ label, log }) => console.log(label, log.message),
    config: { 'linger.ms': 1 },
  });
  const p = kafka.producer({ idempotent: true, createPartitioner: Partitioners.DefaultPartitioner, transactionalId: 'x' });
  const remove: () => void = p.on(p.events.REQUEST, ({ payload }) => payload.apiName + payload.duration);
  remove();
  await p.connect();
  const [{ topicName, partition, baseOffset }] = await p.send({
    topic: 't', acks: -1, compression: CompressionTypes.GZIP, messages: [{ key: 'k', value: 'v', headers: { a: ['b', Buffer.from('c')] } }],
  });
  await p.sendBatch({ topicMessages: [{ topic: 't', messages: [{ value: null }] }] });
  const transaction = await p.transaction();
  await transaction.sendOffsets({ consumerGroupId: 'g', topics: [{ topic: 't', partitions: [{ partition: 0, offset: '1' }] }] });
  await transaction.commit();
  // @ts-expect-error a message has a value
  await p.send({ topic: 't', messages: [{ key: 'k' }] });
  // @ts-expect-error no such mechanism
  new Kafka({ brokers: [], sasl: { mechanism: 'magic', username: 'u', password: 'p' } });
  return [topicName, partition, baseOffset];
}

const settings: ProducerConfig = { idempotent: true };
const other: KafkaJSProducer = new KafkaJS({ brokers: ['x:1'] }).producer(settings);
const sent: Promise<RecordMetadata[]> = other.send({ topic: 't', messages: [] });

const metrics = new ProducerMetrics(producer);
const rate: number | undefined = metrics.snapshot()?.['record-send-rate'];
// @ts-expect-error no such metric
metrics.snapshot()?.['no-such-metric'];

declare const api: Parameters<typeof openTelemetryInterceptor>[0];
new Producer({ interceptors: [openTelemetryInterceptor(api), { onSend: (record) => ({ ...record, topic: 'u' }) }] });

promises().catch((e: KafkaJSError) => [e.retriable, e.type, version, list, full, name, promise, rate, sent]);
