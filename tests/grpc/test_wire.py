"""What both transports put on the wire and take from it."""

import base64
import gzip
import json
import zlib
from collections.abc import Iterator
from urllib.parse import unquote

import grpc
import pytest
from google.rpc.status_pb2 import Status
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from temporalio.api.errordetails.v1 import NamespaceNotFoundFailure

from orchestrator.errors import Code
from orchestrator.grpc.framing import MESSAGE_LIMIT
from tests.grpc.http2 import Connection, framed
from tests.grpc.server import Server


class Refused(Exception):
    """The status of a call that was refused."""

    def __init__(self, error: grpc.RpcError) -> None:
        self.code: grpc.StatusCode = error.code()
        self.text: str = error.details()
        self.trailers = dict(error.trailing_metadata())


def refused(server: Server, name: str, request: bytes = b"", service: str = "test.Wire", **options: object) -> Refused:
    """The refusal of a call."""
    with pytest.raises(grpc.RpcError) as caught:
        server.method(name, service)(request, timeout=30, **options)
    return Refused(caught.value)


class TestFrames:
    @pytest.mark.parametrize("message", [b"", b"x", bytes(range(256)) * 200])
    def test_a_message_comes_back(self, connection: Connection, message: bytes) -> None:
        stream = connection.begin("Echo")
        rest = framed(message)
        while len(rest) > 16384:
            connection.send(stream, rest[:16384])
            rest = rest[16384:]
        connection.send(stream, rest, end=True)
        answer = connection.answer(stream)
        assert answer.headers[":status"] == "200"
        assert answer.headers["content-type"] == "application/grpc"
        assert answer.status == Code.OK
        assert answer.message == message

    def test_frames_may_be_cut_anywhere(self, connection: Connection) -> None:
        body = framed(b"hello")
        answer = connection.call("Echo", *(body[at : at + 1] for at in range(len(body))))
        assert answer.message == b"hello"

    def test_the_end_may_come_alone(self, connection: Connection) -> None:
        assert connection.call("Echo", framed(b"hello"), b"").message == b"hello"

    def test_content_type_may_name_the_codec(self, connection: Connection) -> None:
        answer = connection.call("Echo", framed(b"x"), headers=(("content-type", "application/grpc+proto"),))
        assert answer.message == b"x"


class TestNonsense:
    """gRPC's own library answers these with silence or a reset, our ASGI application with words."""

    @pytest.fixture
    def connection(self, envoy: Server) -> Iterator[Connection]:
        with Connection(envoy.port) as made:
            yield made

    @pytest.mark.parametrize(
        ("body", "text"),
        [
            (b"", "the request ended before its message did"),
            (b"\0\0\0", "the request ended before its message did"),
            (framed(b"hello")[:-1], "the request ended before its message did"),
            (framed(b"hello") + framed(b"again"), "received more than one message"),
            (framed(b"hello", flag=2), "received unexpected payload format 2"),
            (framed(b"hello", flag=1), "compressed flag set with identity or empty encoding"),
        ],
    )
    def test_not_one_message_is_refused(self, connection: Connection, body: bytes, text: str) -> None:
        answer = connection.call("Echo", body)
        assert answer.status == Code.INTERNAL
        assert text in answer.headers["grpc-message"]

    def test_a_message_too_many_may_come_late(self, connection: Connection) -> None:
        assert connection.call("Echo", framed(b"hello"), framed(b"again")).status == Code.INTERNAL

    def test_what_is_not_grpc_is_refused(self, connection: Connection) -> None:
        answer = connection.call("Echo", b"{}", headers=(("content-type", "application/json"),))
        assert answer.headers[":status"] == "415"

    @pytest.mark.parametrize("timeout", ["", "70", "S", "-1S", "123456789S", "7 S"])
    def test_a_malformed_timeout_is_refused(self, connection: Connection, timeout: str) -> None:
        answer = connection.call("Echo", framed(b"hello"), headers=(("grpc-timeout", timeout),))
        assert answer.status == Code.INTERNAL
        assert "malformed grpc-timeout" in answer.headers["grpc-message"]

    def test_malformed_binary_metadata_is_refused(self, connection: Connection) -> None:
        answer = connection.call("Metadata", framed(b""), headers=(("a-bin", "!"),))
        assert answer.status == Code.INTERNAL


class TestCompression:
    def test_gzip_is_understood(self, connection: Connection) -> None:
        body = framed(gzip.compress(b"hello" * 1000), flag=1)
        answer = connection.call("Echo", body[:7], body[7:], headers=(("grpc-encoding", "gzip"),))
        assert answer.message == b"hello" * 1000

    def test_a_message_may_stay_uncompressed(self, connection: Connection) -> None:
        assert connection.call("Echo", framed(b"hello"), headers=(("grpc-encoding", "gzip"),)).message == b"hello"

    def test_an_empty_message_may_be_compressed(self, server: Server) -> None:
        assert server.method("Echo")(b"", compression=grpc.Compression.Gzip) == b""

    def test_a_library_may_compress(self, server: Server) -> None:
        message = b"hello" * 100_000
        assert server.method("Echo")(message, compression=grpc.Compression.Gzip) == message

    def test_deflate_is_refused(self, server: Server, connection: Connection) -> None:
        body = framed(zlib.compress(b"hello" * 1000), flag=1)
        answer = connection.call("Echo", body, headers=(("grpc-encoding", "deflate"),))
        assert answer.status == Code.UNIMPLEMENTED
        if server.transport == "envoy":
            assert answer.headers["grpc-accept-encoding"] == "identity,gzip"

    def test_a_bomb_is_not_unpacked(self, server: Server) -> None:
        bomb = b"\0" * (8 * MESSAGE_LIMIT)
        told = refused(server, "Echo", bomb, compression=grpc.Compression.Gzip)
        assert told.code == grpc.StatusCode.RESOURCE_EXHAUSTED
        limit = f"({MESSAGE_LIMIT + 1} vs. {MESSAGE_LIMIT})"
        assert told.text == f"grpc: received message after decompression larger than max {limit}"

    def test_broken_gzip_is_refused(self, connection: Connection) -> None:
        broken = gzip.compress(b"hello" * 1000)[:-12]
        answer = connection.call("Echo", framed(broken, flag=1), headers=(("grpc-encoding", "gzip"),))
        assert answer.status == Code.INTERNAL


class TestSizes:
    def test_the_limit_itself_is_accepted(self, server: Server) -> None:
        message = b"x" * MESSAGE_LIMIT
        assert server.method("Echo")(message, timeout=30) == message

    @pytest.mark.parametrize("size", [MESSAGE_LIMIT + 1, 20_000_000])
    def test_more_is_refused_in_the_words_sdks_match(self, server: Server, size: int) -> None:
        told = refused(server, "Echo", b"x" * size)
        assert told.code == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert told.text == f"grpc: received message larger than max ({size} vs. {MESSAGE_LIMIT})"

    def test_the_connection_survives(self, server: Server) -> None:
        refused(server, "Echo", b"x" * (MESSAGE_LIMIT + 1))
        assert server.method("Echo")(b"after") == b"after"


class TestMetadata:
    def test_the_handler_sees_what_was_sent(self, server: Server) -> None:
        sent = (("temporal-namespace", "default"), ("trace-bin", b"\0\xff\x01"), ("twice", "a"), ("twice", "b"))
        seen = json.loads(server.method("Metadata")(b"", metadata=sent, timeout=60))
        assert seen["method"] == "/test.Wire/Metadata"
        assert seen["text"].pop("user-agent").startswith("grpc-python/")
        assert seen["text"] == {"temporal-namespace": "default", "twice": "b"}
        assert seen["binary"] == {"trace-bin": base64.b64encode(b"\0\xff\x01").decode()}
        assert 0 < seen["remaining"] <= 61

    def test_without_a_timeout_there_is_no_deadline(self, server: Server) -> None:
        assert json.loads(server.method("Metadata")(b""))["remaining"] is None

    @pytest.mark.parametrize("timeout", ["70S", "2M", "1H", "90000m", "90000000u", "1000000n"])
    def test_every_unit_of_a_timeout(self, connection: Connection, timeout: str) -> None:
        answer = connection.call("Metadata", framed(b""), headers=(("grpc-timeout", timeout),))
        assert answer.status in (Code.OK, Code.DEADLINE_EXCEEDED)
        assert answer.status == Code.OK or timeout == "1000000n"

    def test_binary_values_may_be_padded(self, connection: Connection) -> None:
        for value in ("AAE", "AAE="):
            answer = connection.call("Metadata", framed(b""), headers=(("a-bin", value),))
            assert json.loads(answer.message)["binary"] == {"a-bin": "AAE="}


class TestErrors:
    def test_a_detail_arrives(self, server: Server) -> None:
        told = refused(server, "Refuse")
        assert told.code == grpc.StatusCode.NOT_FOUND
        assert told.text == "Namespace näme%\n is not found."
        status = Status.FromString(told.trailers["grpc-status-details-bin"])
        assert (status.code, status.message) == (Code.NOT_FOUND, told.text)
        detail = NamespaceNotFoundFailure()
        assert len(status.details) == 1
        assert status.details[0].Unpack(detail)
        assert detail.namespace == "näme%\n"

    def test_without_detail_there_is_no_status_message(self, server: Server) -> None:
        told = refused(server, "Refuse", b"plain words")
        assert (told.code, told.text) == (grpc.StatusCode.INVALID_ARGUMENT, "plain words")
        assert "grpc-status-details-bin" not in told.trailers

    def test_a_long_text_arrives(self, server: Server) -> None:
        assert refused(server, "Refuse", b"long " * 1000).text == "long " * 1000

    def test_a_refusal_is_headers_alone(self, connection: Connection) -> None:
        answer = connection.call("Refuse", framed(b""))
        assert answer.in_headers
        assert answer.body == b""
        assert unquote(answer.headers["grpc-message"]) == "Namespace näme%\n is not found."

    def test_an_exception_is_not_shown(self, server: Server) -> None:
        told = refused(server, "Raise")
        assert told.code == grpc.StatusCode.INTERNAL
        assert told.text.startswith("something went wrong, please retry")
        assert "secret" not in told.text

    def test_an_unreadable_request_says_so(self, server: Server) -> None:
        told = refused(server, "Parse", b"\xff\xff\xff")
        assert told.code == grpc.StatusCode.INTERNAL
        assert told.text.startswith("grpc: error unmarshalling request: ")

    def test_an_unknown_method(self, server: Server) -> None:
        told = refused(server, "NoSuchMethod")
        assert told.code == grpc.StatusCode.UNIMPLEMENTED
        assert told.text == "unknown method NoSuchMethod for service test.Wire"

    def test_an_unknown_service(self, server: Server) -> None:
        told = refused(server, "Method", service="no.such.Service")
        assert (told.code, told.text) == (grpc.StatusCode.UNIMPLEMENTED, "unknown service no.such.Service")


class TestHealth:
    SERVICE = "grpc.health.v1.Health"

    @pytest.mark.parametrize(
        "service",
        ["", "temporal.api.workflowservice.v1.WorkflowService", "temporal.api.operatorservice.v1.OperatorService"],
    )
    def test_what_is_served_is_healthy(self, server: Server, service: str) -> None:
        reply = server.method("Check", self.SERVICE)(HealthCheckRequest(service=service).SerializeToString())
        assert HealthCheckResponse.FromString(reply).status == HealthCheckResponse.SERVING

    def test_an_unknown_service(self, server: Server) -> None:
        told = refused(server, "Check", HealthCheckRequest(service="no.such").SerializeToString(), self.SERVICE)
        assert (told.code, told.text) == (grpc.StatusCode.NOT_FOUND, "unknown service")

    def test_watch_is_not_served(self, server: Server) -> None:
        told = refused(server, "Watch", service=self.SERVICE)
        assert told.code == grpc.StatusCode.UNIMPLEMENTED
        assert told.text == "unknown method Watch for service grpc.health.v1.Health"


class TestConnections:
    def test_pings_are_answered_without_a_call(self, connection: Connection) -> None:
        connection.ping()
        assert connection.call("Echo", framed(b"x")).message == b"x"

    def test_many_calls_share_a_connection(self, connection: Connection) -> None:
        streams = [connection.begin("Echo") for _ in range(100)]
        for number, stream in enumerate(streams):
            connection.send(stream, framed(b"%d" % number), end=True)
        assert [connection.answer(stream).message for stream in streams] == [b"%d" % n for n in range(100)]
