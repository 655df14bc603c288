"""Interceptors: what is to happen to every message as it is sent and when its report comes.

    producer = InterceptingProducer({..., "interceptors": [OpenTelemetryInterceptor()]})
"""

from __future__ import annotations

import importlib
import logging
from typing import Any, Dict, List, Optional, Tuple, Union

from ._core import Message
from ._producer import Producer
from ._types import Data, DeliveryCallback
from .error import KafkaError

_log = logging.getLogger(__name__)

HeaderList = List[Tuple[str, Union[str, bytes, None]]]


class Record:
    """A message that is about to be sent; interceptors may change it. ``headers`` is a list of its own."""

    __slots__ = ("topic", "value", "key", "partition", "timestamp", "headers", "context")

    def __init__(
        self,
        topic: str,
        value: Optional[Data],
        key: Optional[Data],
        partition: int,
        timestamp: int,
        headers: HeaderList,
    ) -> None:
        self.topic = topic
        self.value = value
        self.key = key
        self.partition = partition
        self.timestamp = timestamp
        self.headers = headers
        #: For interceptors to keep what they want until on_acknowledgement; one entry each, by interceptor.
        self.context: Dict[Any, Any] = {}


class ProducerInterceptor:
    """To be derived from. As with Kafka's Java interceptors, exceptions are logged and go no further."""

    def on_send(self, record: Record) -> None:
        """Within produce(), on its thread, before the message is queued."""

    def on_acknowledgement(self, record: Record, error: Optional[KafkaError], message: Optional[Message]) -> None:
        """When the report comes, before the message's callback; ``message`` is None if produce() itself failed."""


class InterceptingProducer(Producer):
    """A Producer with the property ``interceptors``: a list of ProducerInterceptor, called in order."""

    def __init__(self, conf: Dict[str, Any], **kwargs: Any) -> None:
        conf = {**conf, **kwargs}
        self._interceptors: List[ProducerInterceptor] = list(conf.pop("interceptors", ()))
        self._default = conf.get("on_delivery")
        super().__init__(conf)

    def produce(
        self,
        topic: str,
        value: Optional[Data] = None,
        key: Optional[Data] = None,
        partition: int = -1,
        callback: Optional[DeliveryCallback] = None,
        on_delivery: Optional[DeliveryCallback] = None,
        timestamp: int = 0,
        headers: Any = None,
    ) -> None:
        pairs = list(headers.items()) if isinstance(headers, dict) else list(headers or ())
        record = Record(topic, value, key, partition, timestamp, pairs)
        self._each("on_send", record)
        then = callback or on_delivery or self._default

        def report(error: Optional[KafkaError], message: Message) -> None:
            self._each("on_acknowledgement", record, error, message)
            if then is not None:
                then(error, message)

        try:
            super().produce(record.topic, record.value, record.key, record.partition, report, None, record.timestamp,
                            record.headers)
        except Exception as e:
            cause = e.args[0] if e.args and isinstance(e.args[0], KafkaError) else KafkaError(KafkaError._FAIL, str(e))
            if isinstance(e, BufferError):
                cause = KafkaError(KafkaError._QUEUE_FULL)
            self._each("on_acknowledgement", record, cause, None)
            raise

    def produce_batch(self, topic: str, messages: List[Dict[str, Any]], partition: int = -1,
                      callback: Optional[DeliveryCallback] = None,
                      on_delivery: Optional[DeliveryCallback] = None) -> int:
        """Message by message, since interceptors see each."""
        accepted = 0
        for m in messages:
            try:
                self.produce(topic, m.get("value"), m.get("key"), m.get("partition", partition),
                             m.get("callback") or callback or on_delivery, None, m.get("timestamp") or 0,
                             m.get("headers"))
                accepted += 1
            except BufferError:
                m["_error"] = KafkaError(KafkaError._QUEUE_FULL)
        return accepted

    def _each(self, method: str, record: Record, *args: Any) -> None:
        for interceptor in self._interceptors:
            try:
                getattr(interceptor, method)(record, *args)
            except Exception:
                _log.exception("%s of %r failed", method, interceptor)


class OpenTelemetryInterceptor(ProducerInterceptor):
    """A producer span per message, its context in the message's headers (W3C ``traceparent``, or what is configured).

    Needs the package opentelemetry-api. ``tracer`` and ``propagator`` are the global ones unless given.
    """

    def __init__(self, tracer: Any = None, propagator: Any = None) -> None:
        # Not among this package's dependencies.
        propagate = importlib.import_module("opentelemetry.propagate")
        trace = importlib.import_module("opentelemetry.trace")
        self._trace = trace
        self._tracer = tracer or trace.get_tracer("rkafka")
        self._propagator = propagator or propagate.get_global_textmap()

    def on_send(self, record: Record) -> None:
        attributes: Dict[str, Any] = {
            "messaging.system": "kafka",
            "messaging.operation.type": "send",
            "messaging.destination.name": record.topic,
        }
        if record.key is not None and isinstance(record.key, str):
            attributes["messaging.kafka.message.key"] = record.key
        span = self._tracer.start_span(f"send {record.topic}", kind=self._trace.SpanKind.PRODUCER, attributes=attributes)
        carrier: Dict[str, str] = {}
        self._propagator.inject(carrier, context=self._trace.set_span_in_context(span))
        record.headers.extend(carrier.items())
        record.context[self] = span

    def on_acknowledgement(self, record: Record, error: Optional[KafkaError], message: Optional[Message]) -> None:
        span = record.context.pop(self, None)
        if span is None:
            return
        if error is not None:
            span.set_status(self._trace.Status(self._trace.StatusCode.ERROR, error.str()))
            span.set_attribute("error.type", error.name())
        elif message is not None:
            span.set_attribute("messaging.destination.partition.id", str(message.partition()))
            offset = message.offset()
            if offset is not None:
                span.set_attribute("messaging.kafka.offset", offset)
        span.end()
