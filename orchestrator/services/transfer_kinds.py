"""Who pays which debt of a run; see `orchestrator.services.transfers`."""

from collections.abc import Awaitable, Callable

from orchestrator.core.transfers import TransferKind
from orchestrator.errors import Unavailable
from orchestrator.services.close_family import close_family
from orchestrator.services.delete_workflow import remove
from orchestrator.services.engine import Engine
from orchestrator.services.external_workflows import cancel_external, signal_external
from orchestrator.services.start_child import release_child, start_child
from orchestrator.store.ports import Transfer

KINDS: dict[int, Callable[[Engine, Transfer], Awaitable[None]]] = {
    TransferKind.START_CHILD: start_child,
    TransferKind.RELEASE_CHILD: release_child,
    TransferKind.SIGNAL_EXTERNAL: signal_external,
    TransferKind.CANCEL_EXTERNAL: cancel_external,
    TransferKind.CLOSE: close_family,
    TransferKind.DELETE: remove,
}


async def pay(engine: Engine, transfer: Transfer) -> None:
    """Pays one debt; raises Unavailable for a kind of a newer version, whose processes will pay it."""
    payment = KINDS.get(transfer.kind)
    if payment is None:
        raise Unavailable(f"this version knows no debt of kind {transfer.kind}")
    await payment(engine, transfer)
