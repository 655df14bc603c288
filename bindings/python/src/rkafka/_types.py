"""Types of arguments."""

from typing import Any, Callable, Dict, List, Optional, Tuple, Union

from ._core import Message
from .error import KafkaError

Headers = Union[List[Tuple[str, Union[str, bytes, None]]], Dict[str, Union[str, bytes, None]]]
Data = Union[str, bytes, bytearray, memoryview]
DeliveryCallback = Callable[[Optional[KafkaError], Message], Any]
