"""Several operations at once: all of them, or the first that succeeds."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from hugo.cancellation import CancelToken
from hugo.clock import Clock
from hugo.errors import Error, ErrorCode
from hugo.policies import DEFAULT_POLICY, ExecutionPolicy, Operation, execute
from hugo.result.compensated import Undo
from hugo.result.core import Result, err, ok
from hugo.result.failure import Err
from hugo.result.success import Ok
from hugo.shield import to_the_end

T = TypeVar("T")


async def when_all(
    ops: Iterable[Operation[T]],
    *,
    policy: ExecutionPolicy | None = None,
    clock: Clock | None = None,
    token: CancelToken | None = None,
) -> Result[list[T]]:
    """The values of all operations, in their order, each run under `policy` and all at once.

    A failure does not stop the others: when all have ended, those that succeeded are taken back, latest first. One
    error is returned itself, several as an aggregate. If `token` has stopped any, the error is `error.canceled`, and
    what else failed is its metadata `whenall.partialFailures`.
    """
    policy = policy or DEFAULT_POLICY
    tasks = [
        asyncio.ensure_future(execute(op, policy=policy, name=f"when_all[{index}]", clock=clock, token=token))
        for index, op in enumerate(ops)
    ]
    try:
        if tasks:
            await asyncio.wait(tasks)
        results = [task.result() for task in tasks]
    except asyncio.CancelledError:
        await _cancel(tasks)
        await policy.take_back(_undos(_results(tasks)), clock)
        raise
    values = [result.value for result in results if isinstance(result, Ok)]
    if len(values) == len(results):
        return ok(values).with_compensations(_undos(results))
    error = _combined([result.error for result in results if isinstance(result, Err)], token)
    errors = await policy.take_back(_undos(results), clock)
    return err(Error.aggregate("One or more operations failed.", error, *errors) if errors else error)


async def race(
    ops: Iterable[Operation[T]],
    *,
    policy: ExecutionPolicy | None = None,
    clock: Clock | None = None,
    token: CancelToken | None = None,
) -> Result[T]:
    """The first success of operations that run at once, each under `policy`.

    The others are cancelled then, and it waits until they have ended; one that still succeeded is taken back, and if
    that fails, so does the race. When all fail, the error is an aggregate; with no operation it is `error.validation`.
    """
    policy = policy or DEFAULT_POLICY
    winner: Ok[T] | None = None
    with CancelToken.linked(token) as own:
        tasks = [
            asyncio.ensure_future(execute(op, policy=policy, name=f"race[{index}]", clock=clock, token=own))
            for index, op in enumerate(ops)
        ]
        if not tasks:
            return err("A race needs at least one operation.", ErrorCode.VALIDATION)
        running = set(tasks)
        try:
            while running and winner is None:
                _, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                winner = next((result for result in _results(tasks) if isinstance(result, Ok)), None)
            own.cancel("The race is over.")
            await _cancel(tasks)
        except asyncio.CancelledError:
            await _cancel(tasks)
            await policy.take_back(_undos(_results(tasks)), clock)
            raise
    results = _results(tasks)
    if winner is None:
        if token is not None and token.cancelled:
            return err(Error.canceled(token=token))
        return err(Error.aggregate("All operations failed.", *(result.error for result in results if result.error)))
    try:
        failures = await policy.take_back(_undos([result for result in results if result is not winner]), clock)
    except asyncio.CancelledError:
        await policy.take_back(winner.compensations, clock)
        raise
    if failures:
        failures += await policy.take_back(winner.compensations, clock)
        return err(Error.aggregate("What was too late in a race could not be taken back.", *failures))
    return winner


async def _cancel(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Cancels the tasks and waits until they have ended."""
    for task in tasks:
        task.cancel()
    if tasks:
        await to_the_end(asyncio.wait(tasks))


def _results(tasks: Iterable[asyncio.Task[Result[T]]]) -> list[Result[T]]:
    """The results there are by now, in the order of the tasks."""
    return [task.result() for task in tasks if task.done() and not task.cancelled()]


def _undos(results: Iterable[Result[object]]) -> tuple[Undo, ...]:
    return tuple(undo for result in results for undo in result.compensations)


def _combined(errors: Sequence[Error], token: CancelToken | None) -> Error:
    """One error for those of all operations."""
    others = [error for error in errors if error.code != ErrorCode.CANCELED]
    if token is not None and token.cancelled and len(others) < len(errors):
        return Error.canceled(token=token).with_metadata({"whenall.partialFailures": others})
    return errors[0] if len(errors) == 1 else Error.aggregate("One or more operations failed.", *errors)
