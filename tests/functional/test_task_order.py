"""In which order the tasks of a queue are handed out: by priority, by turns of fairness keys, within limits of rate."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest
from temporalio import workflow
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import RateLimit, TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeTaskQueueResponse,
    PollActivityTaskQueueRequest,
    RespondActivityTaskCompletedRequest,
    UpdateTaskQueueConfigRequest,
)
from temporalio.client import Client
from temporalio.common import Priority

from tests.functional.workers import eventually, new_worker

ACTIVITY = TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY


@workflow.defn
class Fan:
    """Runs activities of these priorities and fairness keys at once, on a queue of their own."""

    @workflow.run
    async def run(self, priorities: list[Priority]) -> None:
        await asyncio.gather(
            *(
                workflow.execute_activity(
                    "work",
                    task_queue=f"{workflow.info().task_queue}-activities",
                    start_to_close_timeout=timedelta(minutes=5),
                    priority=each,
                )
                for each in priorities
            )
        )


class Backlog:
    """Activities that wait in a queue, and who takes them."""

    def __init__(self, client: Client, task_queue: str) -> None:
        self.client = client
        self.queue = f"{task_queue}-activities"

    async def description(self) -> DescribeTaskQueueResponse:
        """What is told of the queue."""
        request = DescribeTaskQueueRequest(
            namespace=self.client.namespace,
            task_queue=TaskQueue(name=self.queue),
            task_queue_type=ACTIVITY,
            report_stats=True,
            report_config=True,
        )
        return await self.client.workflow_service.describe_task_queue(request)

    async def take(self, timeout: timedelta = timedelta(seconds=10), rate: float | None = None) -> Priority | None:
        """Takes one, with a limit in tasks a second, and completes it; None when none came in time."""
        request = PollActivityTaskQueueRequest(
            namespace=self.client.namespace, task_queue=TaskQueue(name=self.queue), identity="taker"
        )
        if rate is not None:
            request.task_queue_metadata.max_tasks_per_second.value = rate
        task = await self.client.workflow_service.poll_activity_task_queue(request, timeout=timeout)
        if not task.task_token:
            return None
        await self.client.workflow_service.respond_activity_task_completed(
            RespondActivityTaskCompletedRequest(namespace=self.client.namespace, task_token=task.task_token)
        )
        return Priority(
            priority_key=task.priority.priority_key or None, fairness_key=task.priority.fairness_key or None
        )

    async def configure(self, **changes: object) -> None:
        """Changes the configuration of the queue."""
        request = UpdateTaskQueueConfigRequest(
            namespace=self.client.namespace,
            task_queue=self.queue,
            task_queue_type=ACTIVITY,
            identity="operator",
            **changes,
        )
        await self.client.workflow_service.update_task_queue_config(request)


def limit(rate: float) -> UpdateTaskQueueConfigRequest.RateLimitUpdate:
    """The update that sets a rate a second."""
    return UpdateTaskQueueConfigRequest.RateLimitUpdate(rate_limit=RateLimit(requests_per_second=rate), reason="a test")


Make = Callable[[list[Priority]], Awaitable[Backlog]]


@pytest.fixture
async def backlog(client: Client, task_queue: str, workflow_id: str) -> AsyncIterator[Make]:
    """Makes a backlog out of priorities, in their order."""
    async with new_worker(client, task_queue, workflows=[Fan]):
        handles = []

        async def make(priorities: list[Priority]) -> Backlog:
            made = Backlog(client, task_queue)
            handles.append(await client.start_workflow(Fan.run, priorities, id=workflow_id, task_queue=task_queue))

            async def all_wait() -> bool:
                return (await made.description()).stats.approximate_backlog_count == len(priorities)

            await eventually(all_wait)
            return made

        yield make
        for handle in handles:
            await handle.terminate()


async def test_tasks_are_handed_out_by_priority(backlog: Make) -> None:
    keys = [5, 3, 1, 4, 2, None, 1, 5]
    waiting = await backlog([Priority(priority_key=key) for key in keys])
    taken = [await waiting.take() for _ in keys[:-1]]
    assert [each.priority_key for each in taken if each is not None] == [1, 1, 2, 3, None, 4, 5]


async def test_a_key_with_many_tasks_does_not_keep_another_waiting(backlog: Make) -> None:
    waiting = await backlog(
        [Priority(fairness_key="loud") for _ in range(20)] + [Priority(fairness_key="quiet") for _ in range(3)]
    )
    taken = [await waiting.take() for _ in range(6)]
    assert Counter(each.fairness_key for each in taken if each is not None) == {"loud": 3, "quiet": 3}


async def test_a_weight_is_the_share_of_a_key(backlog: Make) -> None:
    waiting = await backlog(
        [Priority(fairness_key="light", fairness_weight=1) for _ in range(12)]
        + [Priority(fairness_key="heavy", fairness_weight=3) for _ in range(12)]
    )
    taken = [await waiting.take() for _ in range(12)]
    shares = Counter(each.fairness_key for each in taken if each is not None)
    assert shares["heavy"] + shares["light"] == 12
    assert 8 <= shares["heavy"] <= 10


async def test_an_operator_sets_the_weight_of_a_key(client: Client, task_queue: str, backlog: Make) -> None:
    await Backlog(client, task_queue).configure(set_fairness_weight_overrides={"heavy": 3.0})
    waiting = await backlog(
        [Priority(fairness_key="light") for _ in range(12)] + [Priority(fairness_key="heavy") for _ in range(12)]
    )
    shares = Counter(each.fairness_key for each in [await waiting.take() for _ in range(12)] if each is not None)
    assert 8 <= shares["heavy"] <= 10


async def test_a_rate_of_none_stops_a_queue_until_it_is_lifted(backlog: Make) -> None:
    waiting = await backlog([Priority()] * 3)
    await waiting.configure(update_queue_rate_limit=limit(0))
    stopped = asyncio.create_task(waiting.take(timedelta(seconds=30)))

    async def limited() -> bool:
        seen = await waiting.description()
        return seen.stats.rate_limiting_active and bool(seen.pollers)

    await eventually(limited)
    seen = await waiting.description()
    assert seen.config.queue_rate_limit.metadata.reason == "a test"
    assert seen.stats.approximate_backlog_count == 3
    assert not stopped.done()
    await waiting.configure(update_queue_rate_limit=limit(1000))
    assert await stopped is not None
    assert await waiting.take() is not None


async def test_a_rate_limits_a_queue(backlog: Make) -> None:
    waiting = await backlog([Priority()] * 30)
    # One a minute, after those that a full bucket lets through at once.
    await waiting.configure(update_queue_rate_limit=limit(1 / 60))
    taken = [await waiting.take(timedelta(seconds=3)) for _ in range(4)]
    assert sum(each is not None for each in taken) <= 2
    assert taken[-1] is None


async def test_a_rate_limits_each_key(backlog: Make) -> None:
    waiting = await backlog(
        [Priority(fairness_key="one") for _ in range(5)] + [Priority(fairness_key="other") for _ in range(5)]
    )
    await waiting.configure(update_fairness_key_rate_limit_default=limit(1 / 60))
    taken = [await waiting.take(timedelta(seconds=3)) for _ in range(6)]
    shares = Counter(each.fairness_key for each in taken if each is not None)
    assert shares.keys() == {"one", "other"}
    assert all(count <= 2 for count in shares.values())
    assert taken[-1] is None


async def test_a_poll_limits_its_queue(backlog: Make) -> None:
    waiting = await backlog([Priority()] * 5)
    taken = [await waiting.take(timedelta(seconds=3), rate=1 / 60) for _ in range(3)]
    assert sum(each is not None for each in taken) <= 2
    assert taken[-1] is None
