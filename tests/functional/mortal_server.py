"""`manage.py` in a process that dies when it is told to: `python -m tests.functional.mortal_server ORDER hugo dev ...`.

ORDER is a file. While it holds `KIND STEPS WORKFLOW_ID`, the process kills itself once it has taken that many steps of
paying a debt of this kind of that workflow; with 0, before the first. Each call of the unit of work is one step, so
between two of them one half of an effect is committed and the other is not.
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


class Mortal:
    """What stands in for the engine while a debt is paid: the engine, but with so many steps to live."""

    def __init__(self, engine: Any, steps: int) -> None:
        self._engine = engine
        self._steps = steps
        self.unit_of_work = self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    async def execute(self, *args: Any, **options: Any) -> Any:
        """As the unit of work does, and one step less to live."""
        result = await self._engine.unit_of_work.execute(*args, **options)
        self._step()
        return result

    async def pay(self, transfer: Any) -> None:
        """As the engine does, and one step less to live."""
        await self._engine.pay(transfer)
        self._step()

    def _step(self) -> None:
        self._steps -= 1
        if self._steps == 0:
            die()


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
    await payment(engine if steps is None else Mortal(engine, steps), transfer)


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
