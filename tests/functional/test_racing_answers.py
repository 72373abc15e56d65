"""Many answers for one task arrive at once: one of them counts, the others are refused and leave nothing."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Sequence
from datetime import timedelta
from typing import Any

from temporalio.api.enums.v1 import WorkflowTaskFailedCause
from temporalio.api.failure.v1 import ApplicationFailureInfo, Failure
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    PollActivityTaskQueueRequest,
    RecordActivityTaskHeartbeatRequest,
    RespondActivityTaskCanceledRequest,
    RespondActivityTaskCompletedRequest,
    RespondActivityTaskFailedRequest,
    RespondWorkflowTaskCompletedRequest,
    RespondWorkflowTaskFailedRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from tests.functional.raw_run import Run, activity, payloads
from tests.functional.workers import events_of, names

EACH = 5
FINAL = Failure(message="for good", application_failure_info=ApplicationFailureInfo(type="Final", non_retryable=True))


async def granted(calls: Sequence[Awaitable[Any]]) -> int:
    """How many calls are granted; the others find no task."""
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    refused = [each for each in outcomes if isinstance(each, RPCError)]
    assert {each.status for each in refused} <= {RPCStatusCode.NOT_FOUND}
    assert not [each for each in outcomes if isinstance(each, BaseException) and each not in refused]
    return len(outcomes) - len(refused)


async def test_one_answer_ends_an_attempt_of_an_activity(client: Client, task_queue: str, workflow_id: str) -> None:
    service = client.workflow_service
    run = Run(client, workflow_id, task_queue)
    await run.start()
    command = activity(1)
    command.schedule_activity_task_command_attributes.task_queue.name = task_queue
    await run.complete(await run.poll(), command)
    poll = PollActivityTaskQueueRequest(namespace="default", task_queue=TaskQueue(name=task_queue))
    token = (await service.poll_activity_task_queue(poll, timeout=timedelta(seconds=10))).task_token

    completed = RespondActivityTaskCompletedRequest(namespace="default", task_token=token, result=payloads(1))
    failed = RespondActivityTaskFailedRequest(namespace="default", task_token=token, failure=FINAL)
    beat = RecordActivityTaskHeartbeatRequest(namespace="default", task_token=token)
    cancelled = RespondActivityTaskCanceledRequest(namespace="default", task_token=token)
    beats = [service.record_activity_task_heartbeat(beat) for _ in range(EACH)]
    ends: list[Awaitable[Any]] = [service.respond_activity_task_completed(completed) for _ in range(EACH)]
    ends += [service.respond_activity_task_failed(failed) for _ in range(EACH)]
    winners, _ = await asyncio.gather(granted(ends), granted(beats))
    assert winners == 1
    assert await granted([service.respond_activity_task_canceled(cancelled)]) == 0
    seen = Counter(names(await events_of(client.get_workflow_handle(workflow_id))))
    assert seen["ACTIVITY_TASK_COMPLETED"] + seen["ACTIVITY_TASK_FAILED"] == 1
    assert seen["ACTIVITY_TASK_CANCELED"] == 0


async def test_one_answer_ends_a_workflow_task(client: Client, task_queue: str, workflow_id: str) -> None:
    service = client.workflow_service
    run = Run(client, workflow_id, task_queue)
    await run.start()
    token = (await run.poll()).task_token
    completed = RespondWorkflowTaskCompletedRequest(namespace="default", task_token=token, commands=[activity(1)])
    failed = RespondWorkflowTaskFailedRequest(
        namespace="default",
        task_token=token,
        cause=WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE,
        failure=FINAL,
    )
    answers: list[Awaitable[Any]] = [service.respond_workflow_task_completed(completed) for _ in range(EACH)]
    answers += [service.respond_workflow_task_failed(failed) for _ in range(EACH)]
    assert await granted(answers) == 1
    seen = Counter(names(await events_of(client.get_workflow_handle(workflow_id))))
    assert seen["WORKFLOW_TASK_COMPLETED"] + seen["WORKFLOW_TASK_FAILED"] == 1
    assert seen["ACTIVITY_TASK_SCHEDULED"] == seen["WORKFLOW_TASK_COMPLETED"]
