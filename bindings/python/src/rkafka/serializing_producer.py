"""A producer that serializes keys and values."""

from __future__ import annotations

from typing import Any, Dict, Optional

from ._producer import Producer
from ._types import DeliveryCallback, Headers
from .error import KeySerializationError, ValueSerializationError
from .serialization import MessageField, SerializationContext


class SerializingProducer(Producer):
    """A Producer with two properties more: ``key.serializer`` and ``value.serializer``, callables that take an object and
    a SerializationContext and return bytes. Note that ``key`` comes before ``value`` here, as in confluent_kafka.
    """

    def __init__(self, conf: Dict[str, Any], **kwargs: Any) -> None:
        conf = {**conf, **kwargs}
        self._key_serializer = conf.pop("key.serializer", None)
        self._value_serializer = conf.pop("value.serializer", None)
        super().__init__(conf)

    def produce(  # type: ignore[override]
        self,
        topic: str,
        key: Any = None,
        value: Any = None,
        partition: int = -1,
        on_delivery: Optional[DeliveryCallback] = None,
        timestamp: int = 0,
        headers: Optional[Headers] = None,
    ) -> None:
        """KeySerializationError or ValueSerializationError if a serializer fails; otherwise as Producer.produce."""
        ctx = SerializationContext(topic, MessageField.KEY, headers)
        if self._key_serializer is not None:
            try:
                key = self._key_serializer(key, ctx)
            except Exception as e:
                raise KeySerializationError(e) from e
        ctx.field = MessageField.VALUE
        if self._value_serializer is not None:
            try:
                value = self._value_serializer(value, ctx)
            except Exception as e:
                raise ValueSerializationError(e) from e
        # A serializer may have set headers.
        super().produce(topic, value, key, partition, on_delivery, None, timestamp, ctx.headers)
