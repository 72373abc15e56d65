"""Between HTTP and protobuf: requests from path, query and JSON body, replies as proto JSON."""

from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from orchestrator.errors import InvalidArgument
from orchestrator.rest.payloads import spelled_out

_TRUE, _FALSE = ("true", "1", ""), ("false", "0")


def from_body(kind: type[Message], body: Any, fields: Mapping[str, str]) -> Message:
    """The request of a JSON body, with the fields of the path in it; raises InvalidArgument."""
    if body is None or body == "":
        body = {}
    if not isinstance(body, dict):
        raise InvalidArgument("The body must be a JSON object.")
    return _parsed(kind, spelled_out(body, kind.DESCRIPTOR), fields)


def from_query(kind: type[Message], query: Mapping[str, list[str]], fields: Mapping[str, str]) -> Message:
    """The request of a query such as `pageSize=10&execution.runId=...`; raises InvalidArgument."""
    values: dict[str, Any] = {}
    for name, texts in query.items():
        *outer, last = name.split(".")
        descriptor, target = kind.DESCRIPTOR, values
        for part in outer:
            field = _field(descriptor, part, name)
            if field.message_type is None or field.is_repeated:
                raise InvalidArgument(f"The parameter {name} is unknown.")
            descriptor, target = field.message_type, target.setdefault(field.json_name, {})
        field = _field(descriptor, last, name)
        found = [_value(field, text, name) for text in texts]
        target[field.json_name] = found if field.is_repeated else found[-1]
    return _parsed(kind, values, fields)


def to_json(message: Message) -> dict[str, Any]:
    """The JSON of a reply; lists and messages that are empty are left out."""
    found: dict[str, Any] = json_format.MessageToDict(message)
    return found


def _parsed(kind: type[Message], values: dict[str, Any], fields: Mapping[str, str]) -> Message:
    message = kind()
    try:
        json_format.ParseDict(values, message)
    except (json_format.ParseError, ValueError, TypeError, RecursionError) as error:
        raise InvalidArgument(f"The request is not valid: {error}") from None
    for path, value in fields.items():
        *outer, last = path.split(".")
        target = message
        for part in outer:
            target = getattr(target, part)
        setattr(target, last, value)
    return message


def _field(descriptor: Any, part: str, name: str) -> FieldDescriptor:
    field = descriptor.fields_by_camelcase_name.get(part) or descriptor.fields_by_name.get(part)
    if field is None:
        raise InvalidArgument(f"The parameter {name} is unknown.")
    return field


def _value(field: FieldDescriptor, text: str, name: str) -> Any:
    if field.type == FieldDescriptor.TYPE_BOOL:
        if text.lower() not in (*_TRUE, *_FALSE):
            raise InvalidArgument(f"The parameter {name} must be true or false.")
        return text.lower() in _TRUE
    if field.type == FieldDescriptor.TYPE_BYTES:
        # A plus sign in a query means a space, and page tokens are often pasted as they are.
        return text.replace(" ", "+")
    if field.type == FieldDescriptor.TYPE_ENUM:
        return int(text) if text.lstrip("-").isdigit() else text
    return text
