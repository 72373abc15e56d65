"""The prefix, the bound on decompression, and the headers around them, without a transport."""

import base64
import gzip
from contextlib import suppress
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import Internal, InvalidArgument, MessageTooLarge, NamespaceNotFound
from orchestrator.grpc.framing import MESSAGE_LIMIT, PREFIX, announced, frame, gunzip, unframe
from orchestrator.grpc.metadata import metadata_of, timeout_seconds
from orchestrator.grpc.status import details, percent_encoded, refusal


@given(st.binary(max_size=2000))
def test_what_is_framed_can_be_unframed(message: bytes) -> None:
    framed = frame(message)
    assert announced(framed[:PREFIX]) == len(framed)
    assert unframe(framed, None) == message


@given(st.lists(st.binary(max_size=500), max_size=4))
def test_gzip_may_have_several_members(parts: list[bytes]) -> None:
    assert gunzip(b"".join(map(gzip.compress, parts))) == b"".join(parts)


@given(st.binary(max_size=200))
def test_nonsense_is_refused_and_nothing_else_happens(data: bytes) -> None:
    with suppress(Internal):
        gunzip(data)


@pytest.mark.parametrize("zeros", [MESSAGE_LIMIT + 1, 50 * MESSAGE_LIMIT])
def test_a_bomb_costs_no_more_than_the_limit(zeros: int) -> None:
    with pytest.raises(MessageTooLarge, match=rf"\({MESSAGE_LIMIT + 1} vs\. {MESSAGE_LIMIT}\)"):
        gunzip(gzip.compress(bytes(zeros), compresslevel=1))


def test_a_second_member_does_not_pass_the_limit() -> None:
    whole = gzip.compress(bytes(MESSAGE_LIMIT), compresslevel=1)
    assert len(gunzip(whole)) == MESSAGE_LIMIT
    with pytest.raises(MessageTooLarge):
        gunzip(whole + gzip.compress(b"x"))


@pytest.mark.parametrize(
    ("value", "seconds"), [(b"1H", 3600), (b"2M", 120), (b"70S", 70), (b"500m", 0.5), (b"10u", 1e-5), (b"1n", 1e-9)]
)
def test_units_of_timeouts(value: bytes, seconds: float) -> None:
    assert timeout_seconds(value) == pytest.approx(seconds)


@pytest.mark.parametrize("value", [b"", b"S", b"70", b"1.5S", b"-1S", b"123456789S", b"7s"])
def test_malformed_timeouts(value: bytes) -> None:
    with pytest.raises(Internal):
        timeout_seconds(value)


@given(st.binary())
def test_binary_metadata_comes_back(value: bytes) -> None:
    encoded = base64.b64encode(value)
    assert metadata_of({b"x-bin": encoded}) == {"x-bin": value}
    assert metadata_of({b"x-bin": encoded.rstrip(b"=")}) == {"x-bin": value}


def test_headers_of_the_transport_are_not_metadata() -> None:
    headers = {b"te": b"trailers", b"grpc-timeout": b"1S", b"content-type": b"application/grpc", b"client-name": b"x"}
    assert metadata_of(headers) == {"client-name": "x"}


@given(st.text())
def test_texts_are_printable_ascii_on_the_wire(text: str) -> None:
    encoded = percent_encoded(text)
    assert all(0x20 <= byte <= 0x7E for byte in encoded)
    assert unquote(encoded.decode()) == text.encode("utf-8", "replace").decode()


def test_details_are_packed_only_when_there_is_one() -> None:
    assert details(InvalidArgument("no")) is None
    packed = details(NamespaceNotFound("n"))
    assert packed is not None
    assert b"temporal.api.errordetails.v1.NamespaceNotFoundFailure" in packed


def test_an_unexpected_exception_is_logged_and_hidden(caplog: pytest.LogCaptureFixture) -> None:
    told = refusal("/a.B/C", RuntimeError("a secret"))
    assert isinstance(told, Internal)
    assert told.message.startswith("something went wrong, please retry")
    assert "secret" not in told.message
    assert "a secret" in caplog.text
    assert told.message.rpartition(" ")[2] in caplog.text
