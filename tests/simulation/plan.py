"""What simulated workflows do: a list of steps, and the commands that follow from a history. Nothing else decides."""

import json
import random
from collections.abc import Sequence
from typing import NamedTuple

from google.protobuf.duration_pb2 import Duration
from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import ActivityType, Payload, Payloads, RetryPolicy, WorkflowType
from temporalio.api.enums.v1 import CommandType, EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.taskqueue.v1 import TaskQueue

QUEUE = "simulated"
ASIDE = "?"
"""How the names of signals end that no workflow waits for."""
_E = EventType
_ENDED_ACTIVITY = {
    _E.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: "activity_task_completed_event_attributes",
    _E.EVENT_TYPE_ACTIVITY_TASK_FAILED: "activity_task_failed_event_attributes",
    _E.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: "activity_task_timed_out_event_attributes",
}
_ENDED_CHILD = {
    _E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED,
    _E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED,
    _E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT,
    _E.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED,
}


class Step(NamedTuple):
    """One thing a workflow waits for.

    Attributes:
        kind: `activities`, `timer`, `signals`, `updates`, `child` or `again` (continue as new, once).
        amount: how many activities, milliseconds, or signals or completed updates so far.
    """

    kind: str
    amount: int


def plan(rng: random.Random, signals: int, updates: int) -> list[Step]:
    """A random life that ends once `signals` signals have come, and `updates` updates or another run."""
    kinds = ["activities", "timer", "activities", "child"]
    steps = [Step(kind, rng.randint(1, 3) if kind != "timer" else rng.randint(1, 5000)) for kind in kinds]
    rng.shuffle(steps)
    if rng.random() < 0.3:
        steps.insert(rng.randrange(len(steps)), Step("again", 1))
    else:
        # A run knows the updates of no other: one that is repeated must not meet another run.
        steps.append(Step("updates", updates))
    return [*steps, Step("signals", signals)]


def encode(steps: Sequence[Step]) -> Payloads:
    """The input of a workflow."""
    return Payloads(payloads=[Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(steps).encode())])


def decide(workflow_id: str, events: Sequence[HistoryEvent], updates: int) -> list[Command]:
    """The commands of a workflow task, from the whole history of the run and the updates completed in this task."""
    started = events[0].workflow_execution_started_event_attributes
    steps = [Step(*each) for each in json.loads(started.input.payloads[0].data)]
    signals = sum(
        each.event_type == _E.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
        and not each.workflow_execution_signaled_event_attributes.signal_name.endswith(ASIDE)
        for each in events
    )
    for index, step in enumerate(steps):
        if step.kind == "activities":
            commands, done = _activities(index, step, events)
        elif step.kind == "timer":
            commands, done = _timer(index, step, events)
        elif step.kind == "child":
            commands, done = _child(f"{workflow_id}/{started.first_execution_run_id}/{index}", events)
        elif step.kind == "again":
            return [_again([_less(each, signals) for each in steps[index + 1 :]])]
        elif step.kind == "updates":
            commands, done = [], completed_updates(events) + updates >= step.amount
        else:
            commands, done = [], signals >= step.amount
        if not done:
            return commands
    finish = Command(command_type=CommandType.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION)
    finish.complete_workflow_execution_command_attributes.SetInParent()
    return [finish]


def completed_updates(events: Sequence[HistoryEvent]) -> int:
    """How many updates a run has completed."""
    return sum(each.event_type == _E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED for each in events)


def _less(step: Step, signals: int) -> Step:
    """A step of the next run, which does not see the signals of this one."""
    return step._replace(amount=max(0, step.amount - signals)) if step.kind == "signals" else step


def _activities(index: int, step: Step, events: Sequence[HistoryEvent]) -> tuple[list[Command], bool]:
    prefix = f"{index}-"
    scheduled = {
        each.event_id
        for each in events
        if each.event_type == _E.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
        and each.activity_task_scheduled_event_attributes.activity_id.startswith(prefix)
    }
    if not scheduled:
        return [_activity(f"{prefix}{number}") for number in range(step.amount)], False
    ended = {
        getattr(each, _ENDED_ACTIVITY[each.event_type]).scheduled_event_id
        for each in events
        if each.event_type in _ENDED_ACTIVITY
    }
    return [], scheduled <= ended


def _activity(activity_id: str) -> Command:
    command = Command(command_type=CommandType.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK)
    attributes = command.schedule_activity_task_command_attributes
    attributes.activity_id = activity_id
    attributes.activity_type.CopyFrom(ActivityType(name="step"))
    attributes.task_queue.CopyFrom(TaskQueue(name=QUEUE))
    attributes.start_to_close_timeout.CopyFrom(Duration(seconds=5))
    attributes.retry_policy.CopyFrom(RetryPolicy(initial_interval=Duration(nanos=200_000_000), backoff_coefficient=1.5))
    return command


def _timer(index: int, step: Step, events: Sequence[HistoryEvent]) -> tuple[list[Command], bool]:
    timer_id = str(index)
    if not any(
        each.event_type == _E.EVENT_TYPE_TIMER_STARTED and each.timer_started_event_attributes.timer_id == timer_id
        for each in events
    ):
        command = Command(command_type=CommandType.COMMAND_TYPE_START_TIMER)
        command.start_timer_command_attributes.timer_id = timer_id
        command.start_timer_command_attributes.start_to_fire_timeout.FromMilliseconds(step.amount)
        return [command], False
    fired = any(
        each.event_type == _E.EVENT_TYPE_TIMER_FIRED and each.timer_fired_event_attributes.timer_id == timer_id
        for each in events
    )
    return [], fired


def _child(workflow_id: str, events: Sequence[HistoryEvent]) -> tuple[list[Command], bool]:
    if any(each.event_type in _ENDED_CHILD for each in events):
        return [], True
    if any(each.event_type == _E.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED for each in events):
        return [], False
    command = Command(command_type=CommandType.COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION)
    attributes = command.start_child_workflow_execution_command_attributes
    attributes.workflow_id = workflow_id
    attributes.workflow_type.CopyFrom(WorkflowType(name="child"))
    attributes.task_queue.CopyFrom(TaskQueue(name=QUEUE))
    attributes.input.CopyFrom(encode([Step("activities", 1), Step("timer", 300)]))
    return [command], False


def _again(steps: Sequence[Step]) -> Command:
    command = Command(command_type=CommandType.COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION)
    attributes = command.continue_as_new_workflow_execution_command_attributes
    attributes.workflow_type.CopyFrom(WorkflowType(name="main"))
    attributes.task_queue.CopyFrom(TaskQueue(name=QUEUE))
    attributes.input.CopyFrom(encode(steps))
    return command
