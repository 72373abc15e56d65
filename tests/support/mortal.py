"""An engine that ends in the middle of an effect between runs, for tests of what is left then."""

from collections.abc import Callable
from typing import Any


class Mortal:
    """What stands in for an engine while a debt is paid: the engine, but with so many steps to live.

    Each call of the unit of work is one step, so between two of them one half of an effect is committed and the other
    is not.

    Args:
        engine: the real one.
        steps: how many.
        die: called after the last one.
    """

    def __init__(self, engine: Any, steps: int, die: Callable[[], None]) -> None:
        self._engine = engine
        self._steps = steps
        self._die = die
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
            self._die()
