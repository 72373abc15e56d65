"""`hugo frontend`: several processes on one port, the supervisor of some, and what is refused."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from temporalio.api.workflowservice.v1 import GetSystemInfoRequest
from temporalio.api.workflowservice.v1.service_pb2_grpc import WorkflowServiceStub

from tests.management.command import Command, frontend, frontend_line, gone, run_line, wait_for
from tests.support.databases import Databases


@pytest.fixture(params=["envoy", "aio"])
def transport(request: pytest.FixtureRequest) -> str:
    """Each transport."""
    name: str = request.param
    return name


@pytest.fixture
def empty_postgres(databases: Databases, postgres_server: str) -> Iterator[str]:
    """A database that nobody has migrated."""
    url = databases.empty_postgres()
    yield url
    databases.drop(url)


def answers(address: str) -> bool:
    """Whether a new connection is answered."""
    with grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        stub = WorkflowServiceStub(channel)
        return bool(stub.GetSystemInfo(GetSystemInfoRequest(), wait_for_ready=True, timeout=30).server_version)


def serving(command: Command) -> set[int]:
    """The processes a supervisor has."""
    return set(command.children())


def refused(*arguments: str, url: str | None, **more: str) -> str:
    """The sentence of a frontend that does not start."""
    done = run_line(frontend_line(*arguments), url, **more)
    assert (done.returncode, done.stdout) == (2, ""), done
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr.strip()


def test_two_frontends_share_a_port(tmp_path: Path, postgres_url: str, transport: str) -> None:
    with frontend(tmp_path, postgres_url, "--transport", transport) as first:
        port = first.ready().grpc.rpartition(":")[2]
        with frontend(tmp_path, postgres_url, "--transport", transport, "--grpc-port", port) as second:
            assert second.ready().grpc == first.grpc
            assert first.end() == 0
            assert answers(second.grpc)
            assert second.end() == 0
            assert first.errors + second.errors == ""


def test_mariadb_serves_too(tmp_path: Path, mariadb_url: str) -> None:
    with frontend(tmp_path, mariadb_url, "--http-port", "0") as command:
        assert answers(command.ready().grpc)
        assert command.http != "none"
        assert command.end(signal.SIGINT) == 0


def test_supervisor_drains_all(tmp_path: Path, postgres_url: str, transport: str) -> None:
    with frontend(tmp_path, postgres_url, "--workers", "2", "--transport", transport) as command:
        command.ready()
        assert answers(command.grpc)
        workers = serving(command)
        assert len(workers) == 2
        assert command.end() == 0
        assert all(gone(worker) for worker in workers)
        assert command.errors == ""


def test_dead_worker_is_started_again(tmp_path: Path, postgres_url: str) -> None:
    with frontend(tmp_path, postgres_url, "--workers", "2") as command:
        command.ready()
        before = serving(command)
        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda: "worker 1 serves again" in command.errors or "worker 2 serves again" in command.errors, "it")
        after = serving(command)
        assert len(after) == 2
        assert victim not in after
        assert f"(process {victim}) ended with status -9; another starts in 0.5 s" in command.errors
        assert answers(command.grpc)
        assert command.end() == 0


def test_workers_end_with_a_killed_supervisor(tmp_path: Path, postgres_url: str) -> None:
    with frontend(tmp_path, postgres_url, "--workers", "2") as command:
        workers = serving(command.ready())
        command.end(signal.SIGKILL)
        wait_for(lambda: all(gone(worker) for worker in workers), "the end of the workers")


def test_sqlite_is_refused(sqlite_url: str) -> None:
    file = sqlite_url.removeprefix("sqlite:///")
    assert refused(url=sqlite_url) == (
        f"hugo: A SQLite file ({file}) is for the one process of `manage.py hugo dev`: set DATABASE_URL to a "
        "PostgreSQL, MySQL or MariaDB database, which the processes of a cluster share."
    )


def test_database_that_is_not_migrated_is_refused_until_it_may_be(tmp_path: Path, empty_postgres: str) -> None:
    said = refused("--workers", "2", url=empty_postgres)
    assert "The database lacks migrations (0001_initial, " in said
    assert said.endswith(": run `manage.py migrate`.")
    with frontend(tmp_path, empty_postgres, "--migrate", "--workers", "2") as command:
        assert answers(command.ready().grpc)
        assert command.end() == 0


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_network_nobody_said_is_trusted_is_refused(postgres_url: str, host: str) -> None:
    assert refused("--host", host, url=postgres_url) == (
        f"hugo: Whoever reaches {host} could do everything, because calls are not authenticated: listen on 127.0.0.1, "
        "or set HUGO['TRUSTED_NETWORK'] where only trusted clients reach that network."
    )


def test_trusted_network_is_served(tmp_path: Path, postgres_url: str) -> None:
    with frontend(tmp_path, postgres_url, "--host", "0.0.0.0", HUGO_TRUSTED_NETWORK="true") as command:
        port = command.until("READY").partition(" http=")[0].rpartition(":")[2]
        assert answers(f"127.0.0.1:{port}")
        assert command.end() == 0


def test_unknown_host_is_refused(postgres_url: str) -> None:
    assert refused("--host", "nowhere.invalid", url=postgres_url).startswith(
        "hugo: The host nowhere.invalid has no address: "
    )


@pytest.mark.parametrize("workers", ["1", "2"])
def test_port_that_nobody_shares_is_refused(postgres_url: str, workers: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = refused("--grpc-port", str(port), "--workers", workers, url=postgres_url)
    assert said == f"hugo: Port {port} is in use: end what listens there, or choose another with --grpc-port."
