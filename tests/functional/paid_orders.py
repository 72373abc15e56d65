"""Orders that are started, paid for twice and waited for while something goes wrong, and what of them is stored."""

import asyncio
import uuid
from collections.abc import Callable, Sequence
from datetime import timedelta

from temporalio.api.common.v1 import WorkflowExecution, WorkflowType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import SignalWorkflowExecutionRequest, StartWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.converter import default as default_converter

from tests.functional.order import Log
from tests.functional.stored import check_stored
from tests.functional.workers import all_of, insist

AT_ONCE = 24


async def order(client: Client, task_queue: str, workflow_id: str) -> str:
    """Starts an order, pays for it twice, waits for its end, and returns the acknowledged run id."""
    payloads = await default_converter().encode([2])
    start = StartWorkflowExecutionRequest(
        namespace="default",
        workflow_id=workflow_id,
        workflow_type=WorkflowType(name="Order"),
        task_queue=TaskQueue(name=task_queue),
        request_id=str(uuid.uuid4()),
    )
    start.input.payloads.extend(payloads)
    start.workflow_task_timeout.FromTimedelta(timedelta(seconds=2))
    started = await insist(lambda: client.workflow_service.start_workflow_execution(start))
    for _ in range(2):
        pay = SignalWorkflowExecutionRequest(
            namespace="default",
            workflow_execution=WorkflowExecution(workflow_id=workflow_id, run_id=started.run_id),
            signal_name="pay",
            request_id=str(uuid.uuid4()),
        )
        await insist(lambda pay=pay: client.workflow_service.signal_workflow_execution(pay))
    handle = client.get_workflow_handle(workflow_id, run_id=started.run_id)
    assert await insist(handle.result) == ["reserve", "ship"]
    return started.run_id


async def all_orders(clients: Sequence[Client], task_queue: str, count: int, first: int = 0) -> dict[str, str]:
    """The run ids of so many orders, numbered from the first, by their workflow ids; the clients take turns."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> tuple[str, str]:
        async with places:
            workflow_id = f"order-{number}"
            return workflow_id, await order(clients[number % len(clients)], task_queue, workflow_id)

    return dict(await asyncio.gather(*(one(number) for number in range(first, first + count))))


async def executed(steps: int, pause: Callable[[], float] = lambda: 0.01) -> None:
    """Returns once activities were executed so often."""
    while Log.executed.total() < steps:
        await asyncio.sleep(pause())


def check_orders(url: str, acknowledged: dict[str, str]) -> None:
    """Asserts that what is stored are these runs and no others, and that all they did was done once."""
    stored = check_stored(url)
    assert {state.workflow_id: run_id for run_id, state in stored.states.items()} == acknowledged
    for events in stored.histories.values():
        assert len(all_of(events, "WORKFLOW_EXECUTION_SIGNALED")) == 2
        assert len(all_of(events, "ACTIVITY_TASK_COMPLETED")) == 2
        assert len(all_of(events, "TIMER_FIRED")) == 1
        assert len(all_of(events, "WORKFLOW_EXECUTION_COMPLETED")) == 1
