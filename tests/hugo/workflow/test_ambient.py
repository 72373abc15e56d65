"""The current run is known to the code it runs, and to nobody else."""

import asyncio
import contextvars
from concurrent.futures import ThreadPoolExecutor

import pytest

from hugo.cancellation import CancelToken
from hugo.workflow import (
    WorkflowExecutionContext,
    current_cancel_token,
    current_workflow,
    enter_workflow,
    require_workflow,
)


def run(run_id: str = "run-1") -> WorkflowExecutionContext:
    return WorkflowExecutionContext("default", "order-1", run_id, "orders")


def test_outside_there_is_none() -> None:
    assert current_workflow() is None
    assert current_cancel_token() is None
    with pytest.raises(RuntimeError):
        require_workflow()


def test_inside_it_is_current_and_started_but_not_completed() -> None:
    context, token = run(), CancelToken()
    with enter_workflow(context, token=token) as entered:
        assert entered is context is current_workflow() is require_workflow()
        assert current_cancel_token() is token
        with enter_workflow(context):
            assert current_cancel_token() is token
    assert current_workflow() is None
    assert (context.logical_clock, context.status) == (1, None)


def test_runs_nest_and_a_token_stops_the_inner_one_unless_it_replaces_the_outer() -> None:
    token = CancelToken()
    with enter_workflow(run("run-1"), token=token) as outer:
        with enter_workflow(run("run-2")) as inner:
            assert current_workflow() is inner
            assert current_cancel_token() is token
        with enter_workflow(run("run-3"), replace=True) as replacement:
            assert current_workflow() is replacement
            assert current_cancel_token() is None
        assert current_workflow() is outer
        assert current_cancel_token() is token


def test_it_is_left_whatever_is_raised() -> None:
    with pytest.raises(KeyError), enter_workflow(run()):
        raise KeyError("gone")
    assert current_workflow() is None


async def test_tasks_inherit_it_and_neighbours_do_not_see_it() -> None:
    async def inside(run_id: str) -> str:
        with enter_workflow(run(run_id)):
            await asyncio.sleep(0)
            return await asyncio.create_task(child())

    async def child() -> str:
        return require_workflow().identity.run_id

    assert list(await asyncio.gather(inside("a"), inside("b"))) == ["a", "b"]
    assert current_workflow() is None


def test_a_thread_knows_it_only_by_a_copy_of_the_context() -> None:
    with ThreadPoolExecutor(1) as threads, enter_workflow(run()) as context:
        assert threads.submit(current_workflow).result() is None
        assert threads.submit(contextvars.copy_context().run, current_workflow).result() is context
