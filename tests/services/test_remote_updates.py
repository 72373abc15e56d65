"""Updates whose caller is at one process and whose worker is at another one."""

import asyncio

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.protocol.v1 import Message
from temporalio.api.update.v1 import UpdateRef, WaitPolicy
from temporalio.api.workflowservice.v1 import (
    ExecuteMultiOperationRequest,
    ExecuteMultiOperationResponse,
    PollWorkflowExecutionUpdateRequest,
    PollWorkflowExecutionUpdateResponse,
    PollWorkflowTaskQueueResponse,
    UpdateWorkflowExecutionRequest,
    UpdateWorkflowExecutionResponse,
)

from orchestrator.core.update_news import ACCEPTED, COMPLETED
from orchestrator.errors import NotFound
from orchestrator.services.run_interest import RunsChanged
from orchestrator.services.update_waiters import UpdatesRefused, UpdateWaiter
from tests.core import builders as build
from tests.services.callers import END, Caller, done, until
from tests.services.pair import Two

Asked = asyncio.Task[UpdateWorkflowExecutionResponse]


def update(execution: WorkflowExecution, stage: int = COMPLETED) -> UpdateWorkflowExecutionRequest:
    return UpdateWorkflowExecutionRequest(
        workflow_execution=execution,
        request=build.update_request(),
        wait_policy=WaitPolicy(lifecycle_stage=stage),  # type: ignore[arg-type]
    )


async def ready(two: Two) -> WorkflowExecution:
    """A run whose first workflow task is done, at the process of the worker."""
    execution = await two.far.start_workflow("w")
    await two.far.answer(await two.far.take())
    return execution


async def ask(two: Two, execution: WorkflowExecution, stage: int = COMPLETED) -> Asked:
    """Sends an update, and returns once its caller waits."""
    request = update(execution, stage)
    asked = two.near.begin("UpdateWorkflowExecution", request, UpdateWorkflowExecutionResponse)
    await until(lambda: asked.done() or two.near.engine.update_waiters._waiting)
    return asked


def waiting(two: Two) -> list[UpdateWaiter]:
    """The callers who wait for an update."""
    return [waiter for waiters in two.near.engine.update_waiters._waiting.values() for waiter in waiters]


async def answer(worker: Caller, *messages: Message) -> PollWorkflowTaskQueueResponse:
    """Takes the workflow task that carries the update, and answers it."""
    task = await worker.take()
    assert [message.protocol_instance_id for message in task.messages] == ["update"]
    commands = [build.protocol_message(message.id) for message in messages]
    await worker.answer(task, *commands, messages=messages)
    return task


def succeeded(response: UpdateWorkflowExecutionResponse | PollWorkflowExecutionUpdateResponse) -> bool:
    return response.outcome.success == build.payloads("2")


async def test_an_update_that_a_worker_elsewhere_completes(cluster: Two) -> None:
    asked = await ask(cluster, await ready(cluster))
    await answer(cluster.far, build.acceptance(), build.response())
    assert succeeded(await done(asked))


async def test_an_update_that_a_worker_elsewhere_accepts_and_completes_later(cluster: Two) -> None:
    execution = await ready(cluster)
    accepted = await ask(cluster, execution, ACCEPTED)
    completed = cluster.near.begin("UpdateWorkflowExecution", update(execution), UpdateWorkflowExecutionResponse)
    await answer(cluster.far, build.acceptance())
    assert (await done(accepted)).stage == ACCEPTED
    await cluster.far.signal_run(execution)
    task = await cluster.far.take()
    message = build.response()
    await cluster.far.answer(task, build.protocol_message(message.id), messages=[message])
    assert succeeded(await done(completed))


async def test_an_update_that_a_worker_elsewhere_rejects(cluster: Two) -> None:
    execution = await ready(cluster)
    asked = await ask(cluster, execution)
    await cluster.hears_of(execution)
    await answer(cluster.far, build.rejection())
    assert (await done(asked)).outcome.failure.message == "not now"
    assert cluster.messages(UpdatesRefused)


async def test_an_update_whose_rejection_is_lost_is_sent_again(cluster: Two) -> None:
    cluster.lost.add(UpdatesRefused)
    execution = await ready(cluster)
    asked = await ask(cluster, execution)
    await cluster.hears_of(execution)
    await answer(cluster.far, build.rejection())
    await answer(cluster.far, build.acceptance(), build.response())
    assert succeeded(await done(asked))


async def test_a_lost_rejection_is_noticed_when_its_caller_s_process_changes_the_run(cluster: Two) -> None:
    cluster.lost |= {UpdatesRefused, RunsChanged}
    execution = await ready(cluster)
    asked = await ask(cluster, execution)
    await answer(cluster.far, build.rejection())
    await cluster.far.signal_run(execution)
    task = await cluster.far.take()
    (waiter,) = waiting(cluster)
    await cluster.near.signal_run(execution)
    await until(lambda: waiting(cluster) not in ([], [waiter]), "the second sending")
    await cluster.far.answer(task)
    await answer(cluster.far, build.acceptance(), build.response())
    assert succeeded(await done(asked))


async def test_a_rejection_that_comes_after_the_update_was_sent_again_is_not_its_answer(cluster: Two) -> None:
    cluster.lost.add(UpdatesRefused)
    execution = await ready(cluster)
    asked = await ask(cluster, execution)
    await cluster.hears_of(execution)
    await answer(cluster.far, build.rejection())
    task = await cluster.far.take()
    assert task.messages, "the update is sent again"
    (late,) = cluster.messages(UpdatesRefused)
    cluster.lost.clear()
    cluster.far.engine.peers.tell("near", late)
    await until(lambda: len(cluster.messages(UpdatesRefused)) == 2)
    messages = [build.acceptance(), build.response()]
    await cluster.far.answer(task, *(build.protocol_message(each.id) for each in messages), messages=messages)
    assert succeeded(await done(asked))


async def test_doubled_messages_answer_an_update_once(cluster: Two) -> None:
    cluster.post.times = 3
    execution = await ready(cluster)
    asked = await ask(cluster, execution)
    await cluster.hears_of(execution)
    await answer(cluster.far, build.rejection())
    assert (await done(asked)).outcome.failure.message == "not now"
    again = await ask(cluster, execution)
    await answer(cluster.far, build.acceptance(), build.response())
    assert succeeded(await done(again))


async def test_the_rows_tell_when_all_messages_of_an_update_are_lost(deaf: Two) -> None:
    asked = await ask(deaf, await ready(deaf))
    await answer(deaf.far, build.acceptance(), build.response())
    assert succeeded(await done(asked))


async def test_a_rejection_of_which_all_messages_are_lost_is_asked_for_again(deaf: Two) -> None:
    asked = await ask(deaf, await ready(deaf))
    await answer(deaf.far, build.rejection())
    await answer(deaf.far, build.acceptance(), build.response())
    assert succeeded(await done(asked))


async def test_an_update_of_a_run_that_a_worker_elsewhere_closes_is_aborted(cluster: Two) -> None:
    asked = await ask(cluster, await ready(cluster))
    task = await cluster.far.take()
    await cluster.far.answer(task, END)
    with pytest.raises(NotFound, match="aborted by closing workflow"):
        await done(asked)


async def test_an_accepted_update_of_a_run_that_goes_on_as_another_is_not_sent_to_that(cluster: Two) -> None:
    execution = WorkflowExecution(workflow_id=(await ready(cluster)).workflow_id)
    asked = await ask(cluster, execution)
    message = build.acceptance()
    await answer(cluster.far, message)
    await cluster.far.signal_run(execution)
    await cluster.far.answer(await cluster.far.take(), build.continue_as_new())
    assert (await done(asked)).outcome.failure.application_failure_info.type == "AcceptedUpdateCompletedWorkflow"


async def test_an_update_that_no_worker_has_accepted_goes_on_with_the_next_run(cluster: Two) -> None:
    execution = WorkflowExecution(workflow_id=(await ready(cluster)).workflow_id)
    asked = await ask(cluster, execution)
    task = await cluster.far.take()
    await cluster.far.answer(task, build.continue_as_new())
    await until(lambda: asked.done() or cluster.near.engine.update_waiters._waiting)
    messages = [build.acceptance(), build.response()]
    task = await cluster.far.take()
    await cluster.far.answer(task, *(build.protocol_message(each.id) for each in messages), messages=messages)
    assert succeeded(await done(asked))


async def test_a_poll_for_an_update_hears_of_its_completion_elsewhere(cluster: Two) -> None:
    execution = await ready(cluster)
    accepted = await ask(cluster, execution, ACCEPTED)
    await answer(cluster.far, build.acceptance())
    await done(accepted)
    request = PollWorkflowExecutionUpdateRequest(
        update_ref=UpdateRef(workflow_execution=execution, update_id="update"),
        wait_policy=WaitPolicy(lifecycle_stage=COMPLETED),
    )
    polled = cluster.near.begin("PollWorkflowExecutionUpdate", request, PollWorkflowExecutionUpdateResponse)
    await until(lambda: cluster.near.engine.update_waiters._waiting)
    await cluster.far.signal_run(execution)
    message = build.response()
    await cluster.far.answer(await cluster.far.take(), build.protocol_message(message.id), messages=[message])
    assert succeeded(await done(polled))


async def test_update_with_start_whose_worker_is_elsewhere(cluster: Two) -> None:
    request = ExecuteMultiOperationRequest()
    start = build.start_request(workflow_id="w")
    start.namespace = "default"
    start.task_queue.name = "orders"
    start.workflow_id_conflict_policy = 2  # type: ignore[assignment]  # use the existing one
    change = update(WorkflowExecution(workflow_id="w"))
    change.namespace = "default"
    request.operations.add(start_workflow=start)
    request.operations.add(update_workflow=change)
    asked = cluster.near.begin("ExecuteMultiOperation", request, ExecuteMultiOperationResponse)
    await until(lambda: asked.done() or cluster.near.engine.update_waiters._waiting)
    await answer(cluster.far, build.acceptance(), build.response())
    started, updated = (await done(asked)).responses
    assert started.start_workflow.started
    assert succeeded(updated.update_workflow)


async def test_nobody_is_told_of_the_updates_of_a_run_nobody_waits_for(cluster: Two) -> None:
    execution = await ready(cluster)
    asked = cluster.far.begin("UpdateWorkflowExecution", update(execution), UpdateWorkflowExecutionResponse)
    await answer(cluster.far, build.rejection())
    await done(asked)
    waiting = await cluster.waits_for_more(execution)
    await cluster.far.signal_run(execution)
    await done(waiting)
    assert not cluster.messages(UpdatesRefused)
    assert {run for each in cluster.messages(RunsChanged) for run in each.versions} == {execution.run_id}


async def test_who_waits_for_an_update_hears_only_of_what_concerns_updates(cluster: Two) -> None:
    execution = await ready(cluster)
    asked = await ask(cluster, execution)
    await cluster.hears_of(execution)
    await cluster.hears(RunsChanged)  # of what was changed just before
    cluster.heard.clear()
    for _ in range(3):
        await cluster.far.signal_run(execution)
    await answer(cluster.far, build.acceptance(), build.response())
    assert succeeded(await done(asked))
    assert len(cluster.messages(RunsChanged)) == 1
