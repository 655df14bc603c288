"""What the producer takes and gives beside messages: partitions, metadata, groups, throttling."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

from .error import KafkaError

OFFSET_BEGINNING = -2
OFFSET_END = -1
OFFSET_STORED = -1000
OFFSET_INVALID = -1001
TIMESTAMP_NOT_AVAILABLE = 0
TIMESTAMP_CREATE_TIME = 1
TIMESTAMP_LOG_APPEND_TIME = 2


class ThrottleEvent:
    """A broker asked the client to hold back; what ``throttle_cb`` is given. ``throttle_time`` is in seconds."""

    def __init__(self, broker_name: str, broker_id: int, throttle_time: float) -> None:
        self.broker_name = broker_name
        self.broker_id = broker_id
        self.throttle_time = throttle_time

    def __str__(self) -> str:
        return f"{self.broker_name}/{self.broker_id} throttled for {int(self.throttle_time * 1000)} ms"


class TopicPartition:
    """A partition with an offset, compared by topic and partition alone."""

    __slots__ = ("topic", "partition", "offset", "metadata", "leader_epoch", "error", "__dict__")

    def __init__(
        self,
        topic: str,
        partition: int = -1,
        offset: int = OFFSET_INVALID,
        metadata: Optional[str] = None,
        leader_epoch: Optional[int] = None,
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.metadata = metadata
        self.leader_epoch = leader_epoch
        self.error: Optional[KafkaError] = None

    def _key(self) -> Tuple[str, int]:
        return (self.topic, self.partition)

    def __repr__(self) -> str:
        return (
            f"TopicPartition{{topic={self.topic},partition={self.partition},offset={self.offset},"
            f"leader_epoch={self.leader_epoch},error={self.error}}}"
        )

    __str__ = __repr__

    def __hash__(self) -> int:
        return hash(self._key())

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, TopicPartition) else NotImplemented

    def __lt__(self, other: TopicPartition) -> bool:
        return self._key() < other._key() if isinstance(other, TopicPartition) else NotImplemented

    def __le__(self, other: TopicPartition) -> bool:
        return self._key() <= other._key() if isinstance(other, TopicPartition) else NotImplemented

    def __gt__(self, other: TopicPartition) -> bool:
        return self._key() > other._key() if isinstance(other, TopicPartition) else NotImplemented

    def __ge__(self, other: TopicPartition) -> bool:
        return self._key() >= other._key() if isinstance(other, TopicPartition) else NotImplemented


class ConsumerGroupMetadata:
    """Who a consumer is in its group, for ``send_offsets_to_transaction``."""

    def __init__(
        self,
        group_id: str,
        generation_id: int = -1,
        member_id: str = "",
        group_instance_id: Optional[str] = None,
    ) -> None:
        self.group_id = group_id
        self.generation_id = generation_id
        self.member_id = member_id
        self.group_instance_id = group_instance_id

    @classmethod
    def from_bytes(cls, data: bytes) -> ConsumerGroupMetadata:
        """From what ``confluent_kafka.Consumer.consumer_group_metadata()`` returns: the way librdkafka writes it."""
        magic = b"CGMDv2:"
        if not data.startswith(magic) or len(data) < len(magic) + 4:
            raise ValueError("not consumer group metadata as written by librdkafka")
        generation = int.from_bytes(data[len(magic) : len(magic) + 4], "little", signed=True)
        parts = data[len(magic) + 4 :].split(b"\0", 2)
        if len(parts) != 3 or not parts[2]:
            raise ValueError("consumer group metadata is cut off")
        is_null, instance = parts[2][0], parts[2][1:].rstrip(b"\0")
        return cls(
            parts[0].decode(), generation, parts[1].decode(), None if is_null else instance.decode()
        )

    def _tuple(self) -> Tuple[str, int, str, Optional[str]]:
        return (self.group_id, self.generation_id, self.member_id, self.group_instance_id)

    def __repr__(self) -> str:
        return f"ConsumerGroupMetadata{self._tuple()}"


def _error(code: int) -> Optional[KafkaError]:
    return KafkaError(code) if code else None


class BrokerMetadata:
    """A broker: ``id``, ``host``, ``port``, ``rack``."""

    def __init__(self, id: int, host: str, port: int, rack: Optional[str] = None) -> None:
        self.id = id
        self.host = host
        self.port = port
        self.rack = rack

    def __str__(self) -> str:
        return f"{self.host}:{self.port}/{self.id}"

    def __repr__(self) -> str:
        return f"BrokerMetadata({self.id}, {self.host}:{self.port})"


class PartitionMetadata:
    """A partition: ``id``, ``leader``, ``leader_epoch``, ``replicas``, ``isrs``, ``error``."""

    def __init__(self, fields: Tuple[int, int, int, int, List[int], List[int]]) -> None:
        self.id, code, self.leader, self.leader_epoch, self.replicas, self.isrs = fields
        self.error = _error(code)

    def __str__(self) -> str:
        return str(self.id)

    def __repr__(self) -> str:
        return f"PartitionMetadata({self.id})"


class TopicMetadata:
    """A topic: ``topic``, ``partitions`` by number, ``error``."""

    def __init__(self, fields: Tuple[str, int, List[Any]]) -> None:
        self.topic, code, partitions = fields
        self.partitions: Dict[int, PartitionMetadata] = {p[0]: PartitionMetadata(p) for p in partitions}
        self.error = _error(code)

    def __str__(self) -> str:
        return self.topic

    def __len__(self) -> int:
        return len(self.partitions)

    def __repr__(self) -> str:
        return f"TopicMetadata({self.topic}, {len(self.partitions)} partitions)"


class ClusterMetadata:
    """A cluster: ``cluster_id``, ``controller_id``, ``brokers`` by id, ``topics`` by name, and who said so."""

    def __init__(self, fields: Tuple[Any, ...]) -> None:
        self.cluster_id: Optional[str] = fields[0]
        self.controller_id: int = fields[1]
        self.orig_broker_id: int = fields[2]
        self.orig_broker_name: Optional[str] = fields[3]
        self.brokers: Dict[int, BrokerMetadata] = {b[0]: BrokerMetadata(*b) for b in fields[4]}
        self.topics: Dict[str, TopicMetadata] = {t[0]: TopicMetadata(t) for t in fields[5]}

    def __str__(self) -> str:
        return str(self.cluster_id)

    def __repr__(self) -> str:
        return f"ClusterMetadata({self.cluster_id})"
