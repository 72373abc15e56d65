"""The page tokens of histories: opaque to clients."""

import msgspec

from orchestrator.errors import InvalidArgument


class HistoryToken(msgspec.Struct, array_like=True, frozen=True):
    """Where the next page begins.

    Attributes:
        workflow_id: of the run.
        run_id: the run the pages are of.
        next_event_id: the first event of the next page.
        last_event_id: where the pages end.
        running: whether the run was open, so that there may be more to wait for.
        transient: serialized events of a transient workflow task, for the last page.
    """

    workflow_id: str
    run_id: str
    next_event_id: int
    last_event_id: int
    running: bool
    transient: list[bytes] = []


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(HistoryToken)


def encode_token(token: HistoryToken) -> bytes:
    """The bytes of a token."""
    return _encoder.encode(token)


def decode_token(data: bytes) -> HistoryToken:
    """The token of bytes a client sent back; raises InvalidArgument."""
    try:
        return _decoder.decode(data)
    except msgspec.MsgspecError:
        raise InvalidArgument("Invalid NextPageToken.") from None
