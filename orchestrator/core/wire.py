"""Between protobuf's time messages and integers: nanoseconds since the epoch, and nanoseconds long."""

import json

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import Payload, Payloads

SECOND = 1_000_000_000
MILLISECOND = 1_000_000
LONGEST = 2**63 - 1
"""Longer durations, and later times, are cut to this, about 292 years: what 64 bits of nanoseconds hold."""


def after(time: int, length: int) -> int:
    """The time a length after another, cut to what databases can store: the year 2262."""
    return min(LONGEST, time + length)


def timestamp(ns: int) -> Timestamp:
    """The message of a time in nanoseconds since the epoch."""
    return Timestamp(seconds=ns // SECOND, nanos=ns % SECOND)


def duration(ns: int) -> Duration:
    """The message of a non-negative length in nanoseconds."""
    return Duration(seconds=ns // SECOND, nanos=ns % SECOND)


def optional_timestamp(ns: int) -> Timestamp | None:
    """As `timestamp`, with None for zero, which means "not set" everywhere in the state."""
    return timestamp(ns) if ns else None


def optional_duration(ns: int) -> Duration | None:
    """As `duration`, with None for zero."""
    return duration(ns) if ns else None


def time_ns(message: Timestamp) -> int:
    """Nanoseconds since the epoch of a time message."""
    return message.seconds * SECOND + message.nanos


def length_ns(message: Duration) -> int:
    """Nanoseconds of a duration message, cut to LONGEST either way."""
    return max(-LONGEST, min(LONGEST, message.seconds * SECOND + message.nanos))


def json_payloads(text: str) -> Payloads:
    """One payload that holds a JSON string, as the server writes details of its own."""
    return Payloads(payloads=[Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(text).encode())])
