"""What is wrong with the rows beside a state, and what mends it. Sound rows of all kinds of lives: see `rules`."""

from dataclasses import replace
from typing import Any

import pytest
from temporalio.api.enums.v1 import WorkflowExecutionStatus

from orchestrator.core import closing
from orchestrator.core.limits import Limits
from orchestrator.core.liveness import Damage, Rows, inspect, mend
from orchestrator.core.run import ACTIVITY, WORKFLOW, Run
from orchestrator.core.state import ExecutionState
from orchestrator.core.transfers import TransferKind
from tests.core import builders as build
from tests.core.simulation import Simulation


def sound(simulation: Simulation) -> Rows:
    """The rows as they should be."""
    state = simulation.state
    return Rows(
        frozenset((kind, event_id, task.stamp) for (kind, event_id), task in simulation.tasks.items()),
        state.wake_time,
        False,
        frozenset(simulation.owed),
        (state.status, state.close_time),
        state.run_id,
    )


def busy() -> Simulation:
    """A run that waits for a worker, a timer, a child and another workflow."""
    simulation = Simulation()
    simulation.poll()
    simulation.complete(build.schedule_activity(), build.start_timer(), build.start_child(), build.signal_external())
    return simulation


def mended(state: ExecutionState, rows: Rows) -> Run:
    """The transition that mends."""
    run = Run(state, state.start_time, Limits())
    mend(run, rows)
    return run


DAMAGES: list[tuple[Damage, dict[str, Any]]] = [
    (Damage.LOST_TASK, {"tasks": frozenset()}),
    (Damage.LOST_WAKE, {"wake": 0}),
    (Damage.LOST_WAKE, {"wake": 2**62}),
    (Damage.STALE_WAKE, {"wake": 5}),
    (Damage.LOST_TRANSFER, {"transfers": frozenset()}),
    (Damage.WRONG_RECORD, {"shown": None}),
    (Damage.WRONG_RECORD, {"shown": (WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_COMPLETED, 5)}),
    (Damage.WRONG_CURRENT, {"current": ""}),
    (Damage.WRONG_CURRENT, {"current": "another run"}),
]


@pytest.mark.parametrize(("damage", "fields"), DAMAGES)
def test_each_damage_is_found(damage: Damage, fields: dict[str, Any]) -> None:
    simulation = busy()
    assert inspect(simulation.state, sound(simulation)) == []
    assert inspect(simulation.state, replace(sound(simulation), **fields)) == [damage]


def test_lost_rows_are_written_as_they_were() -> None:
    simulation = busy()
    run = mended(simulation.state, Rows())
    assert [(each.kind, each.scheduled_event_id, each.stamp) for each in run.dispatches] == [
        (kind, event_id, task.stamp) for (kind, event_id), task in simulation.tasks.items()
    ]
    assert {(each.kind, each.event_id) for each in run.transfers} == simulation.owed
    assert (run.woken, run.visible, run.changed) == (True, True, True)
    assert not run.batches


def test_what_is_there_is_not_written_again() -> None:
    simulation = busy()
    run = mended(simulation.state, replace(sound(simulation), wake=0))
    assert (run.dispatches, run.transfers, run.woken, run.visible) == ([], [], True, False)


def test_a_task_with_the_stamp_of_an_earlier_dispatch_is_stale() -> None:
    simulation = Simulation()
    event_id, stamp = simulation.task.scheduled_event_id, simulation.task.stamp
    rows = replace(sound(simulation), tasks=frozenset({(WORKFLOW, event_id, stamp + 1), (ACTIVITY, 99, 1)}))
    assert inspect(simulation.state, rows) == [Damage.LOST_TASK, Damage.STALE_TASK]
    run = Run(simulation.state, simulation.now, Limits())
    assert mend(run, rows).stale == [(WORKFLOW, event_id, stamp + 1), (ACTIVITY, 99, 1)]
    assert [each.stamp for each in run.dispatches] == [stamp]


def test_a_wake_up_that_fails_is_late_for_a_reason() -> None:
    simulation = busy()
    for wake in (0, 2**62):
        assert inspect(simulation.state, replace(sound(simulation), wake=wake, failing=True)) == []


def test_a_closed_run_needs_no_rows_but_its_record() -> None:
    simulation = busy()
    simulation.transact(closing.terminate)
    state = simulation.state
    rows = Rows(shown=(state.status, state.close_time), current="a later run")
    assert inspect(state, rows) == []
    assert inspect(state, replace(rows, wake=7)) == [Damage.STALE_WAKE]
    assert inspect(state, replace(rows, tasks=frozenset({(WORKFLOW, 2, 1)}))) == [Damage.STALE_TASK]
    assert inspect(state, replace(rows, latest=True)) == [Damage.WRONG_CURRENT]
    assert inspect(state, replace(rows, current="")) == [Damage.WRONG_CURRENT]


def test_a_run_that_is_to_be_removed_owes_that() -> None:
    simulation = busy()
    simulation.transact(closing.terminate)
    simulation.state.deleting = True
    rows = Rows(shown=(simulation.state.status, simulation.state.close_time), current=simulation.state.run_id)
    assert inspect(simulation.state, rows) == [Damage.LOST_TRANSFER]
    assert [each.kind for each in mended(simulation.state, rows).transfers] == [TransferKind.DELETE]


def test_a_run_that_nothing_will_wake_is_found_and_left_alone() -> None:
    simulation = Simulation()
    simulation.state.workflow_task = None
    assert Damage.ASLEEP in inspect(simulation.state, sound(simulation))
    assert not mended(simulation.state, sound(simulation)).batches
