"""What a run can owe to another run. Each debt is a row, born in the transition that leads to it and paid after it."""

from enum import IntEnum

from temporalio.api.enums.v1 import ParentClosePolicy

from orchestrator.core.run import Run, Transfer
from orchestrator.core.state import ExecutionState


class TransferKind(IntEnum):
    """The kinds of debts; the numbers are stored.

    Attributes:
        START_CHILD: to begin a child; `event_id` is that of its INITIATED event.
        RELEASE_CHILD: owed by a new child to itself: its first workflow task, once its parent knows of it.
        SIGNAL_EXTERNAL: to signal another workflow; `event_id` is that of the INITIATED event.
        CANCEL_EXTERNAL: to ask another workflow to end; likewise.
        CLOSE: to tell the parent of the end, and to apply the parent-close policy to children.
        DELETE: owed by a closed run to those who want it gone: its removal, once it owes nothing else.
    """

    START_CHILD = 1
    RELEASE_CHILD = 2
    SIGNAL_EXTERNAL = 3
    CANCEL_EXTERNAL = 4
    CLOSE = 5
    DELETE = 6


def request_id(run_id: str, initiated_event_id: int) -> str:
    """The id under which the other run knows what an event of this one asks of it, however often it is asked."""
    return f"{run_id}:{initiated_event_id}:0"


def owe_at_close(run: Run) -> None:
    """Notes what the end of a run leads to: its children and its parent may have to learn of it."""
    if (run.successor is None and run.state.parent is not None) or left_children(run.state):
        run.transfers.append(Transfer(TransferKind.CLOSE))


def debts(state: ExecutionState) -> list[Transfer]:
    """What an open run has asked of others and not heard of."""
    return [
        *(
            Transfer(TransferKind.START_CHILD, child.initiated_event_id)
            for child in state.children.values()
            if not child.run_id
        ),
        *(Transfer(TransferKind.SIGNAL_EXTERNAL, event_id) for event_id in state.external_signals),
        *(Transfer(TransferKind.CANCEL_EXTERNAL, event_id) for event_id in state.external_cancels),
    ]


def left_children(state: ExecutionState) -> bool:
    """Whether children are open that do not outlive their parent as they are."""
    abandon = ParentClosePolicy.PARENT_CLOSE_POLICY_ABANDON
    return any(child.run_id and child.close_policy != abandon for child in state.children.values())
