"""What is known of a workflow run from outside."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, StrEnum


class CompletionStatus(Enum):
    """How a run ended."""

    COMPLETED = 1
    FAILED = 2
    CANCELED = 3
    TERMINATED = 4


class VisibilityStatus(StrEnum):
    """How a run stands, as it is written."""

    ACTIVE = "Active"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELED = "Canceled"
    TERMINATED = "Terminated"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowVisibilityRecord:
    """One row for each run, identified by `namespace`, `workflow_id` and `run_id`; times are in UTC.

    `logical_clock` and `replay_count` are those of the run's context. Keys of `attributes` that belong to the business
    begin with `workflow.`; `error.code` and `error.message` say why a run failed.
    """

    namespace: str
    workflow_id: str
    run_id: str
    task_queue: str
    schedule_id: str | None = None
    schedule_group: str | None = None
    status: VisibilityStatus
    started_at: datetime
    completed_at: datetime | None = None
    logical_clock: int
    replay_count: int
    attributes: Mapping[str, str] = field(default_factory=dict)
