"""Search attributes of a run: checked when they come in, typed when they go out, decoded for queries."""

import re
from collections.abc import Mapping
from datetime import datetime
from math import isfinite

import msgspec
from temporalio.api.common.v1 import Payload, SearchAttributes

from orchestrator.core import search_attribute_types as types
from orchestrator.core.limits import Limits
from orchestrator.core.search_attribute_text import joined, words
from orchestrator.core.wire import LONGEST, SECOND
from orchestrator.errors import InvalidArgument

SHOWN = 200
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")

_json = msgspec.json.Decoder()
_time = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]+))?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def validate(fields: Mapping[str, Payload], custom: Mapping[str, int], namespace: str, limits: Limits) -> None:
    """Checks that every attribute exists, may be set by a client, and has a value of its type. A null value is valid.

    Args:
        fields: the `indexed_fields` of the request or the command.
        custom: the custom attributes of the namespace, name to number of IndexedValueType.
        namespace: its name, for the text of the error.
        limits: the server's.

    Raises:
        InvalidArgument: an attribute is wrong, or there are too many.
    """
    if not fields:
        return
    if len(fields) > limits.search_attributes:
        raise InvalidArgument(f"number of search attributes {len(fields)} exceeds limit {limits.search_attributes}")
    for name, payload in fields.items():
        kind = types.settable_type(name, custom)
        if kind is None:
            if name in types.SYSTEM or name in types.SERVER_ONLY:
                raise InvalidArgument(f"{name} attribute can't be set in SearchAttributes")
            raise InvalidArgument(f"Namespace {namespace} has no mapping defined for search attribute {name}")
        _checked(name, payload, kind)


def check_size(fields: Mapping[str, Payload], limits: Limits) -> None:
    """Raises InvalidArgument when a value, or all of them together with their names, are too large."""
    if not fields:
        return
    total = 0
    for name, payload in fields.items():
        size = len(payload.data)
        if size > limits.search_attribute_size:
            raise InvalidArgument(
                f"search attribute {name} value size {size} exceeds size limit {limits.search_attribute_size}"
            )
        total += len(name.encode()) + payload.ByteSize()
    if total > limits.search_attributes_size:
        raise InvalidArgument(
            f"total size of search attributes {total} exceeds size limit {limits.search_attributes_size}"
        )


def is_empty(payload: Payload) -> bool:
    """Whether the value says that the run does not have, or no longer has, the attribute: null or an empty list."""
    encoding = payload.metadata.get("encoding")
    return encoding == b"binary/null" or (encoding == b"json/plain" and payload.data.strip() in (b"null", b"[]"))


def typed(fields: Mapping[str, Payload], custom: Mapping[str, int]) -> SearchAttributes:
    """The attributes as the run keeps them: each with its registered type in the metadata, whatever the client wrote.

    Clients read the type back, and `decode` relies on it.
    """
    message = SearchAttributes()
    for name, payload in fields.items():
        target = message.indexed_fields[name]
        target.CopyFrom(payload)
        kind = types.any_type(name, custom)
        if kind is not None:
            target.metadata["type"] = types.TYPE_NAMES[kind].encode()
    return message


def key(name: str, kind: int) -> str:
    """Where the decoded values of an attribute are stored.

    The type is part of it, so that values written before an attribute was removed and added again with another type are
    not mistaken for values of the new one.
    """
    return f"{name}:{types.TYPE_NAMES[kind]}"


def decode(attributes: SearchAttributes) -> dict[str, str | int | float]:
    """The values of typed attributes as queries compare them, under their `key`; null values are left out.

    Int, Double and Keyword are themselves, a Bool is 0 or 1, a Datetime nanoseconds since the epoch (cut to 64 bits), a
    Text its words and a KeywordList its items, both as `search_attribute_text` joins them.
    """
    decoded: dict[str, str | int | float] = {}
    for name, payload in attributes.indexed_fields.items():
        kind = types.TYPE_NUMBERS.get(payload.metadata.get("type", b"").decode(errors="replace"))
        if kind is None:
            continue
        try:
            value = _checked(name, payload, kind)
        except InvalidArgument:
            continue  # Nothing can be asked of a value that was never checked.
        if value is not None:
            decoded[key(name, kind)] = value
    return decoded


def nanoseconds(text: str) -> int:
    """Nanoseconds since the epoch of an RFC 3339 time, cut to 64 bits; raises ValueError for anything else."""
    found = _time.fullmatch(text)
    if found is None:
        raise ValueError(text)
    date, clock, fraction, zone = found.groups()
    since = datetime.fromisoformat(f"{date}T{clock}{'+00:00' if zone in 'Zz' else zone}") - EPOCH
    exact = (since.days * 86_400 + since.seconds) * SECOND + int((fraction or "0")[:9].ljust(9, "0"))
    return max(-LONGEST, min(LONGEST - 1, exact))


def _checked(name: str, payload: Payload, kind: int) -> str | int | float | None:
    """The decoded value, None for null; raises InvalidArgument unless it is one of the type."""
    if payload.metadata.get("encoding") == b"binary/null":
        return None
    value = _parsed(name, payload, kind)
    if kind == types.KEYWORD_LIST:
        return _list(name, value, kind)
    # SDKs without typed attributes send a list of one.
    if type(value) is list and len(value) <= 1:
        value = value[0] if value else None
    if value is None:
        return None
    decoded = _scalar(value, kind)
    if decoded is None:
        raise _refused(name, value, kind)
    return decoded


def _parsed(name: str, payload: Payload, kind: int) -> object:
    encoding = payload.metadata.get("encoding")
    if encoding == b"binary/plain":
        raise _refused(name, list(payload.data[:SHOWN]), kind)
    try:
        if encoding != b"json/plain":
            raise ValueError(encoding)
        value: object = _json.decode(payload.data)
    except (ValueError, RecursionError):  # A msgspec.DecodeError is a ValueError.
        text = f"encoding {encoding!r}, data {payload.data[:SHOWN]!r}"
        raise InvalidArgument(
            f"invalid value for search attribute {name} of type {types.TYPE_NAMES[kind]}: value from <{text}>"
        ) from None
    return value


def _list(name: str, value: object, kind: int) -> str | None:
    if value is None:
        return None
    if type(value) is not list or not all(item is None or _is_text(item) for item in value):
        raise _refused(name, value, kind)
    items = [item for item in value if item is not None]
    return joined(items) if items else None


def _scalar(value: object, kind: int) -> str | int | float | None:
    """The value as queries compare it; None if it is none of the type."""
    if kind == types.KEYWORD:
        return str(value) if _is_text(value) else None
    if kind == types.TEXT:
        return joined(words(str(value))) if _is_text(value) else None
    if kind == types.INT:
        return value if type(value) is int and -LONGEST - 1 <= value <= LONGEST else None
    if kind == types.BOOL:
        return int(value) if type(value) is bool else None
    if kind == types.DOUBLE:
        if isinstance(value, int | float) and type(value) is not bool and isfinite(value):
            return float(value)
        return None
    try:
        return nanoseconds(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _is_text(value: object) -> bool:
    """PostgreSQL stores no NUL, in JSON neither; refused everywhere, so that a run means the same on every database."""
    return isinstance(value, str) and "\0" not in value


def _refused(name: str, value: object, kind: int) -> InvalidArgument:
    kind_name = types.TYPE_NAMES[kind]
    return InvalidArgument(f"invalid value for search attribute {name} of type {kind_name}: {_shown(value)[:SHOWN]}")


def _shown(value: object) -> str:
    if isinstance(value, list):
        return f"[{' '.join(map(_shown, value))}]"
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()
