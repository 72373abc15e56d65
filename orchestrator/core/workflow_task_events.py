"""The events of a workflow task that are written late: of a transient task, and of a speculative one."""

from typing import TYPE_CHECKING

from temporalio.api.common.v1 import WorkerVersionStamp
from temporalio.api.enums.v1 import EventType, TaskQueueKind
from temporalio.api.history.v1 import WorkflowTaskScheduledEventAttributes, WorkflowTaskStartedEventAttributes
from temporalio.api.taskqueue.v1 import TaskQueue

from orchestrator.core.state import WorkflowTask
from orchestrator.core.wire import duration

if TYPE_CHECKING:
    from orchestrator.core.run import Run


def queue_message(name: str, normal_name: str = "") -> TaskQueue:
    """The message of a normal queue, or of a sticky one when a normal name is given."""
    if normal_name:
        return TaskQueue(name=name, kind=TaskQueueKind.TASK_QUEUE_KIND_STICKY, normal_name=normal_name)
    return TaskQueue(name=name, kind=TaskQueueKind.TASK_QUEUE_KIND_NORMAL)


def settle(run: "Run", task: WorkflowTask) -> None:
    """Makes a speculative task an ordinary one: its events are written, with the ids it was given in advance."""
    started = task.started_event_id
    task.speculative = False
    write_scheduled(run, task)
    if started:
        write_started(run, task)


def write_scheduled(run: "Run", task: WorkflowTask) -> None:
    """Writes WORKFLOW_TASK_SCHEDULED."""
    normal = run.state.task_queue if task.sticky else ""
    event = run.add(
        EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
        "workflow_task_scheduled_event_attributes",
        WorkflowTaskScheduledEventAttributes(
            task_queue=queue_message(task.task_queue, normal),
            start_to_close_timeout=duration(task.timeout),
            attempt=task.attempt,
        ),
        time=task.scheduled_time,
    )
    task.scheduled_event_id = event.event_id


def write_started(run: "Run", task: WorkflowTask) -> None:
    """Writes WORKFLOW_TASK_STARTED, which ends a batch."""
    event = run.add(
        EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED,
        "workflow_task_started_event_attributes",
        WorkflowTaskStartedEventAttributes(
            scheduled_event_id=task.scheduled_event_id,
            identity=task.identity,
            request_id=task.request_id,
            suggest_continue_as_new=bool(task.suggestions),
            suggest_continue_as_new_reasons=task.suggestions,  # type: ignore[arg-type]
            history_size_bytes=task.history_size,
            worker_version=WorkerVersionStamp.FromString(task.worker_version) if task.worker_version else None,
        ),
        time=task.started_time,
    )
    task.started_event_id = event.event_id
    run.end_batch()
