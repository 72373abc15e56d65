"""PostgreSQL arrays in their binary form, packed at once instead of element by element.

Format (PostgreSQL, `array_send`): dimensions, null flag, element type, length, lower bound; then each element behind
its length in bytes, -1 for NULL.
"""

import struct
from collections.abc import Iterable, Sequence

from psycopg.adapt import Dumper
from psycopg.pq import Format

_HEADER = struct.Struct("!iiIii")
_LENGTH = struct.Struct("!i")
_NULL = _LENGTH.pack(-1)
INT4, INT8, TEXT, BYTEA, UUID, JSONB = 23, 20, 25, 17, 2950, 3802


class PgArray(bytes):
    """A packed array; its subclasses name the array type."""

    array_oid = 0


class Int4Array(PgArray):
    """integer[]"""

    array_oid = 1007

    @classmethod
    def of(cls, values: Sequence[int]) -> "Int4Array":
        """Packs integers of 32 bits."""
        pairs = [number for value in values for number in (4, value)]
        return cls(_header(INT4, len(values)) + struct.pack(f"!{'ii' * len(values)}", *pairs))


class Int8Array(PgArray):
    """bigint[]"""

    array_oid = 1016

    @classmethod
    def of(cls, values: Sequence[int | None]) -> "Int8Array":
        """Packs integers of 64 bits; None is NULL."""
        if None in values:
            parts = [_NULL if value is None else struct.pack("!iq", 8, value) for value in values]
            return cls(_header(INT8, len(values)) + b"".join(parts))
        pairs = [number for value in values for number in (8, value)]
        return cls(_header(INT8, len(values)) + struct.pack(f"!{'iq' * len(values)}", *pairs))


class TextArray(PgArray):
    """text[]"""

    array_oid = 1009

    @classmethod
    def of(cls, values: Iterable[str]) -> "TextArray":
        """Packs texts."""
        return cls(_packed(TEXT, [value.encode() for value in values]))


class ByteaArray(PgArray):
    """bytea[]"""

    array_oid = 1001

    @classmethod
    def of(cls, values: Iterable[bytes]) -> "ByteaArray":
        """Packs byte strings."""
        return cls(_packed(BYTEA, list(values)))


class UuidArray(PgArray):
    """uuid[]"""

    array_oid = 2951

    @classmethod
    def of(cls, values: Iterable[str]) -> "UuidArray":
        """Packs UUIDs given as text with dashes."""
        return cls(_packed(UUID, [bytes.fromhex(value.replace("-", "")) for value in values]))


class _ArrayDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: PgArray) -> bytes:
        return obj


ARRAYS = (Int4Array, Int8Array, TextArray, ByteaArray, UuidArray)
DUMPERS = {array: type(f"{array.__name__}Dumper", (_ArrayDumper,), {"oid": array.array_oid}) for array in ARRAYS}
"""How psycopg sends each of them."""


def _header(element: int, length: int) -> bytes:
    return _HEADER.pack(1, 1, element, length, 1)


def _packed(element: int, values: list[bytes]) -> bytes:
    parts = [_header(element, len(values))]
    pack = _LENGTH.pack
    for value in values:
        parts.append(pack(len(value)))
        parts.append(value)
    return b"".join(parts)
