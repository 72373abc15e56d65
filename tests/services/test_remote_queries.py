"""Queries whose caller is at one process and whose worker is at another one."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import QueryRejectCondition, QueryResultType
from temporalio.api.query.v1 import WorkflowQuery, WorkflowQueryResult
from temporalio.api.taskqueue.v1 import StickyExecutionAttributes, TaskQueue
from temporalio.api.workflowservice.v1 import (
    PollWorkflowTaskQueueResponse,
    QueryWorkflowRequest,
    QueryWorkflowResponse,
    RespondQueryTaskCompletedRequest,
    RespondQueryTaskCompletedResponse,
)

from orchestrator.core.run import WORKFLOW
from orchestrator.errors import DeadlineExceeded, NotFound, QueryFailed
from orchestrator.services import queries
from orchestrator.services.bootstrap import Cluster
from orchestrator.services.pollers import QueueKey
from orchestrator.services.query_messages import (
    AnswerReceived,
    QueryAnswered,
    QueryAsked,
    QueryReleased,
    QueryTaken,
    QueryWithdrawn,
)
from tests.core import builders as build
from tests.services.callers import END, QUEUE, Caller, done, running, until
from tests.services.pair import Two

ANSWERED = QueryResultType.QUERY_RESULT_TYPE_ANSWERED
FAILED = QueryResultType.QUERY_RESULT_TYPE_FAILED
STICKY = "sticky"
Asked = asyncio.Task[QueryWorkflowResponse]


async def idle(two: Two, *, sticky: bool = False) -> WorkflowExecution:
    """A run without a workflow task ahead, whose worker is at the far process."""
    execution = await two.far.start_workflow("w")
    fields: dict[str, Any] = {}
    if sticky:
        fields["sticky_attributes"] = StickyExecutionAttributes(
            worker_task_queue=TaskQueue(name=STICKY), schedule_to_start_timeout=build.seconds(5)
        )
    await two.far.answer(await two.far.take(), **fields)
    return execution


def ask(member: Caller, execution: WorkflowExecution, seconds: float = 20, **fields: Any) -> Asked:
    """Begins to query a run."""
    request = QueryWorkflowRequest(execution=execution, query=WorkflowQuery(query_type="state"), **fields)
    return member.begin("QueryWorkflow", request, QueryWorkflowResponse, seconds)


async def served(member: Caller, other: Caller, queue: str = QUEUE) -> "asyncio.Task[PollWorkflowTaskQueueResponse]":
    """A poll that waits at a member, and that another one knows of."""
    polling = asyncio.create_task(member.take(queue))
    key = QueueKey((await other.engine.namespace("default")).id, queue, WORKFLOW)
    await until(lambda: polling.done() or other.engine.matching.elsewhere(key), "the presence of a poll")
    return polling


async def respond(member: Caller, task: PollWorkflowTaskQueueResponse, **fields: Any) -> None:
    """A worker answers a query task."""
    request = RespondQueryTaskCompletedRequest(
        task_token=task.task_token,
        **{"completed_type": ANSWERED, "query_result": build.payloads("42"), **fields},  # type: ignore[arg-type]
    )
    await member.call("RespondQueryTaskCompleted", request, RespondQueryTaskCompletedResponse)


def answered(response: QueryWorkflowResponse) -> bool:
    return response.query_result == build.payloads("42")


def result() -> WorkflowQueryResult:
    return WorkflowQueryResult(result_type=ANSWERED, answer=build.payloads("42"))


async def test_a_query_is_answered_by_a_worker_of_another_process(cluster: Two) -> None:
    execution = await idle(cluster)
    polling = await served(cluster.far, cluster.near)
    asked = ask(cluster.near, execution)
    task = await done(polling)
    assert task.query.query_type == "state"
    assert task.workflow_execution == execution
    assert [event.event_id for event in task.history.events] == [1, 2, 3, 4]
    await respond(cluster.far, task)
    assert answered(await done(asked))


async def test_the_answer_may_arrive_at_any_process(cluster: Two, on_postgres: Cluster) -> None:
    third = Caller(cluster.hub, "third", on_postgres)
    async with running(third):
        execution = await idle(cluster)
        polling = await served(cluster.far, cluster.near)
        asked = ask(cluster.near, execution)
        await respond(third, await done(polling))
        assert answered(await done(asked))


async def test_a_failed_query_fails_for_its_caller(cluster: Two) -> None:
    execution = await idle(cluster)
    polling = await served(cluster.far, cluster.near)
    asked = ask(cluster.near, execution)
    await respond(cluster.far, await done(polling), completed_type=FAILED, error_message="no")
    with pytest.raises(QueryFailed, match="no"):
        await done(asked)


async def test_a_sticky_worker_of_another_process_is_asked_first(cluster: Two) -> None:
    execution = await idle(cluster, sticky=True)
    normal = await served(cluster.far, cluster.near)
    sticky = await served(cluster.far, cluster.near, STICKY)
    asked = ask(cluster.near, execution)
    task = await done(sticky)
    assert not task.history.events
    await respond(cluster.far, task)
    assert answered(await done(asked))
    assert not normal.done()
    normal.cancel()


async def test_a_closed_run_is_queried_in_another_process(cluster: Two) -> None:
    execution = await cluster.far.start_workflow("w")
    await cluster.far.finish(execution)
    rejected = await done(
        ask(
            cluster.near,
            execution,
            query_reject_condition=QueryRejectCondition.QUERY_REJECT_CONDITION_NOT_OPEN,
        )
    )
    assert rejected.HasField("query_rejected")
    polling = await served(cluster.far, cluster.near)
    asked = ask(cluster.near, execution)
    await respond(cluster.far, await done(polling))
    assert answered(await done(asked))


async def test_nobody_waits_for_a_late_or_second_answer(cluster: Two) -> None:
    execution = await idle(cluster)
    polling = await served(cluster.far, cluster.near)
    asked = ask(cluster.near, execution)
    task = await done(polling)
    await respond(cluster.far, task)
    await done(asked)
    with pytest.raises(NotFound, match="query task not found, or already expired"):
        await respond(cluster.far, task)


async def test_an_answer_to_a_process_that_is_gone_is_not_found(
    cluster: Two, on_postgres: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "RECEIPT_S", 0.05)
    third = Caller(cluster.hub, "third", on_postgres)
    async with running(third):
        execution = await idle(cluster)
        polling = await served(cluster.far, third)
        asked = ask(third, execution)
        task = await done(polling)
        asked.cancel()
    with pytest.raises(NotFound):
        await respond(cluster.far, task)


@pytest.mark.parametrize("kind", [QueryAsked, QueryTaken, QueryAnswered, AnswerReceived, QueryWithdrawn])
async def test_any_one_message_of_a_query_may_be_lost(
    cluster: Two, kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "OFFER_S", 0.1)
    monkeypatch.setattr(queries, "RECEIPT_S", 0.1)
    execution = await idle(cluster)
    polling = await served(cluster.far, cluster.near)
    cluster.lose_first(kind)
    asked = ask(cluster.near, execution)
    while not asked.done():
        task = await done(polling)
        polling = asyncio.create_task(cluster.far.take())
        try:
            await respond(cluster.far, task)
        except NotFound:
            assert kind is AnswerReceived
        await asyncio.wait({asked, polling}, return_when=asyncio.FIRST_COMPLETED)
    assert answered(await asked)
    polling.cancel()


async def test_doubled_messages_answer_a_query_once(cluster: Two) -> None:
    cluster.post.times = 3
    execution = await idle(cluster)
    polling = await served(cluster.far, cluster.near)
    asked = ask(cluster.near, execution)
    await respond(cluster.far, await done(polling))
    assert answered(await done(asked))


async def test_a_query_whose_process_does_not_find_a_worker_is_taken_to_another_one(
    cluster: Two, on_postgres: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "OFFER_S", 0.1)
    third = Caller(cluster.hub, "third", on_postgres)
    async with running(third):
        execution = await idle(cluster)
        other = await served(third, cluster.near)
        # The far process is thought to have a poll, and has none.
        gone = await served(cluster.far, cluster.near)
        gone.cancel()
        asked = ask(cluster.near, execution)
        await respond(third, await done(other))
        assert answered(await done(asked))


async def test_a_query_whose_process_dies_with_it_is_asked_elsewhere(
    cluster: Two, on_postgres: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "LIFE_SIGN_S", 0.1)
    third = Caller(cluster.hub, "third", on_postgres)
    async with running(third):
        execution = await idle(cluster)
        polling = await served(third, cluster.near)
        asked = ask(cluster.near, execution)
        await done(polling)
        await cluster.hears(QueryTaken)
    spare = await served(cluster.far, cluster.near)
    await respond(cluster.far, await done(spare))
    assert answered(await done(asked))


async def test_a_query_whose_worker_dies_is_asked_again(cluster: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "ANSWER_S", 0.1)
    execution = await idle(cluster)
    polling = await served(cluster.far, cluster.near)
    asked = ask(cluster.near, execution)
    await done(polling)
    await respond(cluster.far, await done(await served(cluster.far, cluster.near)))
    assert answered(await done(asked))


async def test_a_query_whose_caller_gave_up_is_not_given_to_a_worker(cluster: Two) -> None:
    execution = await idle(cluster)
    gone = await served(cluster.far, cluster.near)
    gone.cancel()
    asked = ask(cluster.near, execution)
    await cluster.hears(QueryAsked)
    asked.cancel()
    await cluster.hears(QueryWithdrawn)
    polling = asyncio.create_task(cluster.far.take())
    await cluster.far.signal_run(execution)
    assert not (await done(polling)).HasField("query")


async def test_a_query_that_nobody_answers_ends_with_the_time_of_its_caller(cluster: Two) -> None:
    execution = await idle(cluster)
    polling = await served(cluster.far, cluster.near)
    asked = ask(cluster.near, execution, seconds=1.5)
    await done(polling)
    with pytest.raises(DeadlineExceeded):
        await done(asked)


# Queries that travel with a workflow task.


async def busy(two: Two) -> WorkflowExecution:
    """A run with a workflow task ahead."""
    execution = await two.far.start_workflow("w")
    await two.far.answer(await two.far.take())
    await two.far.signal_run(execution)
    return execution


def known(member: Caller) -> Callable[[], object]:
    """Whether a member knows of a query that travels."""
    return lambda: member.engine.queries._buffered


async def test_a_query_travels_with_a_workflow_task_that_another_process_starts(cluster: Two) -> None:
    execution = await busy(cluster)
    asked = ask(cluster.near, execution)
    await until(known(cluster.far))
    task = await cluster.far.take()
    (query_id,) = task.queries
    assert task.queries[query_id].query_type == "state"
    await cluster.far.answer(task, query_results={query_id: result()})
    assert answered(await done(asked))
    await until(lambda: not cluster.far.engine.queries._buffered)


async def test_the_completion_may_arrive_at_a_process_that_does_not_know_the_query(
    cluster: Two, on_postgres: Cluster
) -> None:
    execution = await busy(cluster)
    asked = ask(cluster.near, execution)
    await until(known(cluster.far))
    task = await cluster.far.take()
    third = Caller(cluster.hub, "third", on_postgres)
    async with running(third):
        await third.answer(task, END, query_results=dict.fromkeys(task.queries, result()))
        assert answered(await done(asked))


async def test_a_query_that_its_workflow_task_left_unanswered_gets_a_task_of_its_own(cluster: Two) -> None:
    execution = await busy(cluster)
    asked = ask(cluster.near, execution)
    await until(known(cluster.far))
    task = await cluster.far.take()
    polling = await served(cluster.far, cluster.near)
    await cluster.far.answer(task)
    await cluster.hears(QueryReleased)
    await respond(cluster.far, await done(polling))
    assert answered(await done(asked))


@pytest.mark.parametrize("kind", [QueryAsked, QueryAnswered, QueryReleased, QueryWithdrawn])
async def test_any_one_message_of_a_query_that_travels_may_be_lost(cluster: Two, kind: type) -> None:
    execution = await busy(cluster)
    cluster.lose_first(kind)
    asked = ask(cluster.near, execution)
    await until(known(cluster.near))
    if kind is not QueryAsked:
        await until(known(cluster.far))
    task = await cluster.far.take()
    results = {} if kind is QueryReleased else dict.fromkeys(task.queries, result())
    await cluster.far.answer(task, query_results=results)
    polling = asyncio.create_task(cluster.far.take())
    await asyncio.wait({asked, polling}, return_when=asyncio.FIRST_COMPLETED)
    if not asked.done():
        await respond(cluster.far, await done(polling))
    assert answered(await done(asked))
    polling.cancel()


async def test_a_query_of_a_run_that_is_terminated_elsewhere_does_not_wait_for_a_workflow_task(cluster: Two) -> None:
    execution = await busy(cluster)
    asked = ask(cluster.near, execution)
    await until(known(cluster.far))
    await cluster.far.terminate(execution)
    polling = asyncio.create_task(cluster.far.take())
    await respond(cluster.far, await done(polling))
    assert answered(await done(asked))
