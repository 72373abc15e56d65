"""Who a workflow run is, and under which names telemetry knows it."""

from collections.abc import Mapping
from dataclasses import dataclass

from hugo.diagnostics import binding


@dataclass(frozen=True, slots=True)
class WorkflowIdentity:
    """What does not change during a run. Raises ValueError for a blank name; a blank schedule is none."""

    namespace: str
    workflow_id: str
    run_id: str
    task_queue: str
    workflow_type: str | None = None
    schedule_id: str | None = None
    schedule_group: str | None = None

    def __post_init__(self) -> None:
        for name in ("namespace", "workflow_id", "run_id", "task_queue"):
            if not getattr(self, name).strip():
                raise ValueError(f"A workflow run has a {name}.")
        for name in ("workflow_type", "schedule_id", "schedule_group"):
            if not (getattr(self, name) or "").strip():
                object.__setattr__(self, name, None)

    def attributes(self) -> dict[str, str]:
        """All of it, for spans, logs and errors."""
        known = {
            "workflow.namespace": self.namespace,
            "workflow.id": self.workflow_id,
            "workflow.run_id": self.run_id,
            "workflow.task_queue": self.task_queue,
            "workflow.type": self.workflow_type,
            "workflow.schedule_id": self.schedule_id,
            "workflow.schedule_group": self.schedule_group,
        }
        return {key: value for key, value in known.items() if value is not None}

    def metric_attributes(self) -> Mapping[str, str]:
        """What measurements carry: without ids, which would make a time series of every run, unless configured."""
        if binding.active.workflow_ids:
            return self.attributes()
        kept = ("workflow.namespace", "workflow.task_queue", "workflow.type")
        return {key: value for key, value in self.attributes().items() if key in kept}
