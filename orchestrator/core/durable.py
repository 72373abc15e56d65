"""What the history of a run determines of its state."""

from msgspec import structs
from temporalio.api.common.v1 import Payload

from orchestrator.core.server_attributes import KEPT_BY_SERVER
from orchestrator.core.state import Activity, ExecutionState, WorkflowTask


def durable(state: ExecutionState) -> ExecutionState:
    """The part of a state that its history, with the events in its buffer, determines; the rest is set to defaults.

    So `durable(rebuild(identity, events, buffered)) == durable(state)` for every run at every moment. A history does
    not tell, and this leaves out:

    - the stickiness of the worker, and timeouts that come from it;
    - speculative workflow tasks, and those of later attempts, whose events are written when one completes, and the
      count of attempts;
    - since when a workflow task is kept alive by heartbeats, and whether the run is trying to close;
    - what happened to an activity between its SCHEDULED and its last STARTED event: attempts, backoff, heartbeats,
      failures, who works on it;
    - which run asked for a child first, before resets;
    - updates that are admitted and not accepted, because a rejection leaves no trace, and whether an event admitted
      one: it may have been rejected, and sent again;
    - the search attributes that the server itself keeps on a run, and whether an operator has paused an activity;
    - until when the run is kept once another one goes on for it;
    - the buffer itself, request ids of signals and cancel requests, the first start of a chain of runs;
    - bookkeeping: stamps, the stored wake-up, the number of transitions.

    Memo and search attributes are brought into one form, because the same payload may be serialized in several.
    """
    return structs.replace(
        state,
        transitions=0,
        workflow_task=_workflow_task(state.workflow_task),
        workflow_task_attempt=1,
        sticky_queue="",
        sticky_timeout=0,
        close_attempted=False,
        cancel_request_id="",
        signal_request_ids=[],
        signal_request_lots=0,
        external_request_ids=[],
        activities={key: _activity(each) for key, each in state.activities.items()},
        buffered=[],
        children={key: structs.replace(each, asked_by="") for key, each in state.children.items()},
        updates={
            key: structs.replace(each, sent=False, in_history=False)
            for key, each in state.updates.items()
            if each.accepted_event_id
        },
        memo=_normal(state.memo),
        search_attributes=_normal(
            {name: data for name, data in state.search_attributes.items() if name not in KEPT_BY_SERVER}
        ),
        reset_points=[each if each.run_id else structs.replace(each, expire_time=0) for each in state.reset_points],
        wake_time=0,
        next_stamp=1,
        original_start_time=0,
    )


def _workflow_task(task: WorkflowTask | None) -> WorkflowTask | None:
    if task is None or task.attempt > 1 or task.speculative:
        return None
    return structs.replace(task, original_scheduled_time=0, schedule_to_start=0, stamp=0)


def _activity(activity: Activity) -> Activity:
    return structs.replace(
        activity,
        scheduled_time=activity.first_scheduled_time,
        attempt=1,
        stamp=0,
        started_time=0,
        started_identity="",
        request_id="",
        heartbeat_time=0,
        heartbeat_details=b"",
        last_failure=b"",
        last_identity="",
        last_attempt_complete_time=0,
        backing_off=False,
        worker_version=b"",
        paused=False,
        pause_time=0,
        pause_identity="",
        pause_reason="",
    )


def _normal(fields: dict[str, bytes]) -> dict[str, bytes]:
    return {key: Payload.FromString(data).SerializeToString(deterministic=True) for key, data in fields.items()}
