"""Calls that end otherwise than with a reply: deadlines, hangups; and the crowd of held polls."""

from contextlib import ExitStack
from uuid import uuid4

import grpc
import pytest

from orchestrator.errors import Code
from tests.grpc.http2 import Connection, framed
from tests.grpc.server import Server

CONNECTIONS = 4
POLLS = 500
HOLD = "/test.Wire/Hold"


@pytest.fixture
def name() -> str:
    """What this test's handlers note."""
    return uuid4().hex


def test_a_handler_ends_at_the_deadline(server: Server, name: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        server.method("Hold")(name.encode(), timeout=0.3)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    server.until(f"cancelled {name}")


def test_the_server_itself_minds_the_deadline(server: Server, connection: Connection, name: str) -> None:
    """A caller that does not hang up at its deadline is told by the server."""
    answer = connection.call("Hold", framed(name.encode()), headers=(("grpc-timeout", "200m"),))
    assert answer.status == Code.DEADLINE_EXCEEDED or answer.reset is not None
    server.until(f"cancelled {name}")
    if server.transport == "envoy":
        assert answer.headers["grpc-message"] == "context deadline exceeded"


def test_a_hangup_cancels_the_handler(server: Server, name: str) -> None:
    call = server.method("Hold").future(name.encode())
    server.until(f"held {name}")
    call.cancel()
    server.until(f"cancelled {name}")


def test_a_lost_connection_cancels_the_handler(server: Server, name: str) -> None:
    with Connection(server.port) as lost:
        lost.send(lost.begin("Hold"), framed(name.encode()), end=True)
        server.until(f"held {name}")
    server.until(f"cancelled {name}")


def test_a_poll_that_waits_is_left_alone(server: Server, connection: Connection, name: str) -> None:
    """Several sweeps later the caller that is still there has not been cancelled."""
    stream = connection.begin("AskGone")
    connection.send(stream, framed(name.encode()), end=True)
    server.until(f"held {name}")
    with pytest.raises(grpc.RpcError):
        server.method("Hold")(uuid4().hex.encode(), timeout=1.0)
    server.method("Release")(name.encode())
    server.until(f"there {name}")
    assert connection.answer(stream).status == Code.OK


def test_a_handler_may_ask_whether_its_caller_is_there(server: Server, connection: Connection, name: str) -> None:
    stream = connection.begin("AskGone")
    connection.send(stream, framed(name.encode()), end=True)
    server.until(f"held {name}")
    connection.reset(stream)
    # The same connection, so the server has read the hangup before this.
    assert connection.call("Release", framed(name.encode())).status == Code.OK
    server.until(f"gone {name}")


def test_a_hangup_in_the_middle_of_a_request_harms_nobody(server: Server, connection: Connection) -> None:
    stream = connection.begin("Echo")
    connection.send(stream, framed(b"hello")[:6])
    connection.reset(stream)
    assert connection.call("Echo", framed(b"hello")).message == b"hello"


def test_a_crowd_of_held_polls_beside_quick_calls(server: Server, name: str) -> None:
    echo = server.method("Echo")
    with ExitStack() as stack:
        channels = [stack.enter_context(server.connect()) for _ in range(CONNECTIONS)]
        polls = [channel.unary_unary(HOLD).future(name.encode()) for channel in channels for _ in range(POLLS)]
        server.until(f"held {name}", len(polls))
        for number in range(200):
            assert echo(b"%d" % number, timeout=30) == b"%d" % number
        assert not any(poll.done() for poll in polls)
        for poll in polls:
            poll.cancel()
        server.until(f"cancelled {name}", len(polls))
