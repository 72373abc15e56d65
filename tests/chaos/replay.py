"""Replays stored histories with the SDK."""

from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from tests.chaos.workflows import Errand, Traveller
from tests.functional.stored import Stored
from tests.functional.workers import all_of

AT_MOST = 1000
"""Histories that are replayed; the longest ones."""


async def replay_failures(stored: Stored) -> list[str]:
    """What the SDK cannot replay, of the runs that workers of it have worked on."""
    replayer = Replayer(workflows=[Traveller, Errand], workflow_runner=UnsandboxedWorkflowRunner())
    found = []
    for run_id, events in sorted(stored.histories.items(), key=lambda item: -len(item[1]))[:AT_MOST]:
        if not all_of(events, "WORKFLOW_TASK_COMPLETED"):
            continue
        workflow_id = stored.states[run_id].workflow_id
        history = WorkflowHistory(workflow_id, events)
        result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
        if result.replay_failure is not None:
            found.append(f"{workflow_id} {run_id}: its history cannot be replayed: {result.replay_failure}")
    return found
