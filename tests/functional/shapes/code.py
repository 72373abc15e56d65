"""Shapes of workflow code: patches, random numbers and times, memo and search attributes, faults, ways to wait."""

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import ActivityError

from tests.functional.shapes.activities import echo, flaky
from tests.functional.shapes.stage import Stage, shape

LONG = timedelta(seconds=60)
STEP = SearchAttributeKey.for_int("Step")


@workflow.defn
class Patched:
    """Code with a patch in it, before and after a wait."""

    @workflow.run
    async def run(self, name: str) -> list[str]:
        done = []
        if workflow.patched("greet-first"):
            done.append(await workflow.execute_activity(echo, f"Hello, {name}", start_to_close_timeout=LONG))
        await workflow.sleep(0.01)
        for _ in range(2):
            if workflow.patched("greet-last"):
                done.append(await workflow.execute_activity(echo, f"Bye, {name}", start_to_close_timeout=LONG))
        return done


@workflow.defn(name="Patched")
class NotYetPatched:
    """The same before there were patches."""

    @workflow.run
    async def run(self, name: str) -> list[str]:
        await workflow.sleep(0.01)
        return []


@workflow.defn
class Deprecates:
    """Code whose patch everybody has."""

    @workflow.run
    async def run(self) -> str:
        workflow.deprecate_patch("greet-first")
        return str(await workflow.execute_activity(echo, "Hello", start_to_close_timeout=LONG))


@workflow.defn
class Chance:
    """Decides by random numbers, ids and times."""

    @workflow.run
    async def run(self) -> list[Any]:
        chance, seen = workflow.random(), list[Any]()
        for _ in range(6):
            if chance.random() < 0.5:
                seen.append(await workflow.execute_activity(echo, str(workflow.uuid4()), start_to_close_timeout=LONG))
            else:
                await workflow.sleep(chance.uniform(0.001, 0.02))
                seen.append(workflow.now().isoformat())
        return seen


@workflow.defn
class Remarks:
    """Changes memo and search attributes on the way."""

    @workflow.run
    async def run(self) -> int:
        for number in range(3):
            workflow.upsert_search_attributes([STEP.value_set(number)])
            workflow.upsert_memo({"step": number, "before": None if number else "nothing"})
            await workflow.execute_activity(echo, number, start_to_close_timeout=LONG)
        workflow.upsert_search_attributes([STEP.value_unset()])
        return int(workflow.memo_value("step"))


class Faults:
    """How often each run still fails its workflow task."""

    left: dict[str, int] = {}


@workflow.defn
class Faulty:
    """Fails a workflow task, as a bug in its code would, in the middle."""

    @workflow.run
    async def run(self, faults: int) -> str:
        Faults.left.setdefault(workflow.info().run_id, faults)
        await workflow.execute_activity(echo, 1, start_to_close_timeout=LONG)
        if Faults.left[workflow.info().run_id]:
            Faults.left[workflow.info().run_id] -= 1
            raise RuntimeError("a bug")
        await workflow.execute_activity(echo, 2, start_to_close_timeout=LONG)
        return "mended"


@workflow.defn
class Juggles:
    """Waits in all the ways there are: a semaphore, a queue, the first, the fastest, the one in time, a failing one."""

    @workflow.run
    async def run(self) -> list[Any]:
        places, inbox = asyncio.Semaphore(2), asyncio.Queue[int]()

        async def one(number: int) -> None:
            async with places:
                await workflow.execute_activity(echo, number, start_to_close_timeout=LONG)
                inbox.put_nowait(number)

        crowd = [asyncio.create_task(one(number)) for number in range(5)]
        got = sorted([await inbox.get() for _ in crowd])
        for each in workflow.as_completed([workflow.sleep(0.02), workflow.sleep(0.01)]):
            await each
        try:
            await asyncio.wait_for(workflow.sleep(60), 0.05)
        except TimeoutError:
            got.append(-1)
        results = await asyncio.gather(
            workflow.execute_activity(flaky, 1, start_to_close_timeout=LONG),
            workflow.execute_activity(
                flaky, 9, start_to_close_timeout=LONG, schedule_to_close_timeout=timedelta(seconds=0.3)
            ),
            return_exceptions=True,
        )
        return [*got, [isinstance(each, ActivityError) for each in results]]


@shape("MARKER_RECORDED", "ACTIVITY_TASK_COMPLETED")
async def code_with_patches(stage: Stage) -> None:
    assert len(await stage.play(Patched.run, "Ada")) == 3


@shape("TIMER_FIRED")
async def a_history_from_before_the_patches(stage: Stage) -> None:
    async with stage.worker(workflows=[NotYetPatched]):
        assert await stage.play(NotYetPatched.run, "Ada", task_queue=stage.own_queue) == []


@shape("MARKER_RECORDED")
async def code_with_a_deprecated_patch(stage: Stage) -> None:
    await stage.play(Deprecates.run)


@shape("WORKFLOW_EXECUTION_COMPLETED")
async def code_that_leaves_things_to_chance(stage: Stage) -> None:
    for number in range(4):
        await stage.play(Chance.run, id=f"{stage.workflow_id}-{number}")


@shape("UPSERT_WORKFLOW_SEARCH_ATTRIBUTES", "WORKFLOW_PROPERTIES_MODIFIED")
async def changes_of_memo_and_search_attributes(stage: Stage) -> None:
    attributes = {STEP.name: STEP.indexed_value_type}
    await stage.client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(namespace="default", search_attributes=attributes)
    )
    assert await stage.play(Remarks.run) == 2


@shape("WORKFLOW_TASK_FAILED", "WORKFLOW_EXECUTION_COMPLETED")
async def a_workflow_task_that_fails_once(stage: Stage) -> None:
    assert await stage.play(Faulty.run, 1) == "mended"


@shape("WORKFLOW_TASK_FAILED", "WORKFLOW_EXECUTION_COMPLETED")
async def a_workflow_task_that_fails_again_and_again(stage: Stage) -> None:
    assert await stage.play(Faulty.run, 3, task_timeout=timedelta(seconds=1)) == "mended"


@shape("TIMER_FIRED", "TIMER_CANCELED", "ACTIVITY_TASK_COMPLETED")
async def all_the_ways_to_wait(stage: Stage) -> None:
    assert await stage.play(Juggles.run) == [0, 1, 2, 3, 4, -1, [False, True]]


WORKFLOWS = [Patched, Deprecates, Chance, Remarks, Faulty, Juggles]
