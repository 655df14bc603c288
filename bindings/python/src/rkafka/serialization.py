"""Serializers: from Python's objects to the bytes of keys and values, and back."""

from __future__ import annotations

import json
import struct
from enum import Enum
from typing import Any, Callable, Optional

from .error import SerializationError

__all__ = [
    "Deserializer",
    "DoubleDeserializer",
    "DoubleSerializer",
    "IntegerDeserializer",
    "IntegerSerializer",
    "JSONDeserializer",
    "JSONSerializer",
    "MessageField",
    "SerializationContext",
    "SerializationError",
    "Serializer",
    "StringDeserializer",
    "StringSerializer",
]


class MessageField(str, Enum):
    """Which part of a message is being serialized."""

    NONE = "none"
    KEY = "key"
    VALUE = "value"

    def __str__(self) -> str:
        return str(self.value)


class SerializationContext:
    """Where the bytes will be: the topic, the part of the message, and the message's headers."""

    def __init__(self, topic: str, field: MessageField, headers: Any = None) -> None:
        self.topic = topic
        self.field = field
        self.headers = headers


class Serializer:
    """From an object to bytes; None stays None, Kafka's null. To be derived from."""

    __slots__ = ()

    def __call__(self, obj: Any, ctx: Optional[SerializationContext] = None) -> Optional[bytes]:
        raise NotImplementedError


class Deserializer:
    """From bytes to an object. To be derived from."""

    __slots__ = ()

    def __call__(self, value: Optional[bytes], ctx: Optional[SerializationContext] = None) -> Any:
        raise NotImplementedError


class _Packed:
    """Numbers of a fixed size, big-endian."""

    __slots__ = ()
    _format = ""

    def _pack(self, obj: Any) -> Optional[bytes]:
        if obj is None:
            return None
        try:
            return struct.pack(self._format, obj)
        except struct.error as e:
            raise SerializationError(str(e))

    def _unpack(self, value: Optional[bytes]) -> Any:
        if value is None:
            return None
        try:
            return struct.unpack(self._format, value)[0]
        except struct.error as e:
            raise SerializationError(str(e))


class DoubleSerializer(_Packed, Serializer):
    """float to IEEE 754 binary64."""

    _format = ">d"

    def __call__(self, obj: Optional[float], ctx: Optional[SerializationContext] = None) -> Optional[bytes]:
        return self._pack(obj)


class DoubleDeserializer(_Packed, Deserializer):
    """IEEE 754 binary64 to float."""

    _format = ">d"

    def __call__(self, value: Optional[bytes], ctx: Optional[SerializationContext] = None) -> Any:
        return self._unpack(value)


class IntegerSerializer(_Packed, Serializer):
    """int to 32 bits, signed."""

    _format = ">i"

    def __call__(self, obj: Optional[int], ctx: Optional[SerializationContext] = None) -> Optional[bytes]:
        return self._pack(obj)


class IntegerDeserializer(_Packed, Deserializer):
    """32 bits, signed, to int."""

    _format = ">i"

    def __call__(self, value: Optional[bytes], ctx: Optional[SerializationContext] = None) -> Any:
        return self._unpack(value)


class StringSerializer(Serializer):
    """str to bytes in the given encoding; other objects are made a str first."""

    def __init__(self, codec: str = "utf_8") -> None:
        self.codec = codec

    def __call__(self, obj: Any, ctx: Optional[SerializationContext] = None) -> Optional[bytes]:
        if obj is None:
            return None
        try:
            return str(obj).encode(self.codec)
        except UnicodeError as e:
            raise SerializationError(str(e))


class StringDeserializer(Deserializer):
    """Bytes in the given encoding to str."""

    def __init__(self, codec: str = "utf_8") -> None:
        self.codec = codec

    def __call__(self, value: Optional[bytes], ctx: Optional[SerializationContext] = None) -> Optional[str]:
        if value is None:
            return None
        try:
            return value.decode(self.codec)
        except UnicodeError as e:
            raise SerializationError(str(e))


class JSONSerializer(Serializer):
    """An object to JSON text in UTF-8. ``dumps`` is json.dumps without spaces, or what is given.

    This is plain JSON, without a schema registry.
    """

    def __init__(self, dumps: Optional[Callable[[Any], Any]] = None) -> None:
        self._dumps = dumps or json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode

    def __call__(self, obj: Any, ctx: Optional[SerializationContext] = None) -> Optional[bytes]:
        if obj is None:
            return None
        try:
            text = self._dumps(obj)
        except (TypeError, ValueError, RecursionError) as e:
            raise SerializationError(str(e))
        return text if isinstance(text, bytes) else str(text).encode()


class JSONDeserializer(Deserializer):
    """JSON text to an object."""

    def __call__(self, value: Optional[bytes], ctx: Optional[SerializationContext] = None) -> Any:
        if value is None:
            return None
        try:
            return json.loads(value)
        except ValueError as e:
            raise SerializationError(str(e))
