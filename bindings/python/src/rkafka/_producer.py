"""The producer: the extension's, with a configuration as Python programs write it."""

from __future__ import annotations

import atexit
import logging
import platform
from functools import partial
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

from . import _core
from ._model import ClusterMetadata, ConsumerGroupMetadata, ThrottleEvent, TopicPartition
from .error import KafkaError, KafkaException, _make

_log = logging.getLogger("rkafka")

_core._setup(_make, KafkaException, ThrottleEvent)
atexit.register(_core._stop_partitioners)

_CALLABLES = ("on_delivery", "error_cb", "stats_cb", "throttle_cb", "oauth_cb")


def _configuration(args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Dict[str, Any]:
    if len(args) > 1:
        raise TypeError("expected tuple containing single dict")
    if args and not isinstance(args[0], dict):
        raise TypeError("expected configuration dict")
    if not args and not kwargs:
        raise TypeError("expected configuration dict")
    conf = {**(args[0] if args else {}), **kwargs}
    conf.update(conf.pop("default.topic.config", None) or {})
    return conf


def _log_error(logger: Any, error: KafkaError) -> None:
    logger.error("%s: %s", error.name(), error.str())


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return value.decode()
    return str(value)


class Producer(_core.Producer):
    """A Kafka producer with the interface of ``confluent_kafka.Producer``.

    ``Producer(conf, logger=None, **more)``: properties are those of CONFIGURATION.md; the callables ``error_cb(error)``,
    ``stats_cb(json)``, ``throttle_cb(event)``, ``oauth_cb(config)``, ``on_delivery(error, message)`` and
    ``partitioner(topic, key, partition_count) -> int`` may be among them. All are called by ``poll``, ``flush`` and
    ``close`` on the calling thread, but for the partitioner, which any thread may call.

    Any thread may call any method at any time.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        conf = _configuration(args, kwargs)
        callbacks: Dict[str, Any] = {}
        for name in _CALLABLES:
            callback = conf.pop(name, None)
            if callback is None:
                continue
            if not callable(callback):
                raise TypeError(f"expected {name} property as a callable function")
            callbacks[name] = callback
        if callable(conf.get("partitioner")):
            callbacks["partitioner"] = conf.pop("partitioner")
        logger = conf.pop("logger", None)
        if logger is not None:
            callbacks["logger"] = logger
        # Fatal errors are raised in any case; the others are logged where nobody asks for them.
        callbacks.setdefault("error_cb", partial(_log_error, logger or _log))
        # Reports of delivered messages must come back in any case, to free what belongs to them.
        only_errors = _value(conf.pop("delivery.report.only.error", False)).lower() in ("true", "t", "1")
        properties: List[Tuple[str, str]] = [
            ("client.software.name", "rkafka-python"),
            ("client.software.version", f"{_core.libversion()[0]}-python-{platform.python_version()}"),
        ]
        properties += [(str(k), _value(v)) for k, v in conf.items() if v is not None]
        super().__init__(properties, callbacks, only_errors)

    def list_topics(self, topic: Optional[str] = None, timeout: float = -1) -> ClusterMetadata:
        """The cluster's brokers and topics, or one topic. Waits at most ``timeout`` seconds."""
        return ClusterMetadata(self._metadata(topic, timeout))

    def send_offsets_to_transaction(
        self,
        positions: Sequence[TopicPartition],
        group_metadata: Union[ConsumerGroupMetadata, bytes],
        timeout: float = -1,
    ) -> None:
        """Adds a consumer's offsets to the transaction. ``group_metadata`` may be that of a ``confluent_kafka.Consumer``."""
        if isinstance(group_metadata, (bytes, bytearray)):
            group_metadata = ConsumerGroupMetadata.from_bytes(bytes(group_metadata))
        if not isinstance(group_metadata, ConsumerGroupMetadata):
            raise TypeError("group_metadata must be a ConsumerGroupMetadata, or bytes of a consumer's")
        offsets = [
            (p.topic, p.partition, p.offset, p.metadata, -1 if p.leader_epoch is None else p.leader_epoch)
            for p in positions
        ]
        self._send_offsets(offsets, group_metadata._tuple(), timeout)

    def __enter__(self) -> Producer:
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()
