"""Requests with fields of the right type and any content: what a broken or hostile client may send."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

DEEPEST = 5
TEXTS = [
    "",
    "a",
    "nul\0",
    "\0",
    "x" * 1001,
    "ünï 日本 \U0001f980",
    "/_sys/q",
    "null",
    "'",
    "00000000-0000-0000-0000-000000000000",
]
INT32 = [0, 1, -1, 2, 7, 1000, 2**31 - 1, -(2**31)]
INT64 = [*INT32, 2**63 - 1, -(2**63), 253402300799, -62135596800]
FLOATS = [0.0, 1.0, -1.0, 0.5, 2.0, 1e300, float("inf"), float("-inf"), float("nan")]
BYTES = [b"", b"\0", b"{}", b"null", b'"a\\u0000"', b"1", b"[]", b"[" * 5000, b"\xff\xfe", b"x" * 5000]

_F = FieldDescriptor
_SCALARS: Mapping[int, Sequence[Any]] = {
    _F.CPPTYPE_STRING: TEXTS,
    _F.CPPTYPE_INT32: INT32,
    _F.CPPTYPE_INT64: INT64,
    _F.CPPTYPE_UINT32: [0, 1, 2**32 - 1],
    _F.CPPTYPE_UINT64: [0, 1, 2**64 - 1],
    _F.CPPTYPE_FLOAT: [0.0, 1.0, -1.0, 1e30, float("nan"), float("inf")],
    _F.CPPTYPE_DOUBLE: FLOATS,
    _F.CPPTYPE_BOOL: [True, False],
}


class Garbage:
    """Makes requests; the same seed makes the same ones.

    Args:
        seed: of the random numbers.
        known: by the name of a field, values that mean something to the server.
    """

    def __init__(self, seed: str, known: Mapping[str, Sequence[Any]]) -> None:
        self._random = random.Random(seed)
        self._known = known

    def fill(self, message: Message, filling: float, depth: int = 0) -> None:
        """Sets each field of a message with the likelihood `filling`; one of a oneof is overwritten by the next."""
        for field in message.DESCRIPTOR.fields:
            if self._random.random() < filling and depth <= DEEPEST:
                self._set(message, field, filling, depth)

    def _set(self, message: Message, field: FieldDescriptor, filling: float, depth: int) -> None:
        target = getattr(message, field.name)
        entry: Descriptor | None = field.message_type
        if entry is not None and entry.GetOptions().map_entry:
            value = entry.fields_by_name["value"]
            for _ in range(self._random.randint(1, 2)):
                key = self._value(entry.fields_by_name["key"])
                if value.message_type is not None:
                    self.fill(target[key], filling, depth + 1)
                else:
                    target[key] = self._value(value)
        elif field.is_repeated:
            for _ in range(self._random.randint(1, 3)):
                if entry is not None:
                    self.fill(target.add(), filling, depth + 1)
                else:
                    target.append(self._value(field))
        elif entry is not None:
            target.SetInParent()
            self.fill(target, filling, depth + 1)
        else:
            setattr(message, field.name, self._value(field))

    def _value(self, field: FieldDescriptor) -> Any:
        known = self._known.get(field.name) if field.type in (_F.TYPE_STRING, _F.TYPE_BYTES) else None
        if known and self._random.random() < 0.7:
            return self._random.choice(known)
        if field.type == _F.TYPE_BYTES:
            return self._random.choice(BYTES)
        if field.enum_type is not None:
            return self._random.choice([*field.enum_type.values_by_number, 77, -1])
        return self._random.choice(_SCALARS[field.cpp_type])
