"""Values to JSON and back, without guessing: what JSON has no word for is tagged with its type.

A string stays a string, whatever it looks like. A dictionary that itself has the tag's key is wrapped, so reading is
always the inverse of writing.
"""

import base64
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

TAG = "$type"
CYCLE = {TAG: "cycle"}

type_tags: dict[type, "_Tagged"] = {}


@dataclass(frozen=True, slots=True)
class _Tagged:
    tag: str
    write: Callable[[Any, Callable[[Any], Any]], Any]
    read: Callable[[Any], Any]


class RestoredCause(Exception):
    """Stands for an exception that was read from JSON: its type, message and stack trace, as text."""

    def __init__(self, type_name: str, message: str, stack_trace: str | None = None) -> None:
        super().__init__(message)
        self.type_name = type_name
        self.message = message
        self.stack_trace = stack_trace


def register(
    kind: type, tag: str, write: Callable[[Any, Callable[[Any], Any]], Any], read: Callable[[Any], Any]
) -> None:
    """Makes values of `kind` survive a round trip.

    `write` takes the value and the function that writes what it contains; `read` takes what `write` returned, with its
    contents read already.
    """
    type_tags[kind] = _Tagged(tag, write, read)


def to_json(value: Any, path: tuple[int, ...] = ()) -> Any:
    """`value` in JSON's own types; what contains itself is cut there, and what nobody registered becomes its `str`."""
    if value is None or isinstance(value, bool | int | float) or type(value) is str:
        return value
    if id(value) in path:
        return CYCLE

    def inner(item: Any) -> Any:
        return to_json(item, (*path, id(value)))

    for kind in type(value).__mro__:
        if kind in type_tags:
            tagged = type_tags[kind]
            return {TAG: tagged.tag, "value": tagged.write(value, inner)}
    if isinstance(value, Mapping):
        plain = {str(key): inner(item) for key, item in value.items()}
        return {TAG: "mapping", "value": plain} if TAG in plain else plain
    if isinstance(value, list | tuple | set | frozenset):
        return [inner(item) for item in value]
    return str(value)


def from_json(value: Any) -> Any:
    """The inverse of `to_json`; raises ValueError for a tag nobody registered."""
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    if TAG not in value:
        return {key: from_json(item) for key, item in value.items()}
    if value == CYCLE:
        return None
    if value[TAG] == "mapping":
        return {key: from_json(item) for key, item in value["value"].items()}
    for tagged in type_tags.values():
        if tagged.tag == value[TAG]:
            return tagged.read(from_json(value["value"]))
    raise ValueError(f"Unknown type tag {value[TAG]!r}.")


def exception_to_json(exception: BaseException) -> dict[str, Any]:
    """The type, message and stack trace of an exception, as text."""
    if isinstance(exception, RestoredCause):
        return {
            "type": exception.type_name,
            "message": exception.message,
            "stackTrace": exception.stack_trace,
        }
    kind = type(exception)
    return {
        "type": f"{kind.__module__}.{kind.__qualname__}",
        "message": str(exception),
        "stackTrace": stack_trace(exception),
    }


def exception_from_json(data: Mapping[str, Any]) -> RestoredCause:
    """The stand-in for an exception written by `exception_to_json`."""
    return RestoredCause(data["type"], data["message"], data.get("stackTrace"))


def stack_trace(exception: BaseException) -> str | None:
    """The stack trace of an exception as Python prints it; None for one that was never raised."""
    if exception.__traceback__ is None:
        return None
    return "".join(traceback.format_exception(exception))


register(datetime, "datetime", lambda value, _: value.isoformat(), datetime.fromisoformat)
register(timedelta, "duration", lambda value, _: value.total_seconds(), lambda seconds: timedelta(seconds=seconds))
register(UUID, "uuid", lambda value, _: str(value), UUID)
register(bytes, "bytes", lambda value, _: base64.b64encode(value).decode("ascii"), base64.b64decode)
register(BaseException, "exception", lambda value, _: exception_to_json(value), exception_from_json)
