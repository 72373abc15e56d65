"""The schema: columns and constraints, no behaviour. Migrations are the only way to change it.

Times are integers, nanoseconds since the epoch, as on the wire. Every unique constraint of a table on the hot path
contains `shard_id`, so that a distributed PostgreSQL can keep a shard's rows together.
"""

from orchestrator.models.cluster import ClusterMetadata, Member, Namespace, SearchAttribute, Shard
from orchestrator.models.dead_letter import DeadLetter
from orchestrator.models.deterministic import DeterministicRecord
from orchestrator.models.execution import CurrentExecution, Execution, HistoryNode, SignalRequests
from orchestrator.models.tasks import DispatchTask, TaskQueue, TimerTask, TransferTask
from orchestrator.models.visibility import VisibilityRecord

__all__ = [
    "ClusterMetadata",
    "CurrentExecution",
    "DeadLetter",
    "DeterministicRecord",
    "DispatchTask",
    "Execution",
    "HistoryNode",
    "Member",
    "Namespace",
    "SearchAttribute",
    "Shard",
    "SignalRequests",
    "TaskQueue",
    "TimerTask",
    "TransferTask",
    "VisibilityRecord",
]
