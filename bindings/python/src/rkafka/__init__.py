"""A Kafka producer with the interface of confluent_kafka, upon librkafka."""

from typing import Tuple

from . import _core
from ._core import Message, conf_check
from ._model import (
    OFFSET_BEGINNING,
    OFFSET_END,
    OFFSET_INVALID,
    OFFSET_STORED,
    TIMESTAMP_CREATE_TIME,
    TIMESTAMP_LOG_APPEND_TIME,
    TIMESTAMP_NOT_AVAILABLE,
    BrokerMetadata,
    ClusterMetadata,
    ConsumerGroupMetadata,
    PartitionMetadata,
    ThrottleEvent,
    TopicMetadata,
    TopicPartition,
)
from ._producer import Producer
from .error import KafkaError, KafkaException
from .serializing_producer import SerializingProducer

__all__ = [
    "Producer",
    "SerializingProducer",
    "Message",
    "KafkaError",
    "KafkaException",
    "TopicPartition",
    "ConsumerGroupMetadata",
    "ThrottleEvent",
    "ClusterMetadata",
    "BrokerMetadata",
    "TopicMetadata",
    "PartitionMetadata",
    "OFFSET_BEGINNING",
    "OFFSET_END",
    "OFFSET_INVALID",
    "OFFSET_STORED",
    "TIMESTAMP_CREATE_TIME",
    "TIMESTAMP_LOG_APPEND_TIME",
    "TIMESTAMP_NOT_AVAILABLE",
    "conf_check",
    "version",
    "libversion",
]


def version() -> str:
    """The version of this package, which is the library's."""
    return _core.libversion()[0]


def libversion() -> Tuple[str, int]:
    """The library's version as a str and as an int (0xMMmmpp00)."""
    return _core.libversion()


__version__ = version()
