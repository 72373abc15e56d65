"""Random lives of families: a run with children and others it talks to, which goes on in further runs, and is reset."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition
from temporalio.api.command.v1 import Command
from temporalio.api.enums.v1 import EventType, ParentClosePolicy, ResetReapplyExcludeType
from temporalio.api.history.v1 import HistoryEvent

from orchestrator.core import transfers
from orchestrator.core.run import CHILD_CLOSED
from orchestrator.core.transfers import TransferKind
from orchestrator.errors import InvalidArgument
from tests.core import builders as build
from tests.core import family
from tests.core.lives import Lives, rule
from tests.core.simulation import Simulation

_E = EventType
_X = ResetReapplyExcludeType
TASK_ENDED = (_E.EVENT_TYPE_WORKFLOW_TASK_COMPLETED, _E.EVENT_TYPE_WORKFLOW_TASK_FAILED)


def signals_of(events: list[HistoryEvent]) -> list[str]:
    """The names of the signals among events."""
    return [
        event.workflow_execution_signaled_event_attributes.signal_name
        for event in events
        if event.event_type == _E.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
    ]


def all_of(simulation: Simulation) -> list[HistoryEvent]:
    """What has happened to a run, with or without an id."""
    return [*simulation.events, *simulation.open().buffer]


class Families(Lives):
    """A run, those it knows, and the runs before it."""

    def __init__(self) -> None:
        super().__init__()
        self.chain: list[Simulation] = []

    # Others are asked, and answer.

    @precondition(lambda self: self.simulation.state.workflow_task)
    @rule(
        wanted=st.lists(st.sampled_from(["start child", "signal", "signal", "request cancel"]), min_size=1, max_size=3),
        force=st.booleans(),
        answered=st.booleans(),
    )
    def reach_out(self, wanted: list[str], force: bool, answered: bool) -> None:
        self.reach_out_for(wanted, force)
        if answered:
            self.answer_all(found=True)

    def reach_out_for(self, wanted: list[str], force: bool) -> None:
        """The worker does nothing but ask others, or nothing at all."""
        self.hold_workflow_task()
        commands: list[Command] = []
        for kind in wanted:
            self.fulfil(commands, kind, ParentClosePolicy.PARENT_CLOSE_POLICY_TERMINATE)
        assert not self.simulation.complete(*commands, force=force)

    @precondition(lambda self: self.simulation.state.workflow_task)
    @rule(seen=st.booleans(), outlived=st.booleans())
    def a_child_lives(self, seen: bool, outlived: bool) -> None:
        """A child starts, and ends before its parent or not; the worker ends its tasks between."""
        self.reach_out_for(["start child"], force=True)
        if children := self.open_children():
            event_id = children[-1]
            run_id = self.simulation.state.children[event_id].run_id or f"{self.simulation.state.run_id}-{event_id}"
            family.child_started(self.simulation, event_id, run_id)
            self.reach_out_for([], force=seen)
            if outlived:
                family.child_ended(self.simulation, event_id, ended_child(), run_id)
            elif seen:
                self.hold_workflow_task()
                self.simulation.complete(build.continue_as_new())

    @precondition(lambda self: self.open_children())
    @rule(index=st.integers(0, 5), how=st.sampled_from(["start", "start", "refuse", "end"]))
    def child_answers(self, index: int, how: str) -> None:
        """What is said twice is passed over by those who say it; an end may come before the start."""
        parent = self.simulation
        children = self.open_children()
        event_id = children[index % len(children)]
        run_id = f"{parent.state.run_id}-{event_id}"
        known = parent.state.children[event_id].run_id
        if how == "start":
            family.child_started(parent, event_id, run_id)
        elif how == "refuse" and not known:
            family.child_refused(parent, event_id)
        elif how == "end":
            family.child_ended(parent, event_id, ended_child(), known or run_id)

    @precondition(lambda self: self.simulation.state.external_signals or self.simulation.state.external_cancels)
    @rule(found=st.booleans())
    def others_answer(self, found: bool) -> None:
        self.answer_all(found=found)

    def answer_all(self, *, found: bool) -> None:
        """What was asked of others is answered, if anybody is there to hear it."""
        for event_id in list(self.simulation.state.external_signals):
            if self.simulation.state.running:
                family.signal_answered(self.simulation, event_id, found=found)
        for event_id in list(self.simulation.state.external_cancels):
            if self.simulation.state.running:
                family.cancel_answered(self.simulation, event_id, found=found)

    def open_children(self) -> list[int]:
        """Children an open run waits for, by the events that asked for them."""
        return list(self.simulation.state.children) if self.simulation.state.running else []

    # Other runs.

    @precondition(lambda self: self.simulation.successor)
    @rule()
    def go_on(self) -> None:
        """The next run of the chain is the one to look at."""
        following = self.simulation.successor
        assert following is not None
        following.now = self.simulation.now
        self.chain.append(self.simulation)
        self.look_at(following)

    @precondition(lambda self: not self.simulation.successor and self.simulation.state.completed_workflow_tasks)
    @rule(
        which=st.integers(0, 3),
        where=st.integers(0, 20),
        excluded=st.sampled_from([frozenset(), frozenset(), frozenset({int(_X.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL)})]),
    )
    def reset(self, which: int, where: int, excluded: frozenset[int]) -> None:
        """Any run of the chain, to any of its workflow tasks that has ended."""
        runs = [*self.chain, self.simulation]
        first = which % len(runs)
        base, following = runs[first], runs[first + 1 :]
        ends = [event.event_id for event in base.events if event.event_type in TASK_ENDED]
        if not ends:
            return
        finish = ends[where % len(ends)]
        kept = base.events[: finish - 1]
        left_out = base.events[finish - 1 :] + base.open().buffer
        try:
            fresh = family.reset_to(base, finish, following=following, excluded=excluded)
        except InvalidArgument:
            # The end of a later attempt stands directly behind its own SCHEDULED and STARTED: none is refused.
            raise AssertionError(f"event {finish} ended a workflow task") from None
        assert fresh.events[: finish - 1] == kept
        expected = signals_of(kept)
        if not excluded:
            expected += signals_of(left_out) + [name for each in following for name in signals_of(each.events)]
        assert signals_of(all_of(fresh)) == expected
        self.sent = expected
        for event in left_out:
            self.check_answer_is_kept(fresh, event)
        assert fresh.state.timers.keys() == timers_open_at(kept)
        self.chain = runs[:first]
        self.look_at(fresh)

    def check_answer_is_kept(self, fresh: Simulation, event: HistoryEvent) -> None:
        """What has become of a child is not told twice to the base run, so the new run must know it."""
        attributes: Any = getattr(event, str(event.WhichOneof("attributes")))
        if event.event_type in CHILD_CLOSED:
            assert attributes.initiated_event_id not in fresh.state.children
        elif event.event_type == _E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED:
            assert (TransferKind.START_CHILD, attributes.initiated_event_id) not in fresh.owed

    def look_at(self, simulation: Simulation) -> None:
        """Another run is the one that lives."""
        self.simulation = simulation
        self.sent = signals_of(all_of(simulation))
        self.written = []
        self.closed = b""

    # What must hold.

    @invariant()
    def a_run_that_closes_tells_those_that_must_know(self) -> None:
        state = self.simulation.state
        told = (TransferKind.CLOSE, 0) in self.simulation.owed
        replaced = self.simulation.events[-1].workflow_execution_terminated_event_attributes.reason == "again"
        if not state.running and not replaced:
            assert told == transfers.left_children(state)

    @invariant()
    def a_next_run_is_named_by_the_last_event(self) -> None:
        last = self.simulation.events[-1]
        named = getattr(getattr(last, str(last.WhichOneof("attributes"))), "new_execution_run_id", "")
        following = self.simulation.successor
        assert named == (following.state.run_id if following is not None else "")
        assert following is None or not self.simulation.state.running


def ended_child() -> HistoryEvent:
    """With which a child closed."""
    event = HistoryEvent(event_type=_E.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED)
    event.workflow_execution_terminated_event_attributes.SetInParent()
    return event


def timers_open_at(events: list[HistoryEvent]) -> set[str]:
    """The timers that events started and did not end."""
    pending: dict[int, str] = {}
    for event in events:
        match event.event_type:
            case _E.EVENT_TYPE_TIMER_STARTED:
                pending[event.event_id] = event.timer_started_event_attributes.timer_id
            case _E.EVENT_TYPE_TIMER_FIRED:
                del pending[event.timer_fired_event_attributes.started_event_id]
            case _E.EVENT_TYPE_TIMER_CANCELED:
                del pending[event.timer_canceled_event_attributes.started_event_id]
    return set(pending.values())


Families.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestFamilies = Families.TestCase
