"""Messages as JSON for people: payloads whose encoding is known are shown as the values they hold."""

import base64
import binascii
import json
from typing import Any

from django.utils.html import format_html
from google.protobuf import json_format
from google.protobuf.message import Message

SHOWN = 4096
"""Characters of one value that are shown."""


def readable(message: Message) -> Any:
    """The JSON of a message with decoded payloads."""
    return _decoded(json_format.MessageToDict(message))


def pretty(value: Any) -> str:
    """JSON as preformatted HTML."""
    return format_html(
        '<pre style="white-space: pre-wrap; margin: 0">{}</pre>', json.dumps(value, indent=2, default=str)
    )


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(each) for each in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"payloads"} and isinstance(value["payloads"], list):
        return [_decoded(each) for each in value["payloads"]]
    if "metadata" in value and value.keys() <= {"metadata", "data", "externalPayloads"}:
        return _payload(value)
    return {key: _decoded(each) for key, each in value.items()}


def _payload(value: dict[str, Any]) -> Any:
    try:
        encoding = base64.b64decode(value["metadata"].get("encoding", "")).decode()
        data = base64.b64decode(value.get("data", ""))
        if encoding == "binary/null":
            return None
        if encoding in ("json/plain", "json/protobuf"):
            parsed = json.loads(data)
            return parsed if len(data) <= SHOWN else data[:SHOWN].decode(errors="replace") + "..."
    except (binascii.Error, ValueError, AttributeError, TypeError):
        return value
    return f"<{len(data)} bytes, {encoding or 'no encoding'}>"
