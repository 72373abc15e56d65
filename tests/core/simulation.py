"""One run under a virtual clock: transitions applied as a server applies them, the history kept in memory.

After every transition the rules that hold for every run at every moment are checked (`tests.core.rules`).
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.failure.v1 import Failure, ServerFailureInfo
from temporalio.api.history.v1 import History, HistoryEvent
from temporalio.api.protocol.v1 import Message

from orchestrator.core import (
    activity,
    birth,
    closing,
    command_checks,
    commands,
    deadlines,
    enforcement,
    signals,
    start,
    update,
    update_messages,
    workflow_task,
)
from orchestrator.core import state as states
from orchestrator.core.command_checks import CommandFailed
from orchestrator.core.completion import Completion, Target
from orchestrator.core.limits import Limits
from orchestrator.core.run import ACTIVITY, WORKFLOW, Dispatch, Run
from orchestrator.core.state import Activity, ExecutionState, WorkflowTask
from orchestrator.core.update_news import News
from orchestrator.core.wire import SECOND
from orchestrator.errors import NotFound
from tests.core import builders as build
from tests.core import rules
from tests.core.builders import QUEUE, start_request

T = TypeVar("T")
NOW = 1_700_000_000 * SECOND
RETENTION = 86_400 * SECOND
IDENTITY = birth.Identity("namespace-id", "run-id", "start-request")
CUSTOM_ATTRIBUTES = {"Kind": 2, "Count": 3}
_F = WorkflowTaskFailedCause


class Simulation:
    """A run, what is stored of it, and the calls of its clients and workers.

    Attributes:
        state: as the last transition left it.
        now: the time, in nanoseconds since the epoch.
        events: the history.
        batches: the same, as it was written.
        tasks: the stored tasks that no worker has.
        eager: activities that the last completion handed to its worker.
        visible: whether the last transition changed what lists show.
        messages: the updates that came with the workflow task a worker took last.
        dropped: whether the last completed workflow task left no trace.
        news: what the last transition made of updates.
        owed: the stored debts of the run to others, as (kind, event id).
        successor: the run that goes on for this one.
    """

    def __init__(
        self,
        request: start.StartRequest | None = None,
        *,
        limits: Limits | None = None,
        begun: Run | None = None,
        numbers: Iterator[int] | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.now = NOW
        self.identity = IDENTITY
        self.events: list[HistoryEvent] = []
        self.batches: list[list[HistoryEvent]] = []
        self.tasks: dict[tuple[int, int], Dispatch] = {}
        self.eager: list[Activity] = []
        self.visible = False
        self.messages: list[Message] = []
        self.dropped = False
        self.news: dict[str, News] = {}
        self.request_ids: dict[str, None] = {}
        self.owed: set[tuple[int, int]] = set()
        self.successor: Simulation | None = None
        self.state: ExecutionState
        self._polls = 0
        self._numbers = numbers or itertools.count(1)
        if begun is not None:
            self.now = begun.now
            state = begun.state
            self.identity = birth.Identity(state.namespace_id, state.run_id, state.create_request_id)
            self._commit(begun)
        else:
            self._begin(request or start_request())

    def new_id(self) -> str:
        """Names a new run or request of the same simulation."""
        return f"id-{next(self._numbers)}"

    def other(self, run: Run) -> "Simulation":
        """A run that was begun beside this one, at the same time."""
        return Simulation(limits=self.limits, begun=run, numbers=self._numbers)

    def _begin(self, request: start.StartRequest) -> None:
        start.check(request, self.limits)
        eager = getattr(request, "request_eager_execution", False) and not request.HasField("workflow_start_delay")
        run = start.begin(
            request,
            IDENTITY,
            now=self.now,
            limits=self.limits,
            memo=start.without_nulls(request.memo.fields),
            search_attributes=start.without_nulls(request.search_attributes.indexed_fields),
            eager=eager,
        )
        if eager:
            run.dispatches.pop()
            workflow_task.start(run, request_id=IDENTITY.request_id, identity=request.identity)
        self._commit(run)

    # What is there.

    @property
    def task(self) -> WorkflowTask:
        """The pending workflow task."""
        assert self.state.workflow_task is not None
        return self.state.workflow_task

    def activity(self, activity_id: str) -> Activity:
        """A pending activity."""
        return next(each for each in self.state.activities.values() if each.activity_id == activity_id)

    def nodes(self) -> list[tuple[int, int, bytes]]:
        """The history as it is stored."""
        return [
            (batch[0].event_id, batch[-1].event_id, History(events=batch).SerializeToString()) for batch in self.batches
        ]

    def story(self, after: int = 0) -> list[str]:
        """The names of the events behind an event id, one line a batch."""
        lines = []
        for batch in self.batches:
            names = [name_of(event) for event in batch if event.event_id > after]
            if names:
                lines.append(" ".join(names))
        return lines

    def last(self, name: str) -> Any:
        """The attributes of the latest event of a type."""
        event = self.last_event(name)
        return getattr(event, str(event.WhichOneof("attributes")))

    def last_event(self, name: str) -> HistoryEvent:
        """The latest event of a type."""
        return next(event for event in reversed(self.events) if name_of(event) == name)

    # Transitions.

    def transact(self, function: Callable[[Run], T], *, paid: tuple[int, int] | None = None) -> T:
        """Applies one change of the run, which may pay a debt.

        What it raises is raised, and leaves no trace but for the end of a run over its limits.
        """
        run = self.open()
        result = function(run)
        if paid is not None:
            self.owed.discard(paid)
        self._commit(run)
        return result

    def open(self) -> Run:
        """The run as a transition of its own sees it."""
        blob = states.encode(self.state)
        return Run(
            states.decode(blob),
            self.now,
            self.limits,
            stored_size=len(blob),
            stored_event=lambda event_id: self.events[event_id - 1],
            stored_request_ids=lambda: self.request_ids,
            new_id=self.new_id,
            retention=lambda: RETENTION,
        )

    def _commit(self, run: Run) -> None:
        if not run.changed:
            return
        try:
            enforcement.enforce_limits(run)
        except enforcement.OverLimit as over:
            ended = self.open()
            closing.terminate(ended, reason=over.reason, identity=workflow_task.SERVER_IDENTITY)
            self._commit(ended)
            raise
        for lot in run.request_lots:
            self.request_ids.update(dict.fromkeys(lot))
        for first, last, data in run.finish():
            batch = list(History.FromString(data).events)
            assert (batch[0].event_id, batch[-1].event_id) == (first, last)
            self.batches.append(batch)
            self.events.extend(batch)
        for buried in run.buried:
            self.tasks.pop(buried, None)
        for each in run.dispatches:
            self.tasks[each.kind, each.scheduled_event_id] = each
        self.owed.update((each.kind, each.event_id) for each in run.transfers)
        deadlines.set_wake(run)
        self.visible = run.visible
        self.news = run.news
        self.state = run.state
        if run.successor is not None:
            self.successor = self.other(run.successor)
        rules.check(self.state, self.events, self.tasks, self.owed, self.now, self.identity)

    def advance(self, seconds: float) -> None:
        """Lets time pass; everything that becomes due is done at its moment."""
        until = self.now + int(seconds * SECOND)
        while self.state.wake_time and self.state.wake_time <= until:
            self.now = max(self.now, self.state.wake_time)
            self.fire()
        self.now = until

    def sleep(self, seconds: float) -> None:
        """Lets time pass while nothing is done."""
        self.now += int(seconds * SECOND)

    def fire(self) -> None:
        """Does what is due."""
        self.transact(deadlines.fire_due)

    # Workers of workflow tasks.

    def poll(self, queue: str = "", identity: str = "worker") -> bool:
        """A worker takes the scheduled workflow task; False when its poll is refused."""
        self._polls += 1
        (kind, event_id), dispatch = next((key, each) for key, each in self.tasks.items() if key[0] == WORKFLOW)

        def operation(run: Run) -> bool:
            if not workflow_task.start(
                run, request_id=f"poll-{self._polls}", identity=identity, polled_queue=queue or dispatch.task_queue
            ):
                return False
            run.buried.append((kind, event_id))
            self.messages = update.messages(run)
            return True

        return self.transact(operation)

    def complete(
        self,
        *list_of_commands: Command,
        force: bool = False,
        inline: bool = False,
        sticky: str = "",
        messages: Iterable[Message] = (),
        repeats_events: bool = True,
        targets: Mapping[str, Target] | None = None,
        **fields: Any,
    ) -> str:
        """The worker completes its workflow task; returns the error it gets for a bad command.

        Args:
            list_of_commands: in their order.
            force: whether a next workflow task is wanted in any case.
            inline: whether it is handed over with the answer.
            sticky: the queue of the worker.
            messages: its answers to updates.
            repeats_events: whether it can be shown events of a dropped task again.
            targets: the other namespaces that commands name.
            fields: of the COMPLETED event.
        """
        command_checks.check_sequence(list(list_of_commands))
        token = self.task
        answers = list(messages)
        heartbeat = force and not list_of_commands and not answers
        original = token.original_scheduled_time if heartbeat else 0
        run = self.open()
        workflow_task.check(
            run,
            scheduled_event_id=token.scheduled_event_id,
            started_event_id=token.started_event_id,
            started_time=token.started_time,
            attempt=token.attempt,
        )
        nothing = not list_of_commands and not force and update_messages.only_rejections(answers)
        self.dropped = nothing and workflow_task.can_be_dropped(run, repeats_events)
        if self.dropped:
            workflow_task.drop(run)
            event_id = run.state.next_event_id - 1
        else:
            event_id = workflow_task.complete(run, identity="worker", **fields)
        run.state.sticky_queue = sticky
        run.state.sticky_timeout = 10 * SECOND if sticky else 0
        completion = Completion(
            event_id, "worker", "default", CUSTOM_ATTRIBUTES, messages=answers, targets=targets or {}
        )
        try:
            commands.apply(run, list(list_of_commands), completion)
            update_messages.process_rest(run, completion)
        except CommandFailed as failed:
            return self._refuse(failed)
        self.eager = completion.eager
        for each in completion.eager:
            activity.start(run, each, request_id="eager", identity="worker")
        if run.state.running:
            if not heartbeat:
                update.reject_unanswered(run)
            if force or run.has_buffered or completion.wake:
                workflow_task.schedule(run, original_time=original)
            elif update.waiting(run.state):
                workflow_task.schedule(run, speculative=inline)
            if inline and run.state.workflow_task is not None:
                run.dispatches[:] = [each for each in run.dispatches if each.kind != WORKFLOW]
                workflow_task.start(run, request_id=workflow_task.INLINE_REQUEST_ID, identity="worker")
                self.messages = update.messages(run, again=not heartbeat)
        self._commit(run)
        return ""

    def _refuse(self, failed: CommandFailed) -> str:
        unhandled = failed.cause == _F.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND
        if self.task.attempt > 1 and not unhandled and not failed.terminates:
            return failed.message

        def operation(run: Run) -> None:
            failure = Failure(message=failed.message, server_failure_info=ServerFailureInfo())
            workflow_task.fail(run, cause=failed.cause, identity="worker", failure=failure)
            update.task_refused(run)
            if failed.terminates:
                closing.terminate(run, reason=failed.message, identity=workflow_task.SERVER_IDENTITY)
            else:
                run.state.close_attempted = unhandled
                workflow_task.schedule(run)

        self.transact(operation)
        return failed.message

    def turn(self, *list_of_commands: Command, **options: Any) -> str:
        """A worker takes and completes the workflow task."""
        self.poll()
        return self.complete(*list_of_commands, **options)

    def fail_task(self, cause: int = _F.WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE) -> None:
        """The worker could not process its workflow task."""

        def operation(run: Run) -> None:
            workflow_task.fail(run, cause=cause, identity="worker", failure=Failure(message="broken"))  # type: ignore[arg-type]
            workflow_task.schedule(run)

        self.transact(operation)

    # Workers of activities.

    def poll_activity(self, activity_id: str, identity: str = "worker") -> None:
        """A worker takes a scheduled attempt."""
        self._polls += 1
        event_id = self.activity(activity_id).scheduled_event_id
        assert (ACTIVITY, event_id) in self.tasks

        def operation(run: Run) -> None:
            activity.start(run, run.state.activities[event_id], request_id=f"poll-{self._polls}", identity=identity)
            run.buried.append((ACTIVITY, event_id))

        self.transact(operation)

    def answer(self, activity_id: str, function: Callable[[Run, Activity], None]) -> None:
        """A worker answers for an activity; a workflow task follows when that ends it."""

        def operation(run: Run) -> None:
            pending = activity.find_by_id(run, activity_id)
            function(run, pending)
            if pending.scheduled_event_id not in run.state.activities:
                workflow_task.schedule(run)

        self.transact(operation)

    def complete_activity(self, activity_id: str, result: Payloads | None = None) -> None:
        """The activity returned."""
        self.answer(activity_id, lambda run, pending: activity.complete(run, pending, result, "worker"))

    def fail_activity(self, activity_id: str, failure: Failure) -> None:
        """The attempt raised."""
        self.answer(activity_id, lambda run, pending: activity.fail(run, pending, failure, "worker"))

    def cancel_activity(self, activity_id: str, details: Payloads | None = None) -> None:
        """The activity obeyed."""
        self.answer(activity_id, lambda run, pending: activity.cancel(run, pending, details, "worker"))

    def heartbeat(self, activity_id: str, details: Payloads | None = None) -> None:
        """The attempt is alive."""
        self.answer(activity_id, lambda run, pending: activity.heartbeat(run, pending, details))

    # Clients.

    def signal(self, name: str = "signal", request_id: str = "", **options: Any) -> None:
        """A client sends a signal."""
        self.transact(
            lambda run: signals.signal(
                run, name=name, input=None, identity="client", header=None, request_id=request_id, **options
            )
        )

    def update(self, update_id: str = "update", **fields: Any) -> None:
        """A client sends an update."""
        self.transact(lambda run: update.admit(run, build.update_request(update_id, **fields)))

    def look(self, update_id: str = "update") -> News | None:
        """A client asks for an update."""
        return update.look(self.open(), update_id)

    def cancel(self, reason: str = "", request_id: str = "") -> None:
        """A client asks the workflow to end."""
        self.transact(lambda run: signals.request_cancel(run, reason=reason, identity="client", request_id=request_id))

    def terminate(self, **fields: Any) -> None:
        """A client ends the run."""
        if not self.state.running:
            raise NotFound("closed")
        self.transact(lambda run: closing.terminate(run, **fields))


def name_of(event: HistoryEvent) -> str:
    """EVENT_TYPE_WORKFLOW_TASK_STARTED -> WorkflowTaskStarted."""
    words = EventType.Name(event.event_type).removeprefix("EVENT_TYPE_").split("_")
    return "".join(word.capitalize() for word in words)


__all__ = ["CUSTOM_ATTRIBUTES", "IDENTITY", "NOW", "QUEUE", "Simulation", "name_of"]
