"""A caller of one process hears of what another process commits: by messages, and by the rows without them."""

import asyncio
from collections.abc import Callable

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import (
    DeleteWorkflowExecutionRequest,
    DeleteWorkflowExecutionResponse,
    GetWorkflowExecutionHistoryResponse,
)

from orchestrator.conf import HugoSettings
from orchestrator.errors import NotFound
from orchestrator.services import run_interest
from orchestrator.services.bootstrap import Cluster
from orchestrator.services.run_interest import Interest, RunsChanged
from tests.services.callers import Caller, done, running, until
from tests.services.pair import Post, Two

COMPLETED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED
SIGNALED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED


def last_event(reply: GetWorkflowExecutionHistoryResponse) -> int:
    return reply.history.events[-1].event_type


async def test_a_result_is_heard_of_from_the_process_that_commits_it(cluster: Two) -> None:
    execution = await cluster.far.start_workflow("w")
    waiting = await cluster.waits_for_close(execution)
    await cluster.far.signal_run(execution)
    await cluster.far.finish(execution)
    assert last_event(await done(waiting)) == COMPLETED


async def test_nothing_is_told_of_a_run_whose_close_is_waited_for_until_it_closes(cluster: Two) -> None:
    execution = await cluster.far.start_workflow("w")
    waiting = await cluster.waits_for_close(execution)
    await cluster.hears_of(execution)
    for _ in range(5):
        await cluster.far.signal_run(execution)
    await cluster.far.finish(execution)
    await done(waiting)
    (told,) = cluster.messages(RunsChanged)
    assert list(told.versions) == [execution.run_id]


async def test_the_next_event_is_heard_of(cluster: Two) -> None:
    execution = await cluster.far.start_workflow("w")
    waiting = await cluster.waits_for_more(execution)
    await cluster.far.signal_run(execution)
    assert last_event(await done(waiting)) == SIGNALED


async def test_a_run_that_nobody_waits_for_is_told_of_to_nobody(cluster: Two) -> None:
    waited, other = await cluster.far.start_workflow("w"), await cluster.far.start_workflow("other")
    waiting = await cluster.waits_for_more(waited)
    for _ in range(3):
        await cluster.far.signal_run(other)
    await cluster.far.signal_run(waited)
    await done(waiting)
    assert {run for told in cluster.messages(RunsChanged) for run in told.versions} == {waited.run_id}


async def test_callers_of_one_moment_are_announced_in_one_message(cluster: Two) -> None:
    executions = [await cluster.far.start_workflow(f"w{number}") for number in range(20)]
    before = len(cluster.messages(Interest))
    run_waiters = cluster.near.engine.run_waiters
    key = cluster.near.engine.key(await cluster.near.engine.namespace("default"), "w0")
    for execution in executions:
        run_waiters.subscribe(key_of(key.shard_id, execution), closing=True)
        run_waiters.subscribe(key_of(key.shard_id, execution), closing=True)
    await until(lambda: len(cluster.messages(Interest)) > before)
    (announced,) = cluster.messages(Interest)[before:]
    assert sorted(announced.closes) == sorted(execution.run_id for execution in executions)


def key_of(shard_id: int, execution: WorkflowExecution) -> run_interest.RunKey:
    return run_interest.RunKey(shard_id, execution.run_id)


async def test_a_change_that_overtakes_the_interest_is_told_when_the_interest_arrives(cluster: Two) -> None:
    execution = await cluster.far.start_workflow("w")
    cluster.post.keeps = True
    waiting = await cluster.waits_for_close(execution)
    await cluster.far.finish(execution)
    assert not waiting.done()
    cluster.post.deliver_late()
    assert last_event(await done(waiting)) == COMPLETED


async def test_doubled_messages_change_nothing(cluster: Two) -> None:
    cluster.post.times = 3
    execution = await cluster.far.start_workflow("w")
    for _ in range(3):
        waiting = await cluster.waits_for_more(execution)
        await cluster.far.signal_run(execution)
        reply = await done(waiting)
        assert [event.event_type for event in reply.history.events] == [SIGNALED]


async def test_a_message_that_is_late_wakes_nobody(cluster: Two) -> None:
    execution = await cluster.far.start_workflow("w")
    waiting = await cluster.waits_for_more(execution)
    await cluster.hears_of(execution)
    cluster.post.keeps = True
    await cluster.far.signal_run(execution)
    await until(lambda: cluster.post.late)
    await cluster.near.signal_run(execution, "second")
    await done(waiting)
    again = await cluster.waits_for_more(execution)
    cluster.post.deliver_late()
    await asyncio.sleep(0)
    assert not again.done()
    await cluster.near.signal_run(execution, "third")
    assert last_event(await done(again)) == SIGNALED


async def test_the_rows_tell_when_all_messages_are_lost(deaf: Two) -> None:
    execution = await deaf.far.start_workflow("w")
    more = await deaf.waits_for_more(execution)
    await deaf.far.signal_run(execution)
    assert last_event(await done(more)) == SIGNALED
    result = await deaf.waits_for_close(execution)
    await deaf.far.finish(execution)
    assert last_event(await done(result)) == COMPLETED


async def test_a_process_that_cannot_hear_others_looks_at_the_rows_sooner(on_postgres: Cluster) -> None:
    two = Two(on_postgres, Post())
    alone = two.near = Caller(None, "alone", on_postgres)
    async with running(alone, two.far):
        execution = await two.far.start_workflow("w")
        waiting = await two.waits_for_close(execution)
        await two.far.finish(execution)
        assert last_event(await done(waiting)) == COMPLETED


async def test_no_rows_are_looked_at_when_nobody_waits(deaf: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[run_interest.RunKey]] = []
    store = deaf.near.engine.store
    real = store.versions
    monkeypatch.setattr(store, "versions", lambda runs: (asked.append(list(runs)), real(runs))[1])
    execution = await deaf.far.start_workflow("w")
    waiting = await deaf.waits_for_close(execution)
    await until(lambda: asked)
    await deaf.far.finish(execution)
    await done(waiting)
    await until(lambda: not deaf.near.engine.run_waiters.waiting())
    turns = count_turns(deaf.near.engine.run_interest, monkeypatch)
    seen = len(asked)
    await until(lambda: turns() >= 3)
    assert len(asked) == seen
    assert {len(runs) for runs in asked} == {1}


def count_turns(interest: run_interest.RunInterest, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How often it came to look from now on."""
    turns: list[None] = []
    forget = interest._forget
    monkeypatch.setattr(interest, "_forget", lambda: (turns.append(None), forget())[1])
    return lambda: len(turns)


async def test_a_newcomer_learns_what_the_others_wait_for(cluster: Two, on_postgres: Cluster) -> None:
    execution = await cluster.far.start_workflow("w")
    waiting = await cluster.waits_for_close(execution)
    third = Caller(cluster.hub, "third", on_postgres)
    async with running(third):
        await until(lambda: third.engine.run_interest._wishes, "the interest of the others")
        await third.finish(execution)
        assert last_event(await done(waiting)) == COMPLETED


async def test_who_waits_for_a_run_that_is_deleted_elsewhere_is_told(cluster: Two) -> None:
    execution = await cluster.far.start_workflow("w")
    waiting = await cluster.waits_for_more(execution)
    request = DeleteWorkflowExecutionRequest(workflow_execution=execution)
    await cluster.far.call("DeleteWorkflowExecution", request, DeleteWorkflowExecutionResponse)
    try:
        assert last_event(await done(waiting)) == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED
    except NotFound:
        pass  # gone before it was read


async def test_who_waits_for_a_run_hears_that_it_is_gone(cluster: Two) -> None:
    execution = await cluster.far.start_workflow("w")
    waiting = await cluster.waits_for_more(execution)
    await cluster.hears_of(execution)
    cluster.far.engine.run_interest.deleted(execution.run_id)
    await cluster.hears(RunsChanged)
    await until(lambda: all(each.version for each in cluster.near.engine.run_waiters.waiting()))
    assert not waiting.done()
    await cluster.far.terminate(execution)
    await done(waiting)


async def test_an_interest_that_is_not_renewed_is_forgotten(
    on_postgres: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_interest, "LIFETIME", 0.2)
    two = Two(on_postgres, Post(), HugoSettings(waiters_interval=0.05))
    async with running(two.near, two.far):
        execution = await two.far.start_workflow("w")
        waiting = await two.waits_for_close(execution)
        await until(lambda: two.far.engine.run_interest._wishes)
        waiting.cancel()
        await until(lambda: not two.far.engine.run_interest._wishes)


async def test_a_process_that_drains_answers_who_waits(cluster: Two) -> None:
    execution = await cluster.far.start_workflow("w")
    waiting = await cluster.waits_for_close(execution)
    cluster.near.engine.drain()
    reply = await done(waiting)
    assert not reply.history.events
    assert reply.next_page_token
