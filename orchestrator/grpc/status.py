"""How a refusal is written on the wire: the status, the encoded message and the packed detail."""

import logging
import secrets
from urllib.parse import quote

from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import GrpcStatus

from orchestrator.errors import Internal, ServiceError

log = logging.getLogger(__name__)

_UNRESERVED = "".join(chr(byte) for byte in range(0x20, 0x7F) if chr(byte) != "%")


def refusal(method: str, error: Exception) -> ServiceError:
    """What the caller is told about an exception of a handler.

    A `ServiceError` is itself. A request that cannot be parsed is the caller's doing and says so. Anything else is
    logged with its traceback under a short id; the caller learns the id alone.

    Args:
        method: the full method, for the log.
        error: what the handler raised.
    """
    if isinstance(error, ServiceError):
        return error
    if isinstance(error, DecodeError):
        return Internal(f"grpc: error unmarshalling request: {error}")
    identifier = secrets.token_hex(4)
    log.error("%s failed (%s)", method, identifier, exc_info=error)
    return Internal(f"something went wrong, please retry: {identifier}")


def details(error: ServiceError) -> bytes | None:
    """The value of `grpc-status-details-bin` before base64, or None when the error has no detail.

    It is a serialized google.rpc.Status; GrpcStatus is the same message on the wire and is always installed.
    """
    if error.detail is None:
        return None
    status = GrpcStatus(code=int(error.code), message=error.message)
    status.details.add().Pack(error.detail)
    return status.SerializeToString()


def percent_encoded(message: str) -> bytes:
    """The value of `grpc-message`: UTF-8 with everything but printable ASCII, and `%`, percent-encoded."""
    return quote(message, safe=_UNRESERVED, errors="replace").encode("ascii")
