"""Search attributes the server itself keeps on a run, by which operators find what is stuck or held back.

They are no part of the history: a run that goes on for another one begins without them.
"""

from collections.abc import Sequence

import msgspec
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import WorkflowTaskFailedCause

from orchestrator.core.command_checks import cause_name
from orchestrator.core.run import Run

PAUSE_INFO = "TemporalPauseInfo"
REPORTED_PROBLEMS = "TemporalReportedProblems"
KEPT_BY_SERVER = frozenset({PAUSE_INFO, REPORTED_PROBLEMS})
PROBLEM_FROM = 5
"""The attempt of a workflow task from which the failures before it are a problem."""


def show_paused(run: Run) -> None:
    """Names the types of the activities that are paused."""
    types = {each.activity_type for each in run.state.activities.values() if each.paused}
    _put(run, PAUSE_INFO, [f"property:activityType={each}" for each in sorted(types)])


def report_failed(run: Run, cause: WorkflowTaskFailedCause.ValueType) -> None:
    """The workflow task has failed again; the first cause that makes a problem of it is the one shown."""
    _report(run, "WorkflowTaskFailed", f"WorkflowTaskFailedCause{cause_name(cause)}")


def report_timed_out(run: Run) -> None:
    """The same for a worker that took too long again."""
    _report(run, "WorkflowTaskTimedOut", "WorkflowTaskTimedOutCauseStartToClose")


def problem_solved(run: Run) -> None:
    """A workflow task has completed."""
    _put(run, REPORTED_PROBLEMS, ())


def _report(run: Run, category: str, cause: str) -> None:
    state = run.state
    if state.workflow_task_attempt >= PROBLEM_FROM and REPORTED_PROBLEMS not in state.search_attributes:
        _put(run, REPORTED_PROBLEMS, (f"category={category}", f"cause={cause}"))


def _put(run: Run, name: str, values: Sequence[str]) -> None:
    attributes = run.state.search_attributes
    if values:
        metadata = {"encoding": b"json/plain", "type": b"KeywordList"}
        attributes[name] = Payload(metadata=metadata, data=msgspec.json.encode(values)).SerializeToString()
    elif attributes.pop(name, None) is None:
        return
    run.changed = run.visible = True
