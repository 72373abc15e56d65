"""Somebody who completes activities by hand, often twice and in two ways at once: one of them is to win."""

import asyncio
import random
from datetime import timedelta

from temporalio.api.common.v1 import Payloads
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    PollActivityTaskQueueRequest,
    PollActivityTaskQueueResponse,
    RespondActivityTaskCompletedRequest,
)
from temporalio.converter import default as default_converter
from temporalio.service import RPCError, RPCStatusCode

from tests.chaos.calls import Calls, Unheard
from tests.chaos.journeys import NAMESPACE

POLL = timedelta(seconds=8)


class Hand:
    """One pair of hands.

    Args:
        calls: reaches the cluster.
        task_queue: where the activities wait.
        chance: what goes wrong in these hands.
    """

    def __init__(self, calls: Calls, task_queue: str, chance: random.Random) -> None:
        self._calls = calls
        self._request = PollActivityTaskQueueRequest(
            namespace=NAMESPACE, task_queue=TaskQueue(name=task_queue), identity="hand"
        )
        self._chance = chance

    async def work(self) -> None:
        """For ever."""
        while True:
            try:
                task = await self._calls.once("poll_activity_task_queue", self._request, POLL)
            except Unheard:
                await self._calls.pause()
                continue
            if task.task_token and self._chance.random() > 0.05:  # else it is forgotten, and times out
                doubled = 2 if self._chance.random() < 0.3 else 1
                await asyncio.gather(*(self._complete(task) for _ in range(doubled)))

    async def _complete(self, task: PollActivityTaskQueueResponse) -> None:
        result = f"{task.activity_id} attempt {task.attempt} by {self._chance.getrandbits(32):08x}"
        workflow_id, journal = task.workflow_execution.workflow_id, self._calls.journal
        journal.reported.setdefault(workflow_id, {}).setdefault(task.activity_id, []).append(result)
        request = RespondActivityTaskCompletedRequest(
            namespace=NAMESPACE,
            task_token=task.task_token,
            identity="hand",
            result=Payloads(payloads=await default_converter().encode([result])),
        )
        try:
            await self._calls.insist("respond_activity_task_completed", request)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
        else:
            journal.completed.setdefault(workflow_id, {}).setdefault(task.activity_id, []).append(result)
