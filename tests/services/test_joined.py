"""Starts and signals inside a transaction of the caller: they share its fate, and workers hear of them after it."""

import dataclasses
import threading
import time
import uuid
from collections.abc import Callable, Iterator

import pytest
from django.db import connection, transaction
from temporalio.api.common.v1 import WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import EventType, WorkflowIdConflictPolicy, WorkflowIdReusePolicy
from temporalio.api.history.v1 import History
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryResponse,
    PollWorkflowTaskQueueRequest,
    PollWorkflowTaskQueueResponse,
    SignalWorkflowExecutionRequest,
    StartWorkflowExecutionRequest,
    StartWorkflowExecutionResponse,
    TerminateWorkflowExecutionRequest,
)

from orchestrator.core import state as states
from orchestrator.core.enforcement import OverLimit
from orchestrator.errors import InvalidArgument, WorkflowClosed, WorkflowExecutionAlreadyStarted, WorkflowNotFound
from orchestrator.models import (
    CurrentExecution,
    DispatchTask,
    Execution,
    HistoryNode,
    Shard,
    TimerTask,
    VisibilityRecord,
)
from orchestrator.services.change_workflow import signal_workflow_execution, terminate_workflow_execution
from orchestrator.services.current import current_engine, forget_detached
from orchestrator.services.engine import Engine
from orchestrator.services.start_workflow import start_workflow_execution
from orchestrator.store.ports import VersionConflict
from tests.support.engines import RunningEngine

TABLES = (CurrentExecution, Execution, HistoryNode, DispatchTask, TimerTask, VisibilityRecord)
QUEUE = "orders"


class Rollback(Exception):
    """Ends a block that must not be committed."""


@pytest.fixture
def engine(default_database: str) -> Iterator[Engine]:
    """The engine of a process that serves nothing."""
    forget_detached()
    yield current_engine()
    forget_detached()


@pytest.fixture
def server(default_database: str) -> Iterator[RunningEngine]:
    """A running engine in this process."""
    with RunningEngine() as running:
        yield running


def start(engine: Engine, workflow_id: str, **fields: object) -> StartWorkflowExecutionResponse:
    request = StartWorkflowExecutionRequest(
        namespace="default",
        workflow_id=workflow_id,
        workflow_type=WorkflowType(name="Order"),
        task_queue=TaskQueue(name=QUEUE),
        **fields,  # type: ignore[arg-type]
    )
    return engine.execute_joined(start_workflow_execution(engine, engine.namespaces.load("default"), request)).response


def signal(engine: Engine, workflow_id: str, name: str = "paid") -> None:
    request = SignalWorkflowExecutionRequest(
        namespace="default", workflow_execution=WorkflowExecution(workflow_id=workflow_id), signal_name=name
    )
    engine.execute_joined(signal_workflow_execution(engine, engine.namespaces.load("default"), request))


def terminate(engine: Engine, workflow_id: str) -> None:
    request = TerminateWorkflowExecutionRequest(
        namespace="default", workflow_execution=WorkflowExecution(workflow_id=workflow_id), reason="test"
    )
    engine.execute_joined(terminate_workflow_execution(engine, engine.namespaces.load("default"), request))


def rows() -> dict[str, int]:
    """How many rows each table has."""
    return {model.__name__: model.objects.count() for model in TABLES}


def workflows() -> list[str]:
    """The workflow ids there are, and that every table tells the same of them."""
    ids = sorted(CurrentExecution.objects.values_list("workflow_id", flat=True))
    assert sorted(Execution.objects.values_list("workflow_id", flat=True)) == ids
    assert sorted(VisibilityRecord.objects.values_list("workflow_id", flat=True)) == ids
    assert sorted(DispatchTask.objects.values_list("workflow_id", flat=True)) == ids
    assert HistoryNode.objects.filter(first_event_id=1).count() == len(ids)
    return ids


def signals(workflow_id: str) -> int:
    """How many signals the history of a workflow has; its event ids are checked."""
    run_id = CurrentExecution.objects.get(workflow_id=workflow_id).run_id
    events = [
        event
        for node in HistoryNode.objects.filter(branch_id=run_id).order_by("first_event_id")
        for event in History.FromString(bytes(node.events)).events
    ]
    assert [event.event_id for event in events] == list(range(1, len(events) + 1))
    return sum(event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED for event in events)


def test_commits_with_the_caller(engine: Engine) -> None:
    with transaction.atomic():
        start(engine, "a")
        Shard.objects.filter(id=1).update(owner="me")
        signal(engine, "a")
        assert signals("a") == 1
    assert workflows() == ["a"]
    assert signals("a") == 1
    assert Shard.objects.get(id=1).owner == "me"


@pytest.mark.parametrize("how", ["exception", "set_rollback"])
def test_rolls_back_with_the_outermost_transaction(engine: Engine, how: str) -> None:
    with transaction.atomic():
        start(engine, "before")
    before = rows()
    try:
        with transaction.atomic():
            start(engine, "a")
            signal(engine, "before")
            with transaction.atomic():
                start(engine, "b")
                signal(engine, "b")
            if how == "exception":
                raise Rollback
            transaction.set_rollback(True)
    except Rollback:
        assert how == "exception"
    assert rows() == before
    assert workflows() == ["before"]
    assert signals("before") == 0


@pytest.mark.parametrize("how", ["exception", "set_rollback", "savepoint_rollback"])
def test_rolls_back_with_a_savepoint(engine: Engine, how: str) -> None:
    with transaction.atomic():
        start(engine, "kept")
        if how == "savepoint_rollback":
            savepoint = transaction.savepoint()
            start(engine, "lost")
            signal(engine, "kept")
            transaction.savepoint_rollback(savepoint)
        else:
            try:
                with transaction.atomic():
                    start(engine, "lost")
                    signal(engine, "kept")
                    if how == "exception":
                        raise Rollback
                    transaction.set_rollback(True)
            except Rollback:
                pass
        signal(engine, "kept", "again")
    assert workflows() == ["kept"]
    assert signals("kept") == 1


@pytest.mark.parametrize("survivors", [0, 1, 2, 3])
def test_rolls_back_at_each_level(engine: Engine, survivors: int) -> None:
    """Three levels, of which the innermost ones fail; what the others did stays."""

    def level(depth: int) -> None:
        try:
            with transaction.atomic():
                start(engine, f"level-{depth}")
                signal(engine, "level-1")
                if depth < 3:
                    level(depth + 1)
                if depth > survivors:
                    raise Rollback
        except Rollback:
            pass

    level(1)
    assert workflows() == [f"level-{depth}" for depth in range(1, survivors + 1)]
    if survivors:
        assert signals("level-1") == survivors


def test_a_refused_call_leaves_the_transaction_usable(engine: Engine) -> None:
    with transaction.atomic():
        first = start(engine, "a")
        with pytest.raises(WorkflowExecutionAlreadyStarted):
            start(engine, "a")
        with pytest.raises(WorkflowNotFound):
            signal(engine, "nobody")
        with pytest.raises(InvalidArgument):
            start(engine, "b" * 1001)
        signal(engine, "a")
    assert workflows() == ["a"]
    assert str(CurrentExecution.objects.get().run_id) == first.run_id
    assert signals("a") == 1


def test_a_call_that_breaks_halfway_leaves_nothing(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the caller catches the error and commits."""
    written = []

    from orchestrator.store import sql

    original = sql.SqlSession.write

    def write(session: sql.SqlSession, changes: object) -> None:
        original(session, changes)  # type: ignore[arg-type]
        written.append(rows())
        raise RuntimeError("broken")

    with transaction.atomic():
        start(engine, "a")
        monkeypatch.setattr(sql.SqlSession, "write", write)
        with pytest.raises(RuntimeError):
            start(engine, "b")
        with pytest.raises(RuntimeError):
            signal(engine, "a")
        monkeypatch.undo()
        signal(engine, "a")
    assert written[0]["Execution"] == 2
    assert workflows() == ["a"]
    assert signals("a") == 1


def test_needs_no_open_transaction(engine: Engine) -> None:
    start(engine, "a")
    signal(engine, "a")
    assert workflows() == ["a"]
    assert signals("a") == 1


def test_a_conflict_is_repeated(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    from orchestrator.store import sql

    original, failures = sql.SqlSession.write, [VersionConflict("a"), VersionConflict("b")]

    def write(session: sql.SqlSession, changes: object) -> None:
        original(session, changes)  # type: ignore[arg-type]
        if failures:
            raise failures.pop()

    monkeypatch.setattr(sql.SqlSession, "write", write)
    with transaction.atomic():
        start(engine, "a")
    assert failures == []
    assert workflows() == ["a"]


def test_handed_over_after_the_outer_commit_only(server: RunningEngine) -> None:
    assert current_engine() is server.engine
    poll = server.begin("PollWorkflowTaskQueue", poll_request())
    until(lambda: waiting(server.engine))
    with transaction.atomic():
        with transaction.atomic():
            started = start(server.engine, "a")
        time.sleep(0.3)
        assert not poll.arrived
    begun = time.monotonic()
    task = poll.get(PollWorkflowTaskQueueResponse)
    assert task.workflow_execution.run_id == started.run_id
    assert len(task.history.events) == 3
    assert time.monotonic() - begun < 0.5  # no sweep was needed
    assert DispatchTask.objects.count() == 0


def test_nothing_is_handed_over_after_a_rollback(server: RunningEngine) -> None:
    poll = server.begin("PollWorkflowTaskQueue", poll_request(), seconds=4.0)
    until(lambda: waiting(server.engine))
    with transaction.atomic():
        start(server.engine, "outer")
        try:
            with transaction.atomic():
                start(server.engine, "lost")
                raise Rollback
        except Rollback:
            pass
        transaction.set_rollback(True)
    assert poll.get(PollWorkflowTaskQueueResponse).task_token == b""
    assert rows() == dict.fromkeys(rows(), 0)


def test_another_process_is_found_by_the_sweep(server: RunningEngine) -> None:
    """As from a process that serves nothing: its engine cannot reach the polls."""
    detached = detached_engine()
    poll = server.begin("PollWorkflowTaskQueue", poll_request())
    until(lambda: waiting(server.engine))
    with transaction.atomic():
        started = start(detached, "a")
    assert poll.get(PollWorkflowTaskQueueResponse).workflow_execution.run_id == started.run_id
    assert detached.matching._queues == {}


def test_history_waiters_hear_of_it(server: RunningEngine) -> None:
    with transaction.atomic():
        start(server.engine, "a")
    request = GetWorkflowExecutionHistoryRequest(
        namespace="default", execution=WorkflowExecution(workflow_id="a"), wait_new_event=True
    )
    first = server.call("GetWorkflowExecutionHistory", request, GetWorkflowExecutionHistoryResponse)
    assert len(first.history.events) == 2
    request.next_page_token = first.next_page_token
    waiting_read = server.begin("GetWorkflowExecutionHistory", request)
    time.sleep(0.3)
    assert not waiting_read.arrived
    with transaction.atomic():
        terminate(server.engine, "a")
        time.sleep(0.2)
        assert not waiting_read.arrived
    begun = time.monotonic()
    event = waiting_read.get(GetWorkflowExecutionHistoryResponse).history.events[0]
    assert event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED
    assert time.monotonic() - begun < 1


def test_the_lanes_see_what_was_joined(server: RunningEngine) -> None:
    """Their cached state is of an older version, or of the one that came back with a rollback."""
    engine = server.engine
    server.call("StartWorkflowExecution", lane_start("a"), StartWorkflowExecutionResponse)
    for round in range(3):
        with transaction.atomic():
            signal(engine, "a")
        server.run(engine.execute(signal_of(engine, "a")))
        with transaction.atomic():
            signal(engine, "a")
            transaction.set_rollback(True)
        server.run(engine.execute(signal_of(engine, "a")))
        assert signals("a") == 3 * (round + 1)


def test_signals_from_both_sides_at_once(server: RunningEngine) -> None:
    engine = server.engine
    server.call("StartWorkflowExecution", lane_start("a"), StartWorkflowExecutionResponse)

    def join() -> None:
        for _ in range(10):
            with transaction.atomic():
                signal(engine, "a")
        connection.close()

    threads = [threading.Thread(target=join) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        server.run(engine.execute(signal_of(engine, "a")))
    for thread in threads:
        thread.join()
    assert signals("a") == 40


@pytest.mark.parametrize("closed_run_before", [False, True])
def test_one_open_run_when_both_sides_start(server: RunningEngine, closed_run_before: bool) -> None:
    engine = server.engine
    for round in range(8):
        workflow_id = f"a-{round}"
        if closed_run_before:
            with transaction.atomic():
                start(engine, workflow_id)
                terminate(engine, workflow_id)
        outcomes: list[str] = []
        barrier = threading.Barrier(3)

        def join(workflow_id: str = workflow_id, outcomes: list[str] = outcomes, barrier=barrier) -> None:  # type: ignore[no-untyped-def]
            barrier.wait()
            try:
                with transaction.atomic():
                    outcomes.append(start(engine, workflow_id).run_id)
            except WorkflowExecutionAlreadyStarted:
                pass
            connection.close()

        threads = [threading.Thread(target=join) for _ in range(2)]
        for thread in threads:
            thread.start()
        barrier.wait()
        try:
            reply = server.call("StartWorkflowExecution", lane_start(workflow_id), StartWorkflowExecutionResponse)
            outcomes.append(reply.run_id)
        except WorkflowExecutionAlreadyStarted:
            pass
        for thread in threads:
            thread.join()
        assert len(outcomes) == 1
        assert str(CurrentExecution.objects.get(workflow_id=workflow_id).run_id) == outcomes[0]


def test_start_over_a_running_one(engine: Engine) -> None:
    """Two runs of one workflow in one transaction."""
    with transaction.atomic():
        first = start(engine, "a")
        second = start(
            engine,
            "a",
            workflow_id_conflict_policy=WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING,
            workflow_id_reuse_policy=WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
        )
    assert first.run_id != second.run_id
    assert str(CurrentExecution.objects.get().run_id) == second.run_id
    assert DispatchTask.objects.get().run_id == uuid.UUID(second.run_id)


def test_an_engine_is_built_inside_a_transaction(default_database: str) -> None:
    """The first caller of a process may have one open; building must not close its connection."""
    forget_detached()
    with transaction.atomic():
        Shard.objects.filter(id=1).update(owner="me")
        start(current_engine(), "a")
    assert Shard.objects.get(id=1).owner == "me"
    assert workflows() == ["a"]
    forget_detached()


def detached_engine() -> Engine:
    """The engine of a process without a server."""
    from orchestrator.services import current

    return current._build_detached()


def poll_request() -> PollWorkflowTaskQueueRequest:
    return PollWorkflowTaskQueueRequest(namespace="default", task_queue=TaskQueue(name=QUEUE), identity="worker")


def lane_start(workflow_id: str) -> StartWorkflowExecutionRequest:
    return StartWorkflowExecutionRequest(
        namespace="default",
        workflow_id=workflow_id,
        workflow_type=WorkflowType(name="Order"),
        task_queue=TaskQueue(name=QUEUE),
        request_id=str(uuid.uuid4()),
    )


def signal_of(engine: Engine, workflow_id: str):  # type: ignore[no-untyped-def]
    request = SignalWorkflowExecutionRequest(
        namespace="default", workflow_execution=WorkflowExecution(workflow_id=workflow_id), signal_name="paid"
    )
    return signal_workflow_execution(engine, engine.namespaces.load("default"), request)


def waiting(engine: Engine) -> bool:
    """Whether a poll waits."""
    return any(queue.waiting for queue in engine.matching._queues.values())


def until(condition: Callable[[], bool]) -> None:
    """Returns when a condition holds."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_run_over_its_limits_is_ended_by_the_call_that_is_refused(engine: Engine) -> None:
    engine.unit_of_work.limits = dataclasses.replace(engine.limits, history_count=3)
    start(engine, "order-1")
    signal(engine, "order-1")
    signal(engine, "order-1")
    with transaction.atomic():
        with pytest.raises(OverLimit, match=r"^Workflow history count exceeds limit\.$"):
            signal(engine, "order-1")
        assert not VisibilityRecord.objects.filter(status=states.RUNNING)
    with pytest.raises(WorkflowClosed):
        signal(engine, "order-1")
