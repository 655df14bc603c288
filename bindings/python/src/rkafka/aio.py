"""A producer for asyncio: the loop watches the producer's event descriptor, so no thread waits for reports."""

from __future__ import annotations

import asyncio
import inspect
import threading
from functools import partial
from typing import Any, Callable, Dict, Optional, Sequence, Union

from ._core import Message
from ._model import ClusterMetadata, ConsumerGroupMetadata, TopicPartition
from ._producer import Producer
from ._types import Data, Headers
from .error import KafkaError, KafkaException

_CALLBACKS = ("error_cb", "stats_cb", "throttle_cb", "on_delivery")


class AIOProducer:
    """``message = await (await producer.produce(topic, value))``: produce waits for a place in the queue and returns a
    future of the report.

    To be made, used and closed within a running event loop. ``conf`` is that of Producer; its callbacks run on the loop,
    and may be coroutine functions. The other arguments are those of ``confluent_kafka.aio.AIOProducer``; messages are
    batched by the library, so they are not used.
    """

    def __init__(
        self,
        producer_conf: Dict[str, Any],
        max_workers: int = 4,
        executor: Any = None,
        batch_size: int = 1000,
        buffer_timeout: float = 1.0,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._executor = executor
        self._closed = False
        self._space: Optional[asyncio.Event] = None
        conf = dict(producer_conf)
        for name in _CALLBACKS:
            if conf.get(name) is not None:
                conf[name] = partial(self._on_loop, conf[name])
        self._producer = Producer(conf)
        self._fd = self._producer.event_fd()
        self._loop.add_reader(self._fd, self._serve)

    # ---- reports ----

    def _serve(self) -> None:
        try:
            self._producer.poll(0)
        except Exception as e:
            self._loop.call_exception_handler({"message": "Exception in a producer callback", "exception": e})
        if self._space is not None:
            self._space.set()

    def _on_loop(self, callback: Callable[..., Any], *args: Any) -> None:
        """Runs a callback of the application on the loop, wherever it is served: flush serves on another thread."""
        if threading.get_ident() != self._thread:
            self._loop.call_soon_threadsafe(partial(self._on_loop, callback, *args))
            return
        result = callback(*args)
        if inspect.isawaitable(result):
            asyncio.ensure_future(result)

    def _deliver(self, future: "asyncio.Future[Message]", error: Optional[KafkaError], message: Message) -> None:
        if threading.get_ident() != self._thread:
            self._loop.call_soon_threadsafe(self._deliver, future, error, message)
        elif future.done():
            pass  # cancelled: the message is on its way all the same
        elif error is None:
            future.set_result(message)
        else:
            future.set_exception(KafkaException(error))

    # ---- producing ----

    async def produce(
        self,
        topic: str,
        value: Optional[Data] = None,
        key: Optional[Data] = None,
        partition: int = -1,
        timestamp: int = 0,
        headers: Optional[Headers] = None,
    ) -> "asyncio.Future[Message]":
        """Queues a message, waiting while the queue is full; the future is its Message, or raises KafkaException."""
        future: "asyncio.Future[Message]" = self._loop.create_future()
        report = partial(self._deliver, future)
        while True:
            try:
                self._producer.produce(topic, value, key, partition, report, None, timestamp, headers)
                return future
            except BufferError:
                await self._wait_for_space()

    async def _wait_for_space(self) -> None:
        if self._space is None:
            self._space = asyncio.Event()
        self._space.clear()
        try:
            # Space may come without an event, when another thread has served it.
            await asyncio.wait_for(self._space.wait(), 0.1)
        except asyncio.TimeoutError:
            pass

    async def _call(self, function: Callable[..., Any], *args: Any) -> Any:
        """On a thread, since it waits."""
        return await self._loop.run_in_executor(self._executor, partial(function, *args))

    async def poll(self, timeout: float = 0) -> int:
        """Serves reports; the loop does so by itself."""
        return int(self._producer.poll(0) if timeout == 0 else await self._call(self._producer.poll, timeout))

    async def flush(self, timeout: float = -1) -> int:
        """Waits until every message is delivered or has failed, and its future is done; returns how many are left."""
        left = await self._call(self._producer.flush, timeout)
        # What was served on the other thread is in the loop's queue, before this.
        await asyncio.sleep(0)
        return int(left)

    async def purge(self, in_queue: bool = True, in_flight: bool = True, blocking: bool = True) -> None:
        await self._call(self._producer.purge, in_queue, in_flight, blocking)

    async def list_topics(self, topic: Optional[str] = None, timeout: float = -1) -> ClusterMetadata:
        metadata: ClusterMetadata = await self._call(self._producer.list_topics, topic, timeout)
        return metadata

    async def set_sasl_credentials(self, username: str, password: str) -> None:
        self._producer.set_sasl_credentials(username, password)

    # ---- transactions ----

    async def init_transactions(self, timeout: float = -1) -> None:
        await self._call(self._producer.init_transactions, timeout)

    async def begin_transaction(self) -> None:
        self._producer.begin_transaction()

    async def send_offsets_to_transaction(
        self,
        positions: Sequence[TopicPartition],
        group_metadata: Union[ConsumerGroupMetadata, bytes],
        timeout: float = -1,
    ) -> None:
        await self._call(self._producer.send_offsets_to_transaction, positions, group_metadata, timeout)

    async def commit_transaction(self, timeout: float = -1) -> None:
        await self._call(self._producer.commit_transaction, timeout)

    async def abort_transaction(self, timeout: float = -1) -> None:
        await self._call(self._producer.abort_transaction, timeout)

    # ---- the end ----

    def __len__(self) -> int:
        return len(self._producer)

    def __bool__(self) -> bool:
        return True

    async def close(self) -> None:
        """Flushes and ends the producer."""
        if self._closed:
            return
        self._closed = True
        await self.flush()
        self._loop.remove_reader(self._fd)
        await self._call(self._producer.close)
        await asyncio.sleep(0)

    async def __aenter__(self) -> AIOProducer:
        return self

    async def __aexit__(self, *exception: Any) -> None:
        await self.close()
