"""What is wrong with a start request, in the words of a Temporal server."""

from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from temporalio.api.common.v1 import Callback, Link, Priority, RetryPolicy, WorkflowType
from temporalio.api.enums.v1 import TaskQueueKind, WorkflowIdConflictPolicy, WorkflowIdReusePolicy
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflow.v1 import OnConflictOptions

from orchestrator.core import start
from orchestrator.core.limits import Limits
from orchestrator.errors import InvalidArgument, ServiceError, Unimplemented
from tests.core import builders as build
from tests.core.simulation import NOW

LONG = "x" * 1001
NEGATIVE = Duration(seconds=-1)
MIXED = Duration(seconds=1, nanos=-1)
_R = WorkflowIdReusePolicy
_C = WorkflowIdConflictPolicy
LIMITS = Limits()


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"workflow_id": ""}, "WorkflowId is not set on request."),
        ({"workflow_id": LONG}, "WorkflowId length exceeds limit."),
        ({"workflow_id": "é" * 501}, "WorkflowId length exceeds limit."),
        (
            {"retry_policy": build.retry_policy(-1)},
            "invalid InitialInterval set on retry policy: negative duration",
        ),
        (
            {"cron_schedule": "* * * * *", "workflow_start_delay": build.seconds(1)},
            "CronSchedule and WorkflowStartDelay may not be used together.",
        ),
        (
            {"workflow_execution_timeout": NEGATIVE},
            "An invalid WorkflowExecutionTimeoutSeconds is set on request. cause: negative duration",
        ),
        (
            {"workflow_run_timeout": NEGATIVE},
            "An invalid WorkflowRunTimeoutSeconds is set on request. cause: negative duration",
        ),
        (
            {"workflow_task_timeout": MIXED},
            "An invalid WorkflowTaskTimeoutSeconds is set on request. "
            "cause: duration has seconds and nanos with different signs",
        ),
        (
            {"workflow_start_delay": NEGATIVE},
            "An invalid WorkflowStartDelaySeconds is set on request. cause: negative duration",
        ),
        ({"workflow_type": WorkflowType()}, "WorkflowType is not set on request."),
        ({"workflow_type": WorkflowType(name=LONG)}, "WorkflowType length exceeds limit."),
        ({"task_queue": None}, "taskQueue is not set"),
        ({"task_queue": TaskQueue()}, "missing task queue name"),
        ({"task_queue": TaskQueue(name=LONG)}, "taskQueue length exceeds limit"),
        (
            {"task_queue": TaskQueue(name="/_sys/queue")},
            "task queue name cannot start with reserved prefix /_sys/",
        ),
        (
            {"task_queue": TaskQueue(name="q", normal_name="n", kind=TaskQueueKind.TASK_QUEUE_KIND_NORMAL)},
            "only sticky queues can have normal name. tq: q, normal name: n",
        ),
        ({"request_id": LONG}, "RequestId length exceeds limit."),
        ({"priority": Priority(priority_key=-1)}, "priority key can't be negative"),
        ({"priority": Priority(fairness_key="x" * 65)}, "fairness key length exceeds limit"),
        ({"priority": Priority(fairness_weight=-1)}, "must be greater than zero"),
        ({"links": [Link()] * 11}, "cannot attach more than 10 links per request, got 11"),
        ({"links": [Link()]}, "unsupported link variant"),
        (
            {"links": [Link(batch_job=Link.BatchJob(job_id="x" * 5000))]},
            "link exceeds allowed size of 4000, got 5006",
        ),
        ({"links": [Link(batch_job=Link.BatchJob())]}, "batch job link must not have an empty job ID"),
        (
            {"links": [Link(workflow_event=Link.WorkflowEvent())]},
            "workflow event link must not have an empty namespace field",
        ),
        (
            {"links": [Link(workflow_event=Link.WorkflowEvent(namespace="n"))]},
            "workflow event link must not have an empty workflow ID field",
        ),
        (
            {"links": [Link(workflow_event=Link.WorkflowEvent(namespace="n", workflow_id="w"))]},
            "workflow event link must not have an empty run ID field",
        ),
        (
            {"on_conflict_options": OnConflictOptions(attach_completion_callbacks=True)},
            "attaching request ID is required for attaching completion callbacks",
        ),
        ({"memo": build.memo(a="x" * LIMITS.memo_size)}, "Memo size exceeds limit."),
        ({"input": build.payloads("x" * LIMITS.blob_size)}, "Blob data size exceeds limit."),
        (
            {
                "workflow_id_reuse_policy": _R.WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING,
                "workflow_id_conflict_policy": _C.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
            },
            "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING cannot be used together with "
            "a WorkflowIDConflictPolicy",
        ),
        (
            {
                "workflow_id_reuse_policy": _R.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
                "workflow_id_conflict_policy": _C.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING,
            },
            "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE cannot be used together with "
            "WorkflowIdConflictPolicy WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING",
        ),
    ],
)
def test_a_wrong_start(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidArgument) as raised:
        start.check(build.start_request(**fields), LIMITS)
    assert raised.value.message == text


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"signal_name": ""}, "SignalName is not set on request."),
        ({"signal_name": LONG}, "SignalName length exceeds limit."),
        ({"signal_input": build.payloads("x" * LIMITS.blob_size)}, "Blob data size exceeds limit."),
        (
            {"workflow_id_conflict_policy": _C.WORKFLOW_ID_CONFLICT_POLICY_FAIL},
            "Invalid WorkflowIDConflictPolicy: WORKFLOW_ID_CONFLICT_POLICY_FAIL is not supported for this operation.",
        ),
    ],
)
def test_a_wrong_signal_with_start(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidArgument) as raised:
        start.check(build.signal_with_start_request(**fields), LIMITS)
    assert raised.value.message == text


def test_the_first_thing_wrong_wins() -> None:
    with pytest.raises(InvalidArgument, match="WorkflowId is not set"):
        start.check(build.start_request(workflow_id="", task_queue=None, workflow_type=WorkflowType()), LIMITS)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"completion_callbacks": [Callback()]}, Unimplemented),
        ({"completion_callbacks": [Callback(nexus=Callback.Nexus(url="http://x"))]}, InvalidArgument),
    ],
)
def test_what_this_server_does_not_do_is_refused(fields: dict[str, Any], error: type[ServiceError]) -> None:
    with pytest.raises(error):
        start.check(build.start_request(**fields), LIMITS)


@pytest.mark.parametrize(
    ("schedule", "error", "text"),
    [
        ("never", InvalidArgument, "invalid CronSchedule."),
        ("0 0 30 2 *", InvalidArgument, "invalid CronSchedule, no time can be found to satisfy the schedule"),
    ],
)
def test_cron_schedules(schedule: str, error: type[ServiceError], text: str) -> None:
    with pytest.raises(error) as raised:
        start.check_cron(schedule, NOW)
    assert raised.value.message == text


@pytest.mark.parametrize(
    ("reuse", "conflict", "expected"),
    [
        (0, 0, (_R.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE, _C.WORKFLOW_ID_CONFLICT_POLICY_FAIL)),
        (
            _R.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
            _C.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
            (_R.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE, _C.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING),
        ),
        (
            _R.WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING,
            0,
            (_R.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE, _C.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING),
        ),
    ],
)
def test_policies_are_resolved(reuse: Any, conflict: Any, expected: tuple[int, int]) -> None:
    request = build.start_request(workflow_id_reuse_policy=reuse, workflow_id_conflict_policy=conflict)
    policies = start.check(request, LIMITS)
    assert (policies.reuse, policies.conflict) == expected


def test_signal_with_start_uses_the_open_run_unless_told_otherwise() -> None:
    policies = start.check(build.signal_with_start_request(), LIMITS)
    assert policies.conflict == _C.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING


def test_a_policy_of_one_attempt_is_not_looked_at() -> None:
    start.check(build.start_request(retry_policy=RetryPolicy(maximum_attempts=1, backoff_coefficient=0.5)), LIMITS)
