"""What a batch of requests works on: the runs they name, from memory where the commit finds out if that is wrong."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from orchestrator.store.cache import Cache
from orchestrator.store.loaded import Loaded, load
from orchestrator.store.ports import Dispatcher, RunKey, Session, VersionConflict, WorkflowKey
from orchestrator.store.transition import Batch

if TYPE_CHECKING:
    from orchestrator.store.lane import Request
    from orchestrator.store.unit_of_work import UnitOfWork


def gather(
    owner: "UnitOfWork",
    session: Session,
    requests: "list[Request]",
    dispatcher: Dispatcher | None,
    cache: Cache | None,
    *,
    guess: bool = False,
    look: bool = False,
) -> Batch:
    """Loads every run the requests name. One in the cache is taken as it is; the commit checks that it was right to.

    Args:
        owner: whose batch it is.
        session: of the commit.
        requests: what is to be applied.
        dispatcher: starts tasks for workers that wait; None when nobody may have them before the caller commits.
        cache: the states seen lately, if any are kept.
        guess: whether an id that all its requests expect to be new is taken for new; the commit fails when it is not.
        look: whether the stored versions of runs in the cache are read, and the states of those that have moved on; so
            they are in any case for a request that expects another process to have changed its run.
    """
    asked = {each.key for each in requests if each.needs_current}
    remembered = {key: run_id for key in asked if (run_id := cache.current(key))} if cache is not None else {}
    guessed = asked - remembered.keys() if guess else set()
    guessed -= {each.key for each in requests if each.needs_current and not each.expects_new}
    current = remembered | session.lock_current(sorted(asked - remembered.keys() - guessed))
    wanted = {RunKey(key.shard_id, run_id) for key, run_id in current.items()}
    wanted.update(RunKey(each.key.shard_id, each.run_id) for each in requests if each.run_id)
    cached = {key: found for key in wanted if (found := cache.get(key)) is not None} if cache is not None else {}
    fresh = set(cached) if look else _expected_elsewhere(requests, current)
    runs = {key: found for key, found in cached.items() if key not in fresh}
    unverified = set(runs)
    with_history = {RunKey(each.key.shard_id, each.run_id) for each in requests if each.with_history}
    runs.update(_read(session, sorted(wanted - unverified), cached, with_history))
    closed = [
        key
        for key, run_id in remembered.items()
        if (run := RunKey(key.shard_id, run_id)) in fresh and not (run in runs and runs[run].state.running)
    ]
    if closed:
        # What another process has closed, or deleted, is the current run no more.
        for key in closed:
            del current[key]
        current.update(session.lock_current(sorted(closed)))
        begun = {RunKey(key.shard_id, current[key]) for key in closed if key in current}
        runs.update(_read(session, sorted(begun - runs.keys()), {}))
    return Batch(
        session,
        owner.limits,
        dispatcher,
        owner.types,
        owner.retention,
        owner.new_id,
        current,
        runs,
        placer=owner.dispatcher,
        unverified=unverified,
        guessed=guessed,
        overtaken=any(runs.get(key) is not found for key, found in cached.items()),
    )


def _expected_elsewhere(requests: "list[Request]", current: Mapping[WorkflowKey, str]) -> set[RunKey]:
    return {RunKey(each.key.shard_id, each.run_id or current.get(each.key, "")) for each in requests if each.fresh}


def _read(
    session: Session, keys: Sequence[RunKey], cached: Mapping[RunKey, Loaded], with_history: Collection[RunKey] = ()
) -> dict[RunKey, Loaded]:
    """The stored runs: as the cache has them where the version is the same."""
    if not keys:
        return {}
    known = {key: cached[key].version if key in cached else 0 for key in keys}
    rows = session.lock_runs(known, [key for key in keys if key in with_history])
    return {key: load(row, key) if row.blob is not None else cached[key] for key, row in rows.items()}


def _closed(batch: Batch, key: RunKey) -> bool:
    """Whether a run was found closed and is not written."""
    return key in batch.runs and key not in batch.dirty and not batch.runs[key].state.running


def verify(batch: Batch) -> None:
    """Makes sure that runs which were only looked at are as the cache had them; raises VersionConflict.

    A run that is written needs no look: the write itself fails when its version has moved on. But a refusal, or a
    reading, must not rest on a state that another process has changed, nor on a guess, nor on a closed run that had
    another one after it before it was read: an open one is the current one, of a closed one only the row tells.
    """
    followed = {key: run_id for key, run_id in batch.current.items() if _closed(batch, RunKey(key.shard_id, run_id))}
    doubtful = followed.keys() | (batch.guessed - batch.changes.current.keys())
    stored = batch.session.lock_current(sorted(doubtful))
    if any(stored.get(key) != followed.get(key) for key in doubtful):
        raise VersionConflict("a workflow has another run by now")
    suspects = {key: batch.runs[key].version for key in sorted(batch.unverified - batch.dirty.keys())}
    if not suspects:
        return
    rows = batch.session.lock_runs(suspects)
    for key, version in suspects.items():
        if key not in rows or rows[key].version != version:
            raise VersionConflict("a run was changed by another process")
