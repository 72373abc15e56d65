"""Reading the headers of a gRPC request: the timeout and the caller's metadata."""

import binascii
from collections.abc import Mapping
from functools import lru_cache

from orchestrator.errors import Internal

_UNITS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}

_NOT_METADATA = frozenset(
    [
        b"content-type",
        b"te",
        b"host",
        b"grpc-timeout",
        b"grpc-encoding",
        b"grpc-accept-encoding",
        b"grpc-message-type",
        b"x-forwarded-proto",
        b"x-forwarded-for",
        b"x-request-id",
        b"x-envoy-internal",
        b"x-envoy-external-address",
    ]
)


@lru_cache(maxsize=1024)
def timeout_seconds(value: bytes) -> float:
    """The seconds a `grpc-timeout` header grants.

    Args:
        value: one to eight digits and a unit, such as `70S` or `29999m`.

    Raises:
        Internal: the value is malformed.
    """
    digits, unit = value[:-1], _UNITS.get(value[-1:])
    if unit is None or not digits.isdigit() or len(digits) > 8:
        raise Internal(f"malformed grpc-timeout: {value.decode('latin-1')!r}")
    return int(digits) * unit


def metadata_of(headers: Mapping[bytes, bytes]) -> dict[str, str | bytes]:
    """The caller's own metadata: headers without those of the transport, `-bin` values decoded.

    Raises:
        Internal: a `-bin` value is not base64.
    """
    found: dict[str, str | bytes] = {}
    for name, value in headers.items():
        if name in _NOT_METADATA:
            continue
        found[name.decode("latin-1")] = _binary(name, value) if name.endswith(b"-bin") else value.decode("latin-1")
    return found


def _binary(name: bytes, value: bytes) -> bytes:
    """A binary value, with or without padding; of several joined by commas the last."""
    last = value.rpartition(b",")[2].strip()
    try:
        return binascii.a2b_base64(last + b"=" * (-len(last) % 4), strict_mode=True)
    except binascii.Error as error:
        raise Internal(f"malformed binary metadata {name.decode('latin-1')}: {error}") from None
