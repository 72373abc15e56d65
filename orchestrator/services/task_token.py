"""Task tokens: opaque to workers, authenticated by HMAC, valid across restarts.

A token is a 16-byte HMAC-SHA256 tag followed by MessagePack of one of the structs below.
"""

import hmac

import msgspec

from orchestrator.errors import InvalidArgument

TAG = 16


class WorkflowTaskToken(msgspec.Struct, array_like=True, tag="w", frozen=True):
    """A started workflow task; `started_time` in nanoseconds since the epoch."""

    namespace_id: str
    workflow_id: str
    run_id: str
    scheduled_event_id: int
    started_event_id: int
    started_time: int
    attempt: int


class ActivityTaskToken(msgspec.Struct, array_like=True, tag="a", frozen=True):
    """A started attempt of an activity: told by its stamp, because its number may begin anew."""

    namespace_id: str
    workflow_id: str
    run_id: str
    scheduled_event_id: int
    stamp: int


class QueryTaskToken(msgspec.Struct, array_like=True, tag="q", frozen=True):
    """A query in the hands of a worker; it does not outlive the process that asked."""

    namespace_id: str
    task_queue: str
    task_id: str


Token = WorkflowTaskToken | ActivityTaskToken | QueryTaskToken


class TokenCodec:
    """Makes and reads tokens under one secret key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(Token)

    def encode(self, token: Token) -> bytes:
        """The bytes of a token."""
        body = self._encoder.encode(token)
        return hmac.digest(self._key, body, "sha256")[:TAG] + body

    def decode(self, data: bytes, namespace_id: str) -> Token:
        """The token of bytes a worker sent.

        Raises:
            InvalidArgument: there is none, it was not made here, or it belongs to another namespace.
        """
        if not data:
            raise InvalidArgument("Task token not set on request.")
        body = data[TAG:]
        if not body or not hmac.compare_digest(hmac.digest(self._key, body, "sha256")[:TAG], data[:TAG]):
            raise InvalidArgument("Error deserializing task token.")
        try:
            token: Token = self._decoder.decode(body)
        except msgspec.MsgspecError:
            raise InvalidArgument("Error deserializing task token.") from None
        if token.namespace_id != namespace_id:
            raise InvalidArgument("Operation requested with a token from a different namespace.")
        return token
