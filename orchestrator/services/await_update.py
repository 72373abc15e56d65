"""How the caller of an update waits for a stage of it, whichever process brings it there.

When another process has changed the run, the caller looks at the update again. If the run does not know it any more, a
worker has rejected it, and the process that took the rejection has sent word of it. If that was lost, the update is
sent once more, as if the caller had repeated the call.
"""

import asyncio
from dataclasses import dataclass
from functools import partial

from temporalio.api.update.v1 import Request

from orchestrator.core import update
from orchestrator.core.run import Run
from orchestrator.core.update_news import ADMITTED, News
from orchestrator.errors import DeadlineExceeded, NotFound
from orchestrator.services.engine import Engine, Prepared
from orchestrator.services.run_waiters import RunWaiter
from orchestrator.services.update_waiters import UpdateWaiter
from orchestrator.store.loaded import Loaded
from orchestrator.store.ports import RunKey, WorkflowKey
from orchestrator.store.transition import Unit

LATE_NEWS = 0.5
"""Seconds in which the word of a rejection arrives, after the rejection itself was seen."""


@dataclass(frozen=True, slots=True)
class Patience:
    """What a caller waits for, and how long.

    Attributes:
        stage: of the update.
        until: in seconds of the event loop's clock.
        deadline: whether the caller's own time ends then.
    """

    stage: int
    until: float
    deadline: bool
    loop: asyncio.AbstractEventLoop


@dataclass(frozen=True, slots=True)
class Seen:
    """An update as a transition left it, and who waits for more, if that is wanted."""

    run_id: str
    update_id: str
    news: News
    waiter: UpdateWaiter | None = None


def patience_of(engine: Engine, stage: int, deadline: float | None) -> Patience:
    """How long a call that begins now waits for a stage.

    Args:
        engine: the surroundings.
        stage: to be reached.
        deadline: of the caller, in seconds of the event loop's clock.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + engine.settings.update_poll_timeout
    if deadline is not None and deadline <= until:
        return Patience(stage, deadline, True, loop)
    return Patience(stage, until, False, loop)


def seen_of(engine: Engine, unit: Unit, run: Run, update_id: str, news: News, patience: Patience) -> Seen:
    """The update as this transition leaves it; its caller hears what comes after, when it has to wait."""
    run_id = run.state.run_id
    if news.stage >= patience.stage:
        return Seen(run_id, update_id, news)
    waiter = UpdateWaiter(run_id, update_id, patience.stage, news, patience.loop.create_future())
    unit.after_commit(partial(_begin, engine, waiter, unit.loaded(run)))
    return Seen(run_id, update_id, news, waiter)


def _begin(engine: Engine, waiter: UpdateWaiter, run: Loaded) -> None:
    waiter.version = run.version
    engine.update_waiters.add(waiter)


async def result(
    engine: Engine, key: WorkflowKey, seen: Seen, patience: Patience, change: Request | None = None
) -> News:
    """Waits for what is wanted of an update; the present stage when that takes too long.

    Args:
        engine: the surroundings.
        key: the workflow.
        seen: the update, as its caller saw it last.
        patience: what to wait for.
        change: the update itself, of a caller who sends it.

    Raises:
        ServiceError: the update will never complete, for another reason than the close of its run.
        DeadlineExceeded: the caller's time is up.
    """
    if seen.waiter is None:
        return seen.news
    waiters, run = engine.run_waiters, RunKey(key.shard_id, seen.run_id)
    elsewhere = waiters.subscribe(run, elsewhere=True, version=seen.waiter.version)
    try:
        while (waiter := seen.waiter) is not None:
            try:
                if not await _changed_elsewhere(engine, waiter, elsewhere, patience):
                    return _heard(waiter, patience)
                waiters.cancel(elsewhere)
                elsewhere = waiters.subscribe(run, elsewhere=True)
                look: Prepared[Seen | None] = Prepared(
                    key, partial(_look_again, engine, seen, patience), seen.run_id, fresh=True
                )
                again = await engine.execute(look)
                if again is None:
                    await asyncio.wait({waiter.future}, timeout=LATE_NEWS)
                if waiter.future.done():
                    return _heard(waiter, patience)
                if again is None:
                    send: Prepared[Seen] = Prepared(
                        key, partial(_send_again, engine, seen, patience, change), seen.run_id, fresh=True
                    )
                    again = await engine.execute(send)
                seen = again
            finally:
                engine.update_waiters.discard(waiter)
            if seen.waiter is not None:
                elsewhere.version = max(elsewhere.version, seen.waiter.version)
        return seen.news
    finally:
        waiters.cancel(elsewhere)


async def _changed_elsewhere(engine: Engine, waiter: UpdateWaiter, elsewhere: RunWaiter, patience: Patience) -> bool:
    """Waits; whether the wait ended because another process has changed the run."""
    left = max(0.0, patience.until - patience.loop.time())
    await asyncio.wait({waiter.future, elsewhere.future}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
    if engine.run_waiters.draining:
        waiter.release()
    return elsewhere.future.done() and not waiter.future.done()


def _look_again(engine: Engine, seen: Seen, patience: Patience, unit: Unit) -> Seen | None:
    """What another process made of an update that a run knew; None when the run knows it no more."""
    run = unit.run()
    news = update.look(run, seen.update_id)
    if news is not None:
        return seen_of(engine, unit, run, seen.update_id, news, patience)
    if run.state.running:
        return None
    return Seen(seen.run_id, seen.update_id, News(ADMITTED, error=NotFound(update.ABORTED), aborted=True))


def _send_again(engine: Engine, seen: Seen, patience: Patience, change: Request | None, unit: Unit) -> Seen:
    """As `_look_again`, but what the run knows no more is sent again; raises NotFound without the update itself."""
    found = _look_again(engine, seen, patience, unit)
    if found is not None:
        return found
    if change is None:
        raise unknown(seen.update_id)
    run = unit.run()
    update.admit(run, change)
    return seen_of(engine, unit, run, seen.update_id, News(ADMITTED), patience)


def _heard(waiter: UpdateWaiter, patience: Patience) -> News:
    """What a caller has heard until its wait ended."""
    news = waiter.news
    if news.aborted:
        return news
    if news.error is not None:
        raise news.error
    if not waiter.future.done() and patience.deadline:
        raise DeadlineExceeded("context deadline exceeded")
    return news


def unknown(update_id: str) -> NotFound:
    """The refusal of a poll for an update that the run does not know."""
    return NotFound(f'update "{update_id}" not found')
