"""What a transition made of an update, for the callers who wait for it."""

from dataclasses import dataclass

from temporalio.api.enums.v1 import UpdateWorkflowExecutionLifecycleStage
from temporalio.api.update.v1 import Outcome

from orchestrator.errors import ServiceError

Stage = UpdateWorkflowExecutionLifecycleStage

ADMITTED = Stage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ADMITTED
ACCEPTED = Stage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED
COMPLETED = Stage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED


@dataclass(frozen=True, slots=True)
class News:
    """The stage an update has reached.

    Attributes:
        stage: admitted, accepted or completed.
        outcome: of a completed update; that of a rejected one is kept nowhere else.
        error: why the update will never complete.
        aborted: whether that is because the run closed before it was accepted: the run that goes on may take it.
        stored: whether the state of the run tells it too; if not, only those who hear it know.
    """

    stage: Stage.ValueType
    outcome: Outcome | None = None
    error: ServiceError | None = None
    aborted: bool = False
    stored: bool = True
