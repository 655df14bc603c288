"""Not run: a program that mypy must find right."""

from typing import List, Optional

from rkafka import ConsumerGroupMetadata, KafkaError, KafkaException, Message, Producer, TopicPartition


def on_delivery(error: Optional[KafkaError], message: Message) -> None:
    value: Optional[bytes] = message.value()
    print(error.str() if error else value, message.timestamp()[0])


def choose(topic: str, key: Optional[bytes], count: int) -> int:
    return 0


def main() -> int:
    with Producer({"bootstrap.servers": "localhost", "partitioner": choose, "error_cb": print}) as producer:
        producer.produce("topic", "value", key=b"key", on_delivery=on_delivery, headers=[("a", None)])
        producer.produce("topic", memoryview(b"value"), headers={"a": "b"}, timestamp=1, callback=on_delivery)
        count: int = producer.produce_batch("topic", [{"value": b"x"}])
        producer.begin_transaction()
        producer.send_offsets_to_transaction([TopicPartition("t", 0, 5)], ConsumerGroupMetadata("group"), timeout=1.5)
        try:
            producer.commit_transaction(10)
        except KafkaException as e:
            if e.args[0].code() == KafkaError._TIMED_OUT:
                producer.abort_transaction()
        brokers: List[int] = list(producer.list_topics(timeout=1).brokers)
        return count + producer.flush(1.0) + len(producer) + len(brokers)
