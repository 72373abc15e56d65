"""The numbers a transition must respect."""

import dataclasses

from orchestrator.core.wire import SECOND

MIB = 1 << 20


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, lengths in bytes of UTF-8, times in nanoseconds; the defaults are a Temporal server's."""

    blob_size: int = 2 * MIB
    memo_size: int = 2 * MIB
    id_length: int = 1000
    history_size: int = 50 * MIB
    history_count: int = 51_200
    state_size: int = 8 * MIB
    transaction_size: int = 4 * MIB
    activity_failure_size: int = 4096
    pending_activities: int = 2000
    pending_children: int = 2000
    pending_external_signals: int = 2000
    pending_external_cancels: int = 2000
    signals: int = 10_000
    buffered_events: int = 100
    buffered_events_size: int = 2 * MIB
    search_attributes: int = 100
    search_attribute_size: int = 2048
    search_attributes_size: int = 40 * 1024
    links: int = 10
    link_size: int = 4000
    updates_in_flight: int = 10
    updates_in_flight_size: int = 20 * MIB
    updates: int = 2000
    suggest_continue_as_new_count: int = 4096
    suggest_continue_as_new_size: int = 4 * MIB
    default_workflow_task_timeout: int = 10 * SECOND
    maximum_workflow_task_timeout: int = 120 * SECOND
    workflow_task_heartbeat_timeout: int = 30 * 60 * SECOND

    @property
    def suggest_continue_as_new_updates(self) -> int:
        """Updates of a run from which a workflow task suggests to continue as new."""
        return self.updates * 9 // 10
