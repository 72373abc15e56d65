"""gRPC's five-byte prefix and the compression it announces.

Sizes are those of one unary message. The texts of the refusals are grpc-go's, because SDKs match some of them.
"""

import zlib

from orchestrator.errors import Internal, MessageTooLarge, ServiceError, Unimplemented

MESSAGE_LIMIT = 4 * 1024 * 1024
"""The largest request accepted, in bytes, compressed or not."""

PREFIX = 5
"""The length of the prefix, in bytes: a flag and a big-endian length."""

ACCEPTED_ENCODINGS = "identity,gzip"
"""What a caller may compress with, as `grpc-accept-encoding` names it."""

_GZIP = 31


def frame(message: bytes) -> bytes:
    """An uncompressed message behind its prefix."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def announced(prefix: bytes) -> int:
    """The length of the whole frame in bytes, from its first five.

    Raises:
        Internal: the flag is neither 0 nor 1.
        MessageTooLarge: the message is above MESSAGE_LIMIT; nothing more of it needs to be read.
    """
    if prefix[0] > 1:
        raise Internal(f"grpc: received unexpected payload format {prefix[0]}")
    length = int.from_bytes(prefix[1:PREFIX], "big")
    if length > MESSAGE_LIMIT:
        raise MessageTooLarge(length, MESSAGE_LIMIT)
    return PREFIX + length


def unframe(body: bytes, encoding: bytes | None) -> bytes:
    """The one message of a request body.

    Args:
        body: the whole body, already known to be as long as its prefix announces.
        encoding: the `grpc-encoding` of the request, None without one.

    Raises:
        Internal: the compressed bytes are broken, or the flag is set without an encoding.
        MessageTooLarge: the message grows above MESSAGE_LIMIT when decompressed.
        Unimplemented: the encoding is not gzip.
    """
    if not body[0]:
        return body[PREFIX:]
    if encoding is None or encoding == b"identity":
        raise Internal("grpc: compressed flag set with identity or empty encoding")
    if encoding != b"gzip":
        raise UnknownEncoding(encoding.decode("latin-1"))
    return gunzip(body[PREFIX:])


def gunzip(data: bytes) -> bytes:
    """Decompresses, never further than one byte past MESSAGE_LIMIT.

    Raises:
        Internal: the data are not gzip, or end too soon.
        MessageTooLarge: there is more than MESSAGE_LIMIT in them.
    """
    message = b""
    while data:
        member = zlib.decompressobj(_GZIP)
        try:
            message += member.decompress(data, MESSAGE_LIMIT + 1 - len(message))
        except zlib.error as error:
            raise Internal(f"grpc: failed to decompress the received message: {error}") from None
        if len(message) > MESSAGE_LIMIT:
            raise MessageTooLarge(len(message), MESSAGE_LIMIT, decompressed=True)
        if not member.eof:
            raise Internal("grpc: failed to decompress the received message: unexpected EOF")
        data = member.unused_data
    return message


class UnknownEncoding(Unimplemented):
    """The request is compressed with something else than gzip; the answer names what is accepted."""

    def __init__(self, encoding: str) -> None:
        ServiceError.__init__(self, f'grpc: Decompressor is not installed for grpc-encoding "{encoding}"')
