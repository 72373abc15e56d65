"""Random lives of a run: what its clients, its workers and its clock do, and what only a whole life shows.

The rules of `tests.core.rules` are checked after every transition. Here: nothing that was written changes, nothing is
lost or doubled, and a closed run stays as it is.
"""

import functools
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition
from hypothesis.stateful import rule as unlimited_rule
from temporalio.api.command.v1 import Command
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.protocol.v1 import Message

from orchestrator.core import activity, signals, workflow_task
from orchestrator.core import state as states
from orchestrator.core.deadlines import next_deadline
from orchestrator.core.enforcement import OverLimit
from orchestrator.core.limits import Limits
from orchestrator.core.run import ACTIVITY, WORKFLOW
from orchestrator.core.state import Activity
from orchestrator.core.update import FAILED_ATTEMPTS
from orchestrator.core.update_news import ADMITTED, News
from orchestrator.errors import InvalidArgument, ResourceExhausted, WorkflowClosed, WorkflowClosing, WorkflowNotReady
from tests.core import builders as build
from tests.core.simulation import QUEUE, Simulation
from tests.core.wishes import Wish, bad_commands, ends, failures, limits, policies, wishes

_E = EventType
_F = WorkflowTaskFailedCause


def rule(**strategies: Any) -> Callable[[Callable[..., None]], Any]:
    """A rule that a limit may cut short, which ends the run."""

    def decorate(step: Callable[..., None]) -> Any:
        @functools.wraps(step)
        def limited(lives: "Lives", **drawn: Any) -> None:
            try:
                step(lives, **drawn)
            except OverLimit:
                assert not lives.simulation.state.running

        return unlimited_rule(**strategies)(limited)

    return decorate


class Lives(RuleBasedStateMachine):
    """One run, its clients, its workers and its clock."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = itertools.count()
        self.sent: list[str] = []
        self.requests: set[str] = set()
        self.written: list[bytes] = []
        self.closed: bytes = b""
        self.simulation: Simulation

    @initialize(
        limits=limits,
        delay=st.sampled_from([0.0, 0.0, 0.0, 5.0]),
        run_timeout=st.sampled_from([0.0, 0.0, 0.0, 0.0, 60.0]),
        execution_timeout=st.sampled_from([0.0, 0.0, 0.0, 0.0, 90.0]),
        how=st.sampled_from(["plain", "eager", "signal"]),
        policy=policies,
    )
    def begin(
        self, limits: Limits, delay: float, run_timeout: float, execution_timeout: float, how: str, policy: Any
    ) -> None:
        fields: dict[str, Any] = {"memo": build.memo(a="0"), "retry_policy": policy}
        if delay:
            fields["workflow_start_delay"] = build.seconds(delay)
        if run_timeout:
            fields["workflow_run_timeout"] = build.seconds(run_timeout)
        if execution_timeout:
            fields["workflow_execution_timeout"] = build.seconds(execution_timeout)
        if how == "signal":
            self.sent.append("first")
            request = build.signal_with_start_request(signal_name="first", **fields)
            self.simulation = Simulation(request, limits=limits)
        else:
            self.simulation = Simulation(
                build.start_request(request_eager_execution=how == "eager", **fields), limits=limits
            )

    # Clients.

    @rule(request_id=st.sampled_from(["", "", "one", "two"]), skip=st.booleans())
    def signal(self, request_id: str, skip: bool) -> None:
        state = self.simulation.state
        repeated = request_id in self.requests
        name = f"signal-{next(self.numbers)}"
        try:
            self.simulation.signal(name, request_id, skip_backoff=skip)
        except WorkflowClosed:
            assert not state.running
        except WorkflowClosing:
            assert state.close_attempted
        except OverLimit:
            raise
        except InvalidArgument:
            assert state.signals >= self.simulation.limits.signals
        else:
            if not repeated:
                self.sent.append(name)
            if request_id:
                self.requests.add(request_id)

    @rule(number=st.integers(0, 4))
    def update(self, number: int) -> None:
        update_id = f"update-{number}"
        if self.simulation.look(update_id) is not None:
            return
        state, limits = self.simulation.state, self.simulation.limits
        try:
            self.simulation.update(update_id)
        except WorkflowClosed:
            assert not state.running
        except WorkflowClosing:
            assert state.close_attempted
        except WorkflowNotReady:
            assert state.workflow_task_attempt >= FAILED_ATTEMPTS
        except ResourceExhausted:
            assert len(state.updates) == limits.updates_in_flight
        else:
            assert self.simulation.look(update_id) == News(ADMITTED)

    @rule()
    def cancel(self) -> None:
        self.simulation.cancel()

    @precondition(lambda self: self.simulation.state.running)
    @rule(number=st.integers(0, 2))
    def attach(self, number: int) -> None:
        request_id = f"attached-{number}"
        if request_id not in self.simulation.state.request_ids:
            self.simulation.transact(lambda run: signals.attach_request(run, request_id=request_id))

    @precondition(lambda self: self.simulation.state.running)
    @rule(sure=st.integers(0, 9))
    def terminate(self, sure: int) -> None:
        if sure == 9:
            self.simulation.terminate()

    @precondition(lambda self: self.simulation.state.sticky_queue)
    @rule()
    def reset_sticky(self) -> None:
        self.simulation.transact(workflow_task.clear_sticky)

    # Workers of workflow tasks.

    @precondition(lambda self: any(kind == WORKFLOW for kind, _ in self.simulation.tasks))
    @rule(queue=st.sampled_from(["", "", QUEUE, "other"]))
    def poll(self, queue: str) -> None:
        task = self.simulation.task
        assert self.simulation.poll(queue) == (task.sticky or queue in ("", task.task_queue))

    @precondition(lambda self: self.simulation.state.workflow_task)
    @rule(
        wanted=st.lists(wishes, min_size=1, max_size=4),
        force=st.booleans(),
        inline=st.booleans(),
        sticky=st.sampled_from(["", "sticky"]),
    )
    def complete(self, wanted: list[Wish], force: bool, inline: bool, sticky: str) -> None:
        self.hold_workflow_task()
        commands: list[Command] = []
        for kind, detail in wanted:
            self.fulfil(commands, kind, detail)
        assert not self.simulation.complete(*commands, force=force, inline=inline, sticky=sticky)

    @precondition(lambda self: self.simulation.state.updates and self.simulation.state.workflow_task)
    @rule(
        answers=st.lists(st.sampled_from(["accept", "complete", "reject", "nothing"]), min_size=5, max_size=5),
        options=st.fixed_dictionaries(
            {"force": st.booleans(), "inline": st.booleans(), "repeats_events": st.booleans()}
        ),
        sticky=st.sampled_from(["", "sticky"]),
    )
    def answer_updates(self, answers: list[str], options: dict[str, Any], sticky: str) -> None:
        """The worker only deals with updates: those it has been sent, and those it accepted before."""
        self.hold_workflow_task()
        messages: list[Message] = []
        given = zip(self.simulation.state.updates.items(), answers, strict=False)
        for (update_id, update), answer in given:
            if not update.accepted_event_id:
                if not update.sent or answer == "nothing":
                    continue
                if answer == "reject":
                    messages.append(build.rejection(update_id))
                    continue
                messages.append(build.acceptance(update_id))
            if answer == "complete":
                messages.append(build.response(update_id))
        heartbeat = options["force"] and not messages
        carried = [key for key, each in self.simulation.state.updates.items() if each.sent]
        assert not self.simulation.complete(sticky=sticky, messages=messages, **options)
        if not heartbeat and self.simulation.state.running:
            assert {key for key in carried if self.simulation.look(key) is None} <= self.simulation.news.keys()
            assert not any(
                each.sent and not each.accepted_event_id and key in carried
                for key, each in self.simulation.state.updates.items()
            )

    def fulfil(self, commands: list[Command], kind: str, detail: Any) -> None:
        """Adds the command of a wish, if the run has what it is about."""
        state = self.simulation.state
        match kind:
            case "schedule activity":
                if len(state.activities) + len(commands) < self.simulation.limits.pending_activities:
                    command = Command()
                    command.CopyFrom(detail)
                    command.schedule_activity_task_command_attributes.activity_id = f"activity-{next(self.numbers)}"
                    commands.append(command)
            case "cancel activity":
                open_ones = [key for key, each in state.activities.items() if not each.cancel_requested]
                if open_ones:
                    command = build.cancel_activity(open_ones[detail % len(open_ones)])
                    if command not in commands:
                        commands.append(command)
            case "start timer":
                commands.append(build.start_timer(f"timer-{next(self.numbers)}", detail))
            case "start child":
                if len(state.children) + len(commands) < self.simulation.limits.pending_children:
                    commands.append(build.start_child(f"child-{next(self.numbers)}", parent_close_policy=detail))
            case "signal":
                if len(state.external_signals) + len(commands) < self.simulation.limits.pending_external_signals:
                    commands.append(build.signal_external())
            case "request cancel":
                if len(state.external_cancels) + len(commands) < self.simulation.limits.pending_external_cancels:
                    commands.append(build.cancel_external())
            case "cancel timer":
                timers = [*state.timers, *self.fired_unseen()]
                if timers:
                    command = build.cancel_timer(timers[detail % len(timers)])
                    if command not in commands:
                        commands.append(command)
            case _:
                commands.append(detail)

    def fired_unseen(self) -> list[str]:
        """Timers that have fired behind the back of the worker."""
        return [
            event.timer_fired_event_attributes.timer_id
            for event in self.simulation.open().buffer
            if event.event_type == _E.EVENT_TYPE_TIMER_FIRED
        ]

    @precondition(lambda self: self.has_workflow_task())
    @rule(end=ends, sure=st.integers(0, 3), tidy=st.booleans())
    def close(self, end: Command, sure: int, tidy: bool) -> None:
        """Closes, perhaps after cancelling what is open, which must not stand in the way."""
        if sure == 3:
            state = self.simulation.state
            open_ones = [key for key, each in state.activities.items() if tidy and not each.cancel_requested]
            unseen = bool(state.buffered)
            text = self.simulation.complete(*(build.cancel_activity(key) for key in open_ones), end)
            assert text == ("UnhandledCommand" if unseen else "")
            assert self.simulation.state.running == unseen

    @precondition(lambda self: self.has_workflow_task())
    @rule(commands=st.lists(bad_commands, min_size=1, max_size=2))
    def complete_badly(self, commands: list[Command]) -> None:
        self.simulation.complete(build.record_marker(), *commands)

    @precondition(lambda self: self.has_workflow_task())
    @rule()
    def fail_task(self) -> None:
        self.simulation.fail_task()

    def hold_workflow_task(self) -> None:
        """A worker takes the workflow task unless one has it."""
        if not self.has_workflow_task():
            self.simulation.poll()

    def has_workflow_task(self) -> bool:
        """Whether a worker holds the workflow task."""
        task = self.simulation.state.workflow_task
        return task is not None and task.started_event_id > 0

    # Workers of activities.

    @precondition(lambda self: any(kind == ACTIVITY for kind, _ in self.simulation.tasks))
    @rule(index=st.integers(0, 5))
    def poll_activity(self, index: int) -> None:
        waiting = [event_id for kind, event_id in self.simulation.tasks if kind == ACTIVITY]
        pending = self.simulation.state.activities[waiting[index % len(waiting)]]
        self.simulation.poll_activity(pending.activity_id)

    @precondition(lambda self: self.simulation.state.activities)
    @rule(index=st.integers(0, 5))
    def complete_activity(self, index: int) -> None:
        """By id, so that it need not be started."""
        pending = list(self.simulation.state.activities.values())
        self.simulation.complete_activity(pending[index % len(pending)].activity_id, build.payloads("1"))

    @precondition(lambda self: self.started_activities())
    @rule(index=st.integers(0, 5), failure=failures)
    def fail_activity(self, index: int, failure: Any) -> None:
        self.simulation.fail_activity(self.started_activity(index).activity_id, failure)

    @precondition(lambda self: self.started_activities())
    @rule(index=st.integers(0, 5))
    def heartbeat(self, index: int) -> None:
        self.simulation.heartbeat(self.started_activity(index).activity_id, build.payloads("1"))

    @precondition(lambda self: self.started_activities())
    @rule(index=st.integers(0, 5))
    def cancel_activity(self, index: int) -> None:
        pending = self.started_activity(index)
        if pending.cancel_requested:
            self.simulation.cancel_activity(pending.activity_id)
            return
        with pytest.raises(InvalidArgument):
            self.simulation.cancel_activity(pending.activity_id)

    def started_activities(self) -> list[Activity]:
        """Attempts that workers have."""
        return [each for each in self.simulation.state.activities.values() if each.started_time]

    def started_activity(self, index: int) -> Activity:
        """One of them."""
        started = self.started_activities()
        return started[index % len(started)]

    @precondition(lambda self: self.started_activities())
    @rule(index=st.integers(0, 5))
    def stale_answer(self, index: int) -> None:
        """An activity that is over is found no more."""
        scheduled = self.started_activity(index).scheduled_event_id
        assert activity.find(self.simulation.open(), scheduled).scheduled_event_id == scheduled

    # The clock.

    @rule(seconds=st.sampled_from([0.0, 0.5, 3.0, 11.0, 25.0]))
    def advance(self, seconds: float) -> None:
        self.simulation.advance(seconds)
        self.nothing_is_due()

    @rule(seconds=st.sampled_from([0.0, 3.0, 25.0]))
    def wake_late_or_in_vain(self, seconds: float) -> None:
        self.simulation.sleep(seconds)
        self.simulation.fire()
        self.nothing_is_due()

    def nothing_is_due(self) -> None:
        """What was due is done, so that the clock never fires for ever."""
        state = self.simulation.state
        assert not state.running or not next_deadline(state) or next_deadline(state) > self.simulation.now

    # What must hold.

    @invariant()
    def history_only_grows(self) -> None:
        history = [event.SerializeToString(deterministic=True) for event in self.simulation.events]
        assert history[: len(self.written)] == self.written
        self.written = history

    @invariant()
    def every_signal_is_written_once_and_in_order(self) -> None:
        kind = _E.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
        events = [*self.simulation.events, *self.simulation.open().buffer]
        found = [
            event.workflow_execution_signaled_event_attributes.signal_name
            for event in events
            if event.event_type == kind
        ]
        assert found == self.sent

    @invariant()
    def every_update_is_accepted_once_and_then_completed_once(self) -> None:
        accepted: dict[str, int] = {}
        completed: set[str] = set()
        for event in self.simulation.events:
            if event.event_type == _E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
                update_id = event.workflow_execution_update_accepted_event_attributes.protocol_instance_id
                assert update_id not in accepted
                accepted[update_id] = event.event_id
            elif event.event_type == _E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED:
                attributes = event.workflow_execution_update_completed_event_attributes
                assert attributes.accepted_event_id == accepted[attributes.meta.update_id]
                assert attributes.meta.update_id not in completed
                completed.add(attributes.meta.update_id)

    @invariant()
    def a_closed_run_never_changes(self) -> None:
        if self.simulation.state.running:
            return
        # Only waking it counts as a transition.
        self.simulation.state.transitions = 0
        now = states.encode(self.simulation.state)
        assert self.closed in (b"", now)
        self.closed = now
