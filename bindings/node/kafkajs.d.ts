// KafkaJS's API by itself, where Producer is KafkaJS's.

export * from './types/kafkajs';
export { KafkaProducer as Producer } from './types/kafkajs';
