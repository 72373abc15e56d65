"""Plain JSON in place of payloads: `"input": [{"id": 7}]` for what proto JSON writes with metadata and base64.

Both spellings are understood, told apart by their form, as Temporal's HTTP API does.
"""

import base64
import json
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

PAYLOAD = "temporal.api.common.v1.Payload"
PAYLOADS = "temporal.api.common.v1.Payloads"


def spelled_out(value: Any, descriptor: Any) -> Any:
    """The JSON of a message, with every plain value in place of a payload turned into the payload of it."""
    if descriptor.full_name == PAYLOAD:
        return _payload(value)
    if descriptor.full_name == PAYLOADS:
        return {"payloads": [_payload(each) for each in value]} if isinstance(value, list) else value
    if not isinstance(value, dict) or descriptor.file.package == "google.protobuf":
        return value
    return {name: _field(name, each, descriptor) for name, each in value.items()}


def _field(name: str, value: Any, descriptor: Any) -> Any:
    field: FieldDescriptor | None = descriptor.fields_by_camelcase_name.get(name) or descriptor.fields_by_name.get(name)
    if field is None or field.message_type is None:
        return value
    kind = field.message_type
    if kind.GetOptions().map_entry:
        inner = kind.fields_by_name["value"].message_type
        if inner is None or not isinstance(value, dict):
            return value
        return {key: spelled_out(each, inner) for key, each in value.items()}
    if field.is_repeated:
        return [spelled_out(each, kind) for each in value] if isinstance(value, list) else value
    return spelled_out(value, kind)


def _payload(value: Any) -> Any:
    if isinstance(value, dict) and "metadata" in value and value.keys() <= {"metadata", "data", "externalPayloads"}:
        return value
    data, encoding = (b"", b"binary/null") if value is None else (json.dumps(value).encode(), b"json/plain")
    return {
        "metadata": {"encoding": base64.b64encode(encoding).decode()},
        "data": base64.b64encode(data).decode(),
    }
