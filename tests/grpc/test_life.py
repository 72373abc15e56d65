"""Starting, draining and dying of both transports."""

import json
import os
import signal
import socket
import urllib.request
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckResponse

from tests.grpc.http2 import Connection
from tests.grpc.server import Server

Start = Callable[..., Server]


def test_sigterm_drains(start: Start) -> None:
    server = start()
    polls = [server.method("Hold").future(b"poll") for _ in range(50)]
    working = server.method("Finish").future(b"work")
    server.until("held poll", 50)
    server.until("held work")
    assert server.end() == 0
    assert [poll.result(timeout=10) for poll in polls] == [b""] * 50
    assert working.result(timeout=10) == b"work"
    assert server.line() == "stopped"
    server.close()
    assert server.errors == ""


def test_an_interrupt_drains_too(start: Start) -> None:
    server = start()
    assert server.end(signal.SIGINT) == 0
    assert server.line() == "stopped"


def test_a_call_that_does_not_end_is_left_behind(start: Start) -> None:
    server = start(stop_seconds=1.0)
    stuck = server.method("AskGone").future(b"stuck")
    server.until("held stuck")
    assert server.end() == 0
    assert stuck.exception(timeout=10).code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)


def test_a_busy_port_is_named(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        server = start(fails=True, port=port)
        assert server.process.returncode == 1
        assert server.errors == f"Port {port} is in use.\n"


def test_two_servers_do_not_share_a_port_by_accident(start: Start) -> None:
    first = start()
    second = start(fails=True, port=first.port)
    assert second.process.returncode == 1
    assert second.errors == f"Port {first.port} is in use.\n"


def test_two_servers_share_a_port_when_told(start: Start) -> None:
    first = start(reuse_port=True)
    second = start(reuse_port=True, port=first.port)
    assert second.port == first.port
    assert first.end() == 0
    assert second.method("Echo")(b"x", wait_for_ready=True, timeout=30) == b"x"


def test_handlers_that_cannot_start_are_reported(start: Start) -> None:
    server = start(fails=True, handlers="tests.grpc.table:BrokenTable")
    assert server.process.returncode == 1
    assert "The handlers did not start: RuntimeError: the database is on fire" in server.errors


def test_handlers_that_are_not_there_are_reported(start: Start) -> None:
    server = start(fails=True, handlers="tests.grpc.nowhere:Table")
    assert server.process.returncode == 1
    assert "The handlers did not start: ModuleNotFoundError: No module named 'tests.grpc.nowhere'" in server.errors


def test_ipv6_is_served(start: Start) -> None:
    server = start(host="::1")
    with grpc.insecure_channel(f"[::1]:{server.port}") as channel:
        assert channel.unary_unary("/test.Wire/Echo")(b"x") == b"x"


def test_health_says_not_serving_while_draining(start: Start) -> None:
    """A connection from before the drain learns it from its own health check, as long as a call is in flight."""
    server = start()
    working = server.method("Finish").future(b"work")
    server.until("held work")
    check = server.method("Check", "grpc.health.v1.Health")
    server.process.terminate()
    said = set()
    while not working.done():
        try:
            said.add(HealthCheckResponse.FromString(check(b"")).status)
        except grpc.RpcError:
            break
    assert working.result() == b"work"
    assert said <= {HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING}


def test_a_dead_envoy_is_noticed(start_envoy: Start) -> None:
    server = start_envoy()
    assert server.child is not None
    os.kill(server.child, signal.SIGKILL)
    assert server.process.wait(30) == 1
    server.close()
    assert server.errors == "The Envoy process ended unexpectedly with status -9.\n"


def test_envoy_dies_with_its_parent(start_envoy: Start) -> None:
    server = start_envoy()
    assert server.child is not None
    with Connection(server.port) as connection:
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait(30)
        connection.until_lost()
    assert not Path(f"/proc/{server.child}/exe").exists()


def test_both_ports_are_served_on_one_loop(start_envoy: Start) -> None:
    server = start_envoy()
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.http_port}/a/path", data=b"hello", headers={"X-Forwarded-For": "1.2.3.4"}
    )
    with urllib.request.urlopen(request, timeout=30) as reply:
        answer = json.load(reply)
    assert answer == {"path": "/a/path", "body": "hello", "client": "127.0.0.1", "same_loop": True}
    assert server.method("Echo")(b"x") == b"x"


def test_the_grpc_port_serves_no_http(start_envoy: Start) -> None:
    server = start_envoy()
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"http://127.0.0.1:{server.port}/admin/", timeout=30)
    caught.value.close()
    assert caught.value.code == 415


def test_an_http_application_learns_of_a_hangup(start_envoy: Start) -> None:
    server = start_envoy()
    assert server.http_port is not None
    with socket.create_connection(("127.0.0.1", server.http_port)) as client:
        client.sendall(b"GET /hold HTTP/1.1\r\nHost: test\r\n\r\n")
        assert server.line() == "holding"
    assert server.line() == "http.disconnect"


def test_without_http_there_is_one_port(start_envoy: Start) -> None:
    assert start_envoy(http_port=None).http_port is None


def test_reflection_on_request() -> None:
    from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

    with Server("aio", reflection=True) as server:
        stub = reflection_pb2_grpc.ServerReflectionStub(server.channel)
        asked = reflection_pb2.ServerReflectionRequest(list_services="")
        (answer,) = stub.ServerReflectionInfo(iter([asked]))
        names = {service.name for service in answer.list_services_response.service}
    assert {
        "temporal.api.workflowservice.v1.WorkflowService",
        "temporal.api.operatorservice.v1.OperatorService",
    } <= names
