"""`manage.py` in a process that dies when it is told to: `python -m tests.functional.mortal_server ORDER hugo dev ...`.

ORDER is a file. While it holds `KIND STEPS WORKFLOW_ID`, the process kills itself once it has taken that many steps of
paying a debt of this kind of that workflow; with 0, before the first. See `tests.support.mortal`.
"""

import os
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import django

import manage
from tests.support.mortal import Mortal


@dataclass(frozen=True)
class Order:
    """Where orders are written to."""

    file: Path

    def steps(self, kind: int, workflow_id: str) -> int | None:
        """How far the payment of such a debt may go; None for to its end."""
        if not self.file.exists():
            return None
        wanted, steps, payer = self.file.read_text().split()
        return int(steps) if (int(wanted), payer) == (kind, workflow_id) else None


def die() -> None:
    """SIGKILL: nothing is flushed, nobody is told."""
    os.kill(os.getpid(), signal.SIGKILL)


async def _pay(order: Order, payment: Callable[..., Awaitable[None]], engine: Any, transfer: Any) -> None:
    steps = order.steps(transfer.kind, transfer.workflow_id)
    if steps == 0:
        die()
    await payment(engine if steps is None else Mortal(engine, steps, die), transfer)


def main() -> None:
    """Runs `manage.py` with payments that may end the process."""
    order = Order(Path(sys.argv[1]))
    sys.argv = ["manage.py", *sys.argv[2:]]
    os.environ["HUGO_DATA_DIR"] = manage.data_directory(sys.argv) or ""
    django.setup()

    from orchestrator.services.transfer_kinds import KINDS

    for kind, payment in list(KINDS.items()):
        KINDS[kind] = partial(_pay, order, payment)
    manage.main()


if __name__ == "__main__":
    main()
