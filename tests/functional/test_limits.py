"""What a caller, a worker and the history see when a run meets a limit; the limits are small ones."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress

import pytest
from pytest_django import DjangoDbBlocker
from temporalio import workflow
from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import Header, Payload
from temporalio.api.enums.v1 import WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import TerminatedError
from temporalio.service import RPCError, RPCStatusCode

from tests.functional.conftest import new_database
from tests.functional.raw_run import Run, activity, child, external_cancel, external_signal, marker, payloads
from tests.functional.small_limits import (
    BLOB,
    HISTORY_COUNT,
    HISTORY_SIZE,
    PENDING,
    SIGNALS,
    SUGGEST_COUNT,
    SUGGEST_SIZE,
    TRANSACTION,
)
from tests.functional.stored import check_stored
from tests.functional.workers import names, new_worker, only
from tests.support.databases import Databases
from tests.support.server import Server

_F = WorkflowTaskFailedCause


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def server(
    request: pytest.FixtureRequest,
    databases: Databases,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Server]:
    """A server with small limits."""
    url = new_database(databases, request, request.param)
    settings = {"DJANGO_SETTINGS_MODULE": "tests.functional.small_limits"}
    with Server(tmp_path_factory.mktemp(f"limits-{request.param}"), url, environment=settings) as running:
        yield running
    with django_db_blocker.unblock():
        check_stored(url)
    databases.drop(url)


@pytest.fixture
async def run(client: Client, task_queue: str, workflow_id: str) -> AsyncIterator[Run]:
    """A run that was not started yet; terminated at the end, if it is still there."""
    made = Run(client, workflow_id, task_queue)
    yield made
    with suppress(RPCError):
        await client.get_workflow_handle(workflow_id).terminate()


def ended(events: list[HistoryEvent]) -> str:
    """Why the server terminated a run."""
    attributes = events[-1].workflow_execution_terminated_event_attributes
    assert attributes.identity == "history-service"
    return attributes.reason


async def test_the_call_that_finds_too_many_events_is_refused_and_ends_the_run(run: Run) -> None:
    await run.start()
    task = await run.poll()
    while task.started_event_id + 2 <= HISTORY_COUNT:
        suggested = task.history.events[-1].workflow_task_started_event_attributes.suggest_continue_as_new
        assert suggested == (task.started_event_id > SUGGEST_COUNT)
        await run.complete(task, more=True)
        task = await run.poll()
    before = task.started_event_id
    with pytest.raises(RPCError, match=r"^Workflow history count exceeds limit\.$") as raised:
        await run.complete(task, more=True)
    assert raised.value.status == RPCStatusCode.INVALID_ARGUMENT
    events = await run.events()
    assert [event.event_id for event in events] == list(range(1, before + 3))
    assert names(events[before:]) == ["WORKFLOW_TASK_FAILED", "WORKFLOW_EXECUTION_TERMINATED"]
    failed = events[-2].workflow_task_failed_event_attributes
    assert (failed.cause, failed.identity) == (_F.WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND, "history-service")
    assert ended(events) == "Workflow history count exceeds limit."
    with pytest.raises(WorkflowFailureError) as failure:
        await run.client.get_workflow_handle(run.workflow_id).result()
    assert isinstance(failure.value.cause, TerminatedError)


async def test_the_call_that_finds_too_large_a_history_is_refused_and_ends_the_run(run: Run) -> None:
    await run.start()
    for _ in range(HISTORY_SIZE // 15_000):
        await run.signal(15_000)
    with pytest.raises(RPCError, match=r"^Workflow history size exceeds limit\.$") as raised:
        await run.signal()
    assert raised.value.status == RPCStatusCode.INVALID_ARGUMENT
    events = await run.events()
    assert names(events[-2:]) == ["WORKFLOW_EXECUTION_SIGNALED", "WORKFLOW_EXECUTION_TERMINATED"]
    assert len(events) == 2 + HISTORY_SIZE // 15_000 + 1
    assert ended(events) == "Workflow history size exceeds limit."


async def test_a_poll_survives_the_end_of_the_run_it_wanted(run: Run) -> None:
    await run.start()
    for _ in range(HISTORY_SIZE // 15_000):
        await run.signal(15_000)
    other = Run(run.client, f"{run.workflow_id}-other", run.queue)
    await other.start()
    task = await run.poll()
    assert task.workflow_execution.workflow_id == other.workflow_id
    assert ended(await run.events()) == "Workflow history size exceeds limit."


async def test_commands_that_are_too_large_together_end_the_run(run: Run) -> None:
    await run.start()
    message = await run.refused(await run.poll(), *(activity(i, 15_000) for i in range(3)), marker(18_000))
    assert message.startswith("transaction size of 63")
    assert message.endswith(f" bytes exceeds limit of {TRANSACTION} bytes")
    events = await run.events()
    assert names(events[3:]) == ["WORKFLOW_TASK_FAILED", "WORKFLOW_EXECUTION_TERMINATED"]
    assert ended(events) == "Transaction size exceeds limit."


async def test_signals_that_wait_for_a_large_completion_count_too_and_are_kept(run: Run) -> None:
    await run.start()
    task = await run.poll()
    for _ in range(3):
        await run.signal(15_000)
    message = await run.refused(task, activity(1, 15_000), activity(2, 15_000))
    assert message.startswith("transaction size of 75")
    events = await run.events()
    signalled = ["WORKFLOW_EXECUTION_SIGNALED"] * 3
    assert names(events[3:]) == ["WORKFLOW_TASK_FAILED", *signalled, "WORKFLOW_EXECUTION_TERMINATED"]


async def test_a_signal_that_is_too_large_to_be_written_is_refused_and_changes_nothing(run: Run) -> None:
    await run.start()
    with pytest.raises(RPCError, match=r"^transaction size of 75\d+ bytes exceeds limit of 60000 bytes$") as raised:
        await run.signal(15_000, header=60_000)
    assert raised.value.status == RPCStatusCode.INVALID_ARGUMENT
    assert len(await run.events()) == 2
    await run.signal(10)
    assert len(await run.events()) == 3


async def test_a_start_that_is_too_large_to_be_written_starts_nothing(run: Run) -> None:
    with pytest.raises(RPCError, match=r"^transaction size of 75\d+ bytes exceeds limit of 60000 bytes$"):
        await run.start(input=payloads(15_000), header=Header(fields={"header": Payload(data=b"x" * 60_000)}))
    with pytest.raises(RPCError, match="workflow not found for ID"):
        await run.events()


@pytest.mark.parametrize(
    ("make", "cause", "what"),
    [
        (activity, "PENDING_ACTIVITIES_LIMIT_EXCEEDED", "activities"),
        (child, "PENDING_CHILD_WORKFLOWS_LIMIT_EXCEEDED", "child workflow executions"),
        (external_signal, "PENDING_SIGNALS_LIMIT_EXCEEDED", "signals to external workflows"),
        (external_cancel, "PENDING_REQUEST_CANCEL_LIMIT_EXCEEDED", "requests to cancel external workflows"),
    ],
)
async def test_too_much_pending_fails_the_workflow_task(
    run: Run, make: Callable[[int], Command], cause: str, what: str
) -> None:
    await run.start()
    message = await run.refused(await run.poll(), *(make(i) for i in range(PENDING + 1)))
    name = "".join(word.capitalize() for word in cause.split("_"))
    text = f"the number of pending {what}, {PENDING}, has reached the per-workflow limit of {PENDING}"
    assert message == f"{name}: {text}"
    events = await run.events()
    failed = only(events, "WORKFLOW_TASK_FAILED").workflow_task_failed_event_attributes
    assert failed.cause == _F.Value(f"WORKFLOW_TASK_FAILED_CAUSE_{cause}")
    assert failed.failure.message == message
    await run.complete(await run.poll())


async def test_an_input_that_is_too_large_ends_the_run(run: Run) -> None:
    await run.start()
    message = await run.refused(await run.poll(), activity(1, BLOB))
    assert message == ("BadScheduleActivityAttributes: ScheduleActivityTaskCommandAttributes.Input exceeds size limit.")
    events = await run.events()
    assert names(events[3:]) == ["WORKFLOW_TASK_FAILED", "WORKFLOW_EXECUTION_TERMINATED"]
    assert ended(events) == message


async def test_a_signal_beyond_the_allowed_number_is_refused_and_changes_nothing(run: Run) -> None:
    await run.start()
    for _ in range(SIGNALS):
        await run.signal()
    with pytest.raises(RPCError, match=r"^exceeded workflow execution limit for signal events$") as raised:
        await run.signal()
    assert raised.value.status == RPCStatusCode.INVALID_ARGUMENT
    assert len(await run.events()) == 2 + SIGNALS
    await run.complete(await run.poll())


@workflow.defn
class Counting:
    """Reports from when on it is told to continue as new."""

    def __init__(self) -> None:
        self._signals = 0

    @workflow.signal
    def signal(self, data: str) -> None:
        self._signals += 1

    @workflow.run
    async def run(self) -> tuple[int, int]:
        await workflow.wait_condition(lambda: workflow.info().is_continue_as_new_suggested())
        info = workflow.info()
        return info.get_current_history_length(), info.get_current_history_size()


async def test_a_worker_is_told_to_continue_as_new_by_the_number_of_events(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    handle = await client.start_workflow(Counting.run, id=workflow_id, task_queue=task_queue)
    for _ in range(SUGGEST_COUNT):
        await handle.signal(Counting.signal, "")
    async with new_worker(client, task_queue, workflows=[Counting]):
        length, size = await handle.result()
    assert length > SUGGEST_COUNT
    assert size < SUGGEST_SIZE


async def test_a_worker_is_told_to_continue_as_new_by_the_size_of_its_history(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    async with new_worker(client, task_queue, workflows=[Counting]):
        handle = await client.start_workflow(Counting.run, id=workflow_id, task_queue=task_queue)
        for _ in range(4):
            await handle.signal(Counting.signal, "x" * 15_000)
        length, size = await handle.result()
    assert length < SUGGEST_COUNT
    assert size >= SUGGEST_SIZE
