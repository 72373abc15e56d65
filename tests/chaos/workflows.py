"""What runs on a cluster under chaos: a workflow with everything whose loss or doubling would show."""

import asyncio
import random
import time
from dataclasses import dataclass, replace
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

QUICK = RetryPolicy(initial_interval=timedelta(milliseconds=100), maximum_interval=timedelta(seconds=1))
PATIENCE = timedelta(seconds=5)
REJECTED = "rejected"
"""How updates begin that the validator rejects."""


@dataclass
class Journey:
    """What one workflow does.

    Attributes:
        signals: how many it waits for.
        updates: how many accepted ones.
        sleep_ms: how long its timer is.
        hands: activities that somebody completes by hand; names of them.
        hands_queue: where those wait.
        child: whether it has one.
        again: how often it goes on as a new run.
        seen: the signals so far.
    """

    signals: int = 0
    updates: int = 0
    sleep_ms: int = 0
    hands: int = 0
    hands_queue: str = ""
    child: bool = False
    again: int = 0
    seen: list[str] | None = None


@workflow.defn
class Traveller:
    """Does a timer, activities and a child side by side, then waits for its signals and updates."""

    @workflow.init
    def __init__(self, journey: Journey) -> None:
        self._seen = list(journey.seen or ())
        self._updates = 0

    @workflow.run
    async def run(self, journey: Journey) -> list[str]:
        errands = [self._sleep(journey.sleep_ms)]
        errands += [self._by_hand(f"hand-{number}", journey.hands_queue) for number in range(journey.hands)]
        if journey.child:
            errands.append(workflow.execute_child_workflow(Errand.run, id=f"{workflow.info().workflow_id}/child"))
        await asyncio.gather(*errands)
        if journey.again:
            await workflow.wait_condition(workflow.all_handlers_finished)
            workflow.continue_as_new(replace(journey, again=journey.again - 1, hands=0, child=False, seen=self._seen))
        await workflow.wait_condition(lambda: len(self._seen) >= journey.signals and self._updates >= journey.updates)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._seen

    async def _sleep(self, milliseconds: int) -> None:
        before = await _step(mark)
        await asyncio.sleep(milliseconds / 1000)
        after = await _step(mark)
        if after - before < milliseconds * 1_000_000:
            raise ApplicationError(f"the timer fired early: {after - before} ns", non_retryable=True)

    async def _by_hand(self, name: str, task_queue: str) -> str:
        result: str = await workflow.execute_activity(
            "by_hand",
            activity_id=name,
            task_queue=task_queue,
            start_to_close_timeout=PATIENCE,
            retry_policy=QUICK,
            result_type=str,
        )
        return result

    @workflow.signal
    def arrive(self, content: str) -> None:
        """One more signal."""
        self._seen.append(content)

    @workflow.update
    async def visit(self, name: str) -> str:
        """Does something before it answers."""
        await _step(mark)
        self._updates += 1
        return f"{name} came as {self._updates}"

    @visit.validator
    def check_visit(self, name: str) -> None:
        """Turns some away."""
        if name.startswith(REJECTED):
            raise ValueError("not today")

    @workflow.query
    def arrived(self) -> int:
        """How many signals have come."""
        return len(self._seen)


@workflow.defn
class Errand:
    """A child."""

    @workflow.run
    async def run(self) -> None:
        await _step(mark)
        await asyncio.sleep(0.2)


async def _step(function: object) -> int:
    result: int = await workflow.execute_activity(  # type: ignore[call-overload]
        function, start_to_close_timeout=PATIENCE, retry_policy=QUICK
    )
    return result


@activity.defn
async def mark() -> int:
    """The time, nanoseconds since the epoch, by the clock of a worker, which no fault moves; fails now and then."""
    now = time.time_ns()
    if random.random() < 0.05:
        raise ApplicationError("by chance")
    return now
