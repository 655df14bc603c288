"""Errors, as confluent_kafka has them."""

from __future__ import annotations

from typing import Any, Optional, Tuple

from . import _core
from ._codes import Codes

# KafkaError has a method of this name.
_str = str


class KafkaException(Exception):
    """What a call raises; ``args[0]`` is the KafkaError."""


class KafkaError(KafkaException, Codes):
    """An error: its code, its text, and what may be done about it. Equal to its code."""

    def __init__(
        self,
        error: int,
        reason: Optional[_str] = None,
        fatal: bool = False,
        retriable: bool = False,
        txn_requires_abort: bool = False,
    ) -> None:
        super().__init__()
        self._code = int(error)
        self._reason = reason
        self._fatal = bool(fatal)
        self._retriable = bool(retriable)
        self._txn_requires_abort = bool(txn_requires_abort)

    @property
    def args(self) -> Tuple[Any, ...]:  # type: ignore[override]
        return (self,)

    def code(self) -> int:
        """The code, for comparison with KafkaError's constants."""
        return self._code

    def name(self) -> _str:
        """The code's name, for example ``_MSG_TIMED_OUT``."""
        return _core.err2name(self._code)

    def str(self) -> _str:
        """What happened, for people."""
        return self._reason if self._reason is not None else _core.err2str(self._code)

    def fatal(self) -> bool:
        """True if the producer cannot go on."""
        return self._fatal

    def retriable(self) -> bool:
        """True if the call that failed may be made again."""
        return self._retriable

    def txn_requires_abort(self) -> bool:
        """True if the transaction must be aborted."""
        return self._txn_requires_abort

    def __repr__(self) -> _str:
        fatal = "FATAL," if self._fatal else ""
        return f'KafkaError{{{fatal}code={self.name()},val={self._code},str="{self.str()}"}}'

    __str__ = __repr__

    def __hash__(self) -> int:
        return self._code

    def _other(self, other: object) -> Optional[int]:
        if isinstance(other, KafkaError):
            return other._code
        return other if isinstance(other, int) else None

    def __eq__(self, other: object) -> bool:
        return self._code == self._other(other)

    def __lt__(self, other: object) -> bool:
        code = self._other(other)
        return NotImplemented if code is None else self._code < code

    def __le__(self, other: object) -> bool:
        code = self._other(other)
        return NotImplemented if code is None else self._code <= code

    def __gt__(self, other: object) -> bool:
        code = self._other(other)
        return NotImplemented if code is None else self._code > code

    def __ge__(self, other: object) -> bool:
        code = self._other(other)
        return NotImplemented if code is None else self._code >= code

    def __reduce__(self) -> Tuple[Any, ...]:
        return (
            KafkaError,
            (self._code, self._reason, self._fatal, self._retriable, self._txn_requires_abort),
        )


class _ClientError(KafkaException):
    def __init__(
        self, kafka_error: KafkaError, exception: Optional[BaseException] = None, kafka_message: Any = None
    ) -> None:
        super().__init__(kafka_error)
        self.exception = exception
        self.kafka_message = kafka_message

    @property
    def code(self) -> int:
        return int(self.args[0].code())

    @property
    def name(self) -> str:
        return str(self.args[0].name())


class ProduceError(_ClientError):
    """A message could not be produced; ``exception`` is the cause, if there is one."""

    def __init__(self, kafka_error: KafkaError, exception: Optional[BaseException] = None) -> None:
        super().__init__(kafka_error, exception)


class SerializationError(KafkaException):
    """A serializer cannot make bytes of what it was given."""


class KeySerializationError(ProduceError, SerializationError):
    """The key of a message could not be serialized."""

    def __init__(self, exception: Optional[BaseException] = None) -> None:
        super().__init__(KafkaError(KafkaError._KEY_SERIALIZATION, str(exception)), exception)


class ValueSerializationError(ProduceError, SerializationError):
    """The value of a message could not be serialized."""

    def __init__(self, exception: Optional[BaseException] = None) -> None:
        super().__init__(KafkaError(KafkaError._VALUE_SERIALIZATION, str(exception)), exception)


def _make(
    code: int, text: str, fatal: int = 0, retriable: int = 0, requires_abort: int = 0
) -> KafkaError:
    return KafkaError(code, text, bool(fatal), bool(retriable), bool(requires_abort))
