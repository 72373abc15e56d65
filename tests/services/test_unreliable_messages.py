"""Three members whose messages are lost, doubled, late and out of order: every caller gets the one right answer."""

import asyncio
import random
from collections.abc import Callable

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, HistoryEventFilterType, QueryResultType
from temporalio.api.protocol.v1 import Message
from temporalio.api.query.v1 import WorkflowQuery, WorkflowQueryResult
from temporalio.api.update.v1 import Request, WaitPolicy
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryResponse,
    PollWorkflowTaskQueueResponse,
    QueryWorkflowRequest,
    QueryWorkflowResponse,
    RespondQueryTaskCompletedRequest,
    RespondQueryTaskCompletedResponse,
    UpdateWorkflowExecutionRequest,
    UpdateWorkflowExecutionResponse,
)

from orchestrator.conf import HugoSettings
from orchestrator.core.update_news import COMPLETED
from orchestrator.errors import NotFound
from orchestrator.services import queries
from orchestrator.services.bootstrap import Cluster
from tests.core import builders as build
from tests.services.callers import END, Caller, running
from tests.support.hub import Hub

WORKFLOWS = 6
ROUNDS = 3
ANSWER = WorkflowQueryResult(
    result_type=QueryResultType.QUERY_RESULT_TYPE_ANSWERED, answer=build.payloads("the answer")
)


class Storm:
    """Delivers messages as chance will have it."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    def __call__(self, delivery: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(self._chance.choice((0, 1, 1, 2))):
            loop.call_later(self._chance.choice((0, 0, 0.01, 0.3)), delivery)


class Worker:
    """Takes tasks at one member, and answers them at another one."""

    def __init__(self, chance: random.Random, members: list[Caller]) -> None:
        self._chance = chance
        self._members = members
        self.accepted: list[str] = []

    async def work(self) -> None:
        """Works until it is cancelled."""
        while True:
            task = await self._chance.choice(self._members).take()
            if not task.task_token:
                continue
            try:
                await self._answer(task, self._chance.choice(self._members))
            except NotFound:
                pass  # somebody else was faster, or the word of it was lost

    async def _answer(self, task: PollWorkflowTaskQueueResponse, member: Caller) -> None:
        if task.HasField("query"):
            request = RespondQueryTaskCompletedRequest(
                task_token=task.task_token, completed_type=ANSWER.result_type, query_result=ANSWER.answer
            )
            await member.call("RespondQueryTaskCompleted", request, RespondQueryTaskCompletedResponse)
            return
        messages = [each for message in task.messages for each in self._update(message)]
        ends = any(
            event.workflow_execution_signaled_event_attributes.signal_name == "end" for event in task.history.events
        )
        await member.answer(
            task,
            *(build.protocol_message(each.id) for each in messages),
            *([END] if ends else []),
            messages=messages,
            query_results=dict.fromkeys(task.queries, ANSWER),
        )

    def _update(self, message: Message) -> list[Message]:
        """Accepts what is good, rejects what is bad."""
        update_id = message.protocol_instance_id
        request = Request()
        message.body.Unpack(request)
        if "bad" in update_id:
            return [build.rejection(update_id)]
        self.accepted.append(update_id)
        acceptance = build.acceptance(update_id, accepted_request_sequencing_event_id=message.event_id)
        return [acceptance, build.response(update_id)]


async def update(member: Caller, execution: WorkflowExecution, update_id: str) -> UpdateWorkflowExecutionResponse:
    request = UpdateWorkflowExecutionRequest(
        workflow_execution=execution,
        request=build.update_request(update_id),
        wait_policy=WaitPolicy(lifecycle_stage=COMPLETED),
    )
    return await member.call("UpdateWorkflowExecution", request, UpdateWorkflowExecutionResponse)


async def query(member: Caller, execution: WorkflowExecution) -> QueryWorkflowResponse:
    request = QueryWorkflowRequest(execution=execution, query=WorkflowQuery(query_type="state"))
    return await member.call("QueryWorkflow", request, QueryWorkflowResponse)


async def result(member: Caller, execution: WorkflowExecution) -> int:
    request = GetWorkflowExecutionHistoryRequest(
        execution=execution,
        wait_new_event=True,
        history_event_filter_type=HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT,
    )
    while True:
        reply = await member.call("GetWorkflowExecutionHistory", request, GetWorkflowExecutionHistoryResponse)
        if reply.history.events:
            return reply.history.events[0].event_type
        request.next_page_token = reply.next_page_token


async def live(chance: random.Random, members: list[Caller], number: int) -> None:
    """What one client does, each time at another member."""
    name = f"w{number}"
    execution = await chance.choice(members).start_workflow(name)
    waiting = asyncio.create_task(result(chance.choice(members), execution))
    for turn in range(ROUNDS):
        good, bad, asked = await asyncio.gather(
            update(chance.choice(members), execution, f"{name} good {turn}"),
            update(chance.choice(members), execution, f"{name} bad {turn}"),
            query(chance.choice(members), execution),
        )
        assert good.outcome.success == build.payloads("2")
        assert bad.outcome.failure.message == "not now"
        assert asked.query_result == ANSWER.answer
    await chance.choice(members).signal_run(execution, "end")
    assert await waiting == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED


@pytest.mark.parametrize("seed", range(3))
async def test_callers_get_their_answers(on_postgres: Cluster, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "RECEIPT_S", 0.1)
    monkeypatch.setattr(queries, "ANSWER_S", 0.5)
    chance = random.Random(seed)
    hub = Hub(Storm(seed))
    settings = HugoSettings(sweep_interval=0.1, waiters_interval=0.2)
    members = [Caller(hub, name, on_postgres, settings) for name in ("one", "two", "three")]
    worker = Worker(chance, members)
    async with running(*members):
        working = [asyncio.create_task(worker.work()) for _ in range(4)]
        try:
            async with asyncio.timeout(90):
                await asyncio.gather(*(live(chance, members, number) for number in range(WORKFLOWS)))
        finally:
            for each in working:
                each.cancel()
            await asyncio.gather(*working, return_exceptions=True)
    assert len(worker.accepted) == len(set(worker.accepted)) == WORKFLOWS * ROUNDS
