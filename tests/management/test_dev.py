"""`hugo dev`: what it prints, serves and survives, and how it ends."""

import os
import re
import signal
import sqlite3
import time
import urllib.request
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import grpc
import psycopg
import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from temporalio.api.common.v1 import WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import TaskQueueType, WorkflowExecutionStatus
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeWorkflowExecutionRequest,
    GetSystemInfoRequest,
    PollWorkflowTaskQueueRequest,
    PollWorkflowTaskQueueResponse,
    StartWorkflowExecutionRequest,
)
from temporalio.api.workflowservice.v1.service_pb2_grpc import WorkflowServiceStub

from tests.management.command import dev, gone, run, wait_for

RUNNING = WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING
EVENT = re.compile(r"^ +(\d+) +\d+\.\d{3} s  (\w+)")
TASK = ["WorkflowTaskScheduled", "WorkflowTaskStarted", "WorkflowTaskCompleted"]
ACTIVITY = ["ActivityTaskScheduled", "ActivityTaskStarted", "ActivityTaskCompleted"]
HISTORY = [
    "WorkflowExecutionStarted",
    *(TASK + ACTIVITY) * 3,
    *TASK,
    "TimerStarted",
    "TimerFired",
    *TASK,
    "WorkflowExecutionSignaled",
    *TASK,
    "WorkflowExecutionCompleted",
]


@pytest.fixture(params=["envoy", "aio"])
def transport(request: pytest.FixtureRequest) -> str:
    """Each transport."""
    name: str = request.param
    return name


def start(stub: WorkflowServiceStub, workflow_id: str) -> "grpc.Future":
    """Starts a workflow no worker will ever take up."""
    return stub.StartWorkflowExecution.future(
        StartWorkflowExecutionRequest(
            namespace="default",
            workflow_id=workflow_id,
            workflow_type=WorkflowType(name="Idle"),
            task_queue=TaskQueue(name="nobody"),
            request_id=workflow_id,
        ),
        timeout=30,
    )


QUIET = TaskQueue(name="quiet")


def poll(identity: str) -> PollWorkflowTaskQueueRequest:
    """A poll that nothing will answer."""
    return PollWorkflowTaskQueueRequest(namespace="default", task_queue=QUIET, identity=identity)


def pollers(stub: WorkflowServiceStub) -> int:
    """How many workers the server has seen polling."""
    request = DescribeTaskQueueRequest(
        namespace="default", task_queue=QUIET, task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW
    )
    return len(stub.DescribeTaskQueue(request, timeout=30).pollers)


def status(stub: WorkflowServiceStub, workflow_id: str) -> int:
    """The status of a workflow."""
    execution = WorkflowExecution(workflow_id=workflow_id)
    request = DescribeWorkflowExecutionRequest(namespace="default", execution=execution)
    found: int = stub.DescribeWorkflowExecution(request, timeout=30).workflow_execution_info.status
    return found


def test_both_ports_are_served(tmp_path: Path, transport: str) -> None:
    with dev(tmp_path / "data", "--no-sample", "--transport", transport) as command:
        command.ready()
        with grpc.insecure_channel(command.grpc) as channel:
            info = WorkflowServiceStub(channel).GetSystemInfo(GetSystemInfoRequest(), timeout=30)
        assert info.server_version == "1.30.1"
        with urllib.request.urlopen(f"http://{command.http}/admin/login/", timeout=30) as page:
            assert page.status == 200
        assert f'Client.connect("{command.grpc}")' in command.until("Client.connect")
        assert command.end() == 0
        assert command.errors == ""


def test_sample_runs_to_its_end(tmp_path: Path, database_url: str) -> None:
    sample_is_whole(tmp_path, "envoy", url=database_url)


def test_sample_runs_without_envoy_and_without_a_database_url(tmp_path: Path) -> None:
    sample_is_whole(tmp_path, "aio", url=None)
    assert (tmp_path / "data" / "hugo.sqlite3").stat().st_size > 0


def sample_is_whole(tmp_path: Path, transport: str, url: str | None) -> None:
    done = run(tmp_path / "data", "--once", "--transport", transport, url=url)
    assert (done.returncode, done.stderr) == (0, "")
    events = [match.groups() for line in done.stdout.splitlines() if (match := EVENT.match(line))]
    assert events == [(str(number), name) for number, name in enumerate(HISTORY, 1)]
    told = re.sub(r"[0-9a-f]{8}\b", "ID", done.stdout)
    for expected in (
        "activity reserve: 2 x espresso machine put aside",
        "activity charge: failed, the payment gateway does not answer (attempt 1)",
        "activity charge: failed, the payment gateway does not answer (attempt 2)",
        "activity charge: 499.00 taken at attempt 3",
        "attempt 3, after: the payment gateway does not answer (attempt 2)",
        "query    status() -> 'in transit'",
        "query    status() -> 'waiting for a signature'",
        "signal   delivered('Ada')",
        'WorkflowExecutionSignaled       delivered("Ada")',
        "Receipt(reservation='reservation-ID', payment='payment-ID', parcel='parcel-ID', signed_by='Ada')",
    ):
        assert told.count(expected) == 1, expected


def test_history_is_printed_while_the_workflow_runs(tmp_path: Path) -> None:
    with dev(tmp_path / "data") as command:
        command.until("TimerStarted")
        before = time.monotonic()
        command.until("TimerFired")
        assert time.monotonic() - before > 1.0
        command.until("WorkflowExecutionCompleted")
        command.until("Your turn")
        assert command.end() == 0


def test_a_sample_that_fails_fails_once(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    (broken / "examples" / "order").mkdir(parents=True)
    for name in ("examples/__init__.py", "examples/order/__init__.py"):
        (broken / name).touch()
    (broken / "examples/order/__main__.py").write_text("raise SystemExit('no coffee left')\n")
    # The directory of manage.py comes before PYTHONPATH, hence the early import.
    site = broken / "sitecustomize.py"
    site.write_text(
        "import sys, pathlib; sys.path.insert(0, str(pathlib.Path(__file__).parent)); import examples.order\n"
    )
    done = run(tmp_path / "data", "--once", PYTHONPATH=str(broken))
    assert (done.returncode, done.stderr) == (1, "no coffee left\n")


def test_sigterm_ends_polls_empty(tmp_path: Path, transport: str) -> None:
    with dev(tmp_path / "data", "--no-sample", "--transport", transport) as command:
        command.ready()
        with grpc.insecure_channel(command.grpc) as channel:
            stub = WorkflowServiceStub(channel)
            polls = [stub.PollWorkflowTaskQueue.future(poll(f"poller-{number}"), timeout=60) for number in range(20)]
            wait_for(lambda: pollers(stub) == 20, "the server has all polls")
            before = time.monotonic()
            assert command.end() == 0
            assert time.monotonic() - before < 5
            assert [poll.result(timeout=10) for poll in polls] == [PollWorkflowTaskQueueResponse()] * 20
        assert command.errors == ""


def test_sigterm_finishes_commits_and_nothing_acknowledged_is_lost(tmp_path: Path, transport: str) -> None:
    data = tmp_path / "data"
    with dev(data, "--no-sample", "--transport", transport) as command:
        command.ready()
        with grpc.insecure_channel(command.grpc) as channel:
            stub = WorkflowServiceStub(channel)
            starts = {f"w{number}": start(stub, f"w{number}") for number in range(300)}
            starts["w20"].result()
            assert command.end() == 0
            acknowledged = [id for id, call in starts.items() if call.exception() is None]
    with dev(data, "--no-sample", "--transport", transport) as command:
        command.ready()
        with grpc.insecure_channel(command.grpc) as channel:
            stub = WorkflowServiceStub(channel)
            assert "w20" in acknowledged
            assert {status(stub, id) for id in acknowledged} == {RUNNING}
        assert command.end() == 0


def test_a_new_database_has_a_login_for_the_developer(tmp_path: Path) -> None:
    data = tmp_path / "data"
    login = "/admin/ (user admin, password admin)"
    with dev(data, "--no-sample") as command:
        assert command.until("HTTP").endswith(login)
        command.ready()
        with sqlite3.connect(data / "hugo.sqlite3") as database:
            users = database.execute("SELECT username, password, is_superuser FROM auth_user").fetchall()
        database.close()
        assert [(name, PBKDF2PasswordHasher().verify("admin", hashed), power) for name, hashed, power in users] == [
            ("admin", True, 1)
        ]
        assert command.end() == 0
    with dev(data, "--no-sample") as command:
        assert command.until("HTTP").endswith("/admin/")
        command.ready()
        assert command.end() == 0


def test_a_shared_database_gets_no_login(tmp_path: Path, postgres_url: str) -> None:
    with dev(tmp_path / "data", "--no-sample", url=postgres_url) as command:
        assert command.until("HTTP").endswith("/admin/")
        command.ready()
        with psycopg.connect(postgres_url) as client:
            assert client.execute("SELECT count(*) FROM auth_user").fetchone() == (0,)
        assert command.end() == 0


def test_an_interrupt_ends_it_too(tmp_path: Path) -> None:
    with dev(tmp_path / "data", "--no-sample") as command:
        command.ready()
        assert command.end(signal.SIGINT) == 0


def test_sigterm_in_the_middle_of_the_sample(tmp_path: Path, transport: str) -> None:
    with dev(tmp_path / "data", "--transport", transport) as command:
        command.until("TimerStarted")
        children = command.children()
        before = time.monotonic()
        assert command.end() == 0
        assert time.monotonic() - before < 5
        assert any("examples.order" in line for line in children.values())
        assert all(gone(child) for child in children)
        assert command.errors == ""


def test_no_child_outlives_a_killed_parent(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with dev(data) as command:
        command.until("TimerStarted")
        children = command.children()
        assert len(children) == 2, children
        os.kill(command.process.pid, signal.SIGKILL)
        wait_for(lambda: all(gone(child) for child in children), "the children end")
    with dev(data, "--no-sample") as command:
        command.ready()
        assert command.end() == 0


def test_two_servers_migrate_one_database_in_turn(tmp_path: Path, postgres_server: str) -> None:
    name = f"hugo_{uuid.uuid4().hex}"
    url = urlsplit(postgres_server)._replace(path=f"/{name}").geturl()
    with psycopg.connect(postgres_server, autocommit=True) as client:
        client.execute(f"CREATE DATABASE {name}")
        try:
            first, second = (dev(tmp_path / part, "--no-sample", url=url) for part in ("one", "two"))
            with first as one, second as two:
                one.ready()
                two.ready()
                assert (one.end(), two.end()) == (0, 0)
                # Whoever stays a moment longer says which shards it takes over.
                said = (one.errors + two.errors).splitlines()
                taken = " INFO orchestrator.services.shard_controller: "
                assert [line for line in said if taken not in line] == []
        finally:
            client.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_second_server_on_the_same_file_is_refused(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with dev(data, "--no-sample") as command:
        command.ready()
        done = run(data, "--no-sample")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == (
            f"hugo: Another server (process {command.process.pid}) uses {data / 'hugo.sqlite3'}: a SQLite file is for "
            "one server; stop that one, name another directory with --data, or set DATABASE_URL to a PostgreSQL "
            "database.\n"
        )
        with grpc.insecure_channel(command.grpc) as channel:
            start(WorkflowServiceStub(channel), "still-serving").result()
        assert command.end() == 0
