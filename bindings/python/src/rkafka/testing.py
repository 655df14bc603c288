"""An embedded Kafka cluster for tests of programs that produce: real protocol on loopback, in this process."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from typing import Any, Dict, Optional, Sequence

from . import _core
from .error import KafkaError, KafkaException

_library: Optional[ctypes.CDLL] = None


def _lib() -> ctypes.CDLL:
    """The library that the extension has loaded already."""
    global _library
    if _library is None:
        name = "librkafka.1.dylib" if sys.platform == "darwin" else "librkafka.so.1"
        lib = ctypes.CDLL(str(Path(_core.__file__).with_name(name)))
        lib.rk_mock_cluster_new.restype = ctypes.c_void_p
        lib.rk_mock_cluster_bootstraps.restype = ctypes.c_char_p
        lib.rk_mock_partition_end_offset.restype = ctypes.c_int64
        lib.rk_mock_request_cnt.restype = ctypes.c_uint64
        _library = lib
    return _library


def _check(code: int) -> None:
    if code:
        raise KafkaException(KafkaError(code))


class MockCluster:
    """Brokers 1 to n. Topics come to be when they are first used, with four partitions.

    Broker -1 stands for all brokers. A context manager; ``close()`` ends it.
    """

    def __init__(self, brokers: int = 1) -> None:
        text = ctypes.create_string_buffer(512)
        handle = _lib().rk_mock_cluster_new(brokers, text, ctypes.c_size_t(len(text)))
        if not handle:
            raise KafkaException(KafkaError(KafkaError._FAIL, text.value.decode()))
        self._handle: Optional[ctypes.c_void_p] = ctypes.c_void_p(handle)

    @property
    def bootstrap_servers(self) -> str:
        """What to set ``bootstrap.servers`` to."""
        return str(_lib().rk_mock_cluster_bootstraps(self._handle).decode())

    def create_topic(self, topic: str, partitions: int = -1, replicas: int = -1) -> None:
        _check(_lib().rk_mock_topic_create(self._handle, topic.encode(), partitions, replicas))

    def set_leader(self, topic: str, partition: int, broker: int) -> None:
        _check(_lib().rk_mock_partition_set_leader(self._handle, topic.encode(), partition, broker))

    def end_offset(self, topic: str, partition: int) -> int:
        """How many messages the partition has had."""
        offset = int(_lib().rk_mock_partition_end_offset(self._handle, topic.encode(), ctypes.c_int32(partition)))
        _check(min(offset, 0))
        return offset

    def down(self, broker: int = -1) -> None:
        """Cuts the broker's connections and refuses new ones."""
        _check(_lib().rk_mock_broker_set_down(self._handle, broker))

    def up(self, broker: int = -1) -> None:
        _check(_lib().rk_mock_broker_set_up(self._handle, broker))

    def delay(self, milliseconds: int, broker: int = -1) -> None:
        """Delays every answer; 0 ends it."""
        _check(_lib().rk_mock_broker_set_rtt(self._handle, broker, milliseconds))

    def freeze(self, frozen: bool, broker: int = -1) -> None:
        """Lets the broker read and answer nothing, with its connections open."""
        _check(_lib().rk_mock_broker_set_frozen(self._handle, broker, int(frozen)))

    def push_errors(self, api_key: int, errors: Sequence[int]) -> None:
        """The next requests of an API (0 is Produce, 3 Metadata) are answered with these errors, one each."""
        array = (ctypes.c_int * len(errors))(*errors)
        _check(_lib().rk_mock_push_request_errors(self._handle, ctypes.c_int16(api_key), array, ctypes.c_size_t(len(errors))))

    def throttle(self, milliseconds: int, api_key: int = 0) -> None:
        """Answers say that the client is throttled; 0 ends it."""
        _lib().rk_mock_throttle(self._handle, ctypes.c_int16(api_key), milliseconds)

    def require_sasl(self, mechanisms: str, users: Dict[str, str]) -> None:
        """New connections must authenticate by one of the mechanisms (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512)."""
        _check(_lib().rk_mock_set_sasl(self._handle, mechanisms.encode(), ctypes.c_int64(0)))
        for name, password in users.items():
            _check(_lib().rk_mock_set_user(self._handle, name.encode(), password.encode()))

    def request_count(self, api_key: int) -> int:
        return int(_lib().rk_mock_request_cnt(self._handle, ctypes.c_int16(api_key)))

    def close(self) -> None:
        if self._handle is not None:
            _lib().rk_mock_cluster_destroy(self._handle)
            self._handle = None

    def __enter__(self) -> MockCluster:
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()
