"""`ErrGroup`: operations that stand or fall together."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from hugo.cancellation import CancelToken, OperationCanceled, stopped_by
from hugo.clock import Clock
from hugo.errors import Error
from hugo.line import Line
from hugo.loops import LoopOwned
from hugo.policies import ExecutionPolicy, Operation, execute
from hugo.result import Err, Result, err, ok
from hugo.result.awaiting import settled
from hugo.sync.run import run
from hugo.watchers import Watchers


class ErrGroup(LoopOwned):
    """Runs operations; the first failure is kept, and fires the group's token to stop the others.

    An operation fails by returning an `Err` or by raising; to be stopped it must heed `token`. Wait with `wait`: the
    end of `async with ErrGroup() as group:` fires the token, cancels the tasks that still run, and joins them.
    """

    __slots__ = ("_closed", "_error", "_free", "_line", "_parent", "_tasks", "_token", "_watchers")

    def __init__(self, token: CancelToken | None = None, *, limit: int | None = None) -> None:
        """`token` stops the group; at most `limit` operations run at once. Raises ValueError if it is not positive."""
        if limit is not None and limit <= 0:
            raise ValueError("The limit of a group is positive, or None.")
        super().__init__()
        self._parent = token
        self._token = CancelToken.linked(token)
        self._error: Error | None = None
        self._free = limit
        self._line = Line(self._leave)
        self._tasks: set[asyncio.Task[None]] = set()
        self._watchers = Watchers()
        self._closed = False

    @property
    def token(self) -> CancelToken:
        """What the operations heed; after the end of the block the parent's token, if there is one."""
        return self._parent if self._closed and self._parent is not None else self._token

    @property
    def error(self) -> Error | None:
        """The first failure."""
        return self._error

    def go(self, fn: Callable[..., Any], *args: Any) -> None:
        """Starts `fn(*args)`, which may return anything, an `Err`, or an awaitable of either.

        An operation that waits for its turn when the group fails is not started. Raises RuntimeError after the end of
        the block.
        """
        if self._closed:
            raise RuntimeError("The group is closed.")
        self._check_loop()
        task = run(self._operate, fn, args)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def go_step(
        self,
        operation: Operation[Any],
        *,
        step: str = "errgroup.step",
        policy: ExecutionPolicy | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Starts an operation under a policy, named `step`: it is tried again, and taken back if it fails in the end.

        The group's token fires before the step is taken back, and stops that as little as the end of the block does. If
        it fails too, and this step was the first to fail, the group's error is an aggregate of both.
        """
        self.go(self._step, partial(execute, operation, policy=policy, name=step, clock=clock, token=self._token))

    def cancel(self) -> None:
        """Fires the token; unless something has failed, the group's error is then `error.canceled`."""
        self._fail(Error.canceled("ErrGroup was canceled."))

    async def wait(self, token: CancelToken | None = None) -> Result[None]:
        """Waits until every operation has ended, and tells the first failure.

        When `token` fires first, the result is `error.canceled`, and the group goes on.
        """
        self._check_loop()
        try:
            while self._tasks:
                await self._watchers.wait(token)
        except asyncio.CancelledError:
            if stopped_by(token):
                return err(Error.canceled(token=token))
            raise
        return ok() if self._error is None else err(self._error)

    async def __aenter__(self) -> "ErrGroup":
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closed = True
        self._token.cancel("The group is closed.")
        for task in self._tasks:
            task.cancel()
        while self._tasks:
            await self._watchers.wait()

    async def _operate(self, fn: Callable[..., Any], args: tuple[Any, ...]) -> None:
        try:
            await self._enter()
            try:
                result = await settled(fn(*args))
            finally:
                self._leave()
        except asyncio.CancelledError as stopped:
            self._fail(Error.canceled(token=stopped.token if isinstance(stopped, OperationCanceled) else None))
            raise
        except Exception as exception:
            self._fail(Error.from_exception(exception))
        else:
            if isinstance(result, Err):
                self._fail(result.error)

    async def _step(self, run: Callable[..., Awaitable[Result[Any]]]) -> Result[Any]:
        failures: list[Error] = []

        def failing(error: Error) -> None:
            failures.append(error)
            self._fail(error)

        result = await run(failing=failing)
        if isinstance(result, Err) and self._error in failures:
            self._error = result.error
        return result

    async def _enter(self) -> None:
        """Takes one of the places, waiting for it until the group fails."""
        if self._free is None:
            return
        if self._free > 0:
            self._free -= 1
        else:
            await self._line.wait(self._token)

    def _leave(self) -> None:
        if self._free is not None and not self._line.call():
            self._free += 1

    def _fail(self, error: Error) -> None:
        if self._error is None:
            self._error = error
        self._token.cancel(str(error))

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not self._tasks:
            self._watchers.wake()
