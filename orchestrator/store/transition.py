"""Applies operations to locked runs in memory, and collects what one commit must write.

An operation is a function of a Unit: it asks for its run, lets the core change it, and returns what its caller gets.
One that raises leaves no trace.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec
from temporalio.api.history.v1 import HistoryEvent

from orchestrator.core import closing, liveness
from orchestrator.core import state as states
from orchestrator.core.deadlines import set_wake
from orchestrator.core.enforcement import TRANSACTION_SIZE, OverLimit, enforce_limits
from orchestrator.core.limits import Limits
from orchestrator.core.liveness import Mending, Rows
from orchestrator.core.run import Run, TransactionTooLarge
from orchestrator.core.update_news import News
from orchestrator.core.workflow_task import SERVER_IDENTITY
from orchestrator.errors import WorkflowNotFound
from orchestrator.store.loaded import Loaded
from orchestrator.store.ports import (
    EVERYTHING,
    Changes,
    Dispatcher,
    Node,
    RunKey,
    Session,
    Task,
    Transfer,
    Wake,
    WorkflowKey,
)
from orchestrator.store.records import record_of


@dataclass(slots=True)
class Batch:
    """The operations of one commit, over one set of locked rows.

    Attributes:
        dispatcher: starts tasks for workers that wait; None when nobody may have them before the caller commits.
        placer: gives the others their places.
        unverified: runs taken from memory.
        unlisted: stored runs that lists do not show.
        guessed: workflow ids taken for new.
        overtaken: whether another process had changed a run that was in memory.
    """

    session: Session
    limits: Limits
    dispatcher: Dispatcher | None
    types: Callable[[str], Mapping[str, int]]
    retention: Callable[[str], int]
    new_id: Callable[[], str]
    current: dict[WorkflowKey, str]
    runs: dict[RunKey, Loaded]
    placer: Dispatcher | None = None
    unverified: set[RunKey] = field(default_factory=set)
    guessed: set[WorkflowKey] = field(default_factory=set)
    overtaken: bool = False
    dirty: dict[RunKey, Loaded] = field(default_factory=dict)
    visible: set[RunKey] = field(default_factory=set)
    unlisted: set[RunKey] = field(default_factory=set)
    changes: Changes = field(default_factory=Changes)
    news: list[tuple[Loaded, dict[str, News]]] = field(default_factory=list)
    done: list[Callable[[], None]] = field(default_factory=list)
    undone: list[Callable[[], None]] = field(default_factory=list)

    def apply(self, key: WorkflowKey, run_id: str, operation: "Operation", now: int) -> Any:
        """Runs one operation; what it raises is raised, and leaves no trace but the end of a run over its limits."""
        unit = Unit(self, key, run_id, now)
        try:
            result = operation(unit)
            unit.finish()
        except BaseException as error:
            unit.roll_back()
            if isinstance(error, OverLimit):
                self._terminate(key, error, now)
            raise
        return result

    def _terminate(self, key: WorkflowKey, over: OverLimit, now: int) -> None:
        """Ends a run that has become too large."""
        unit = Unit(self, key, over.run_id, now)
        closing.terminate(unit.run(), reason=over.reason, identity=SERVER_IDENTITY)
        unit.finish(limited=False)

    def seal(self) -> Changes:
        """What the commit writes: the operations' changes and the states of all changed runs."""
        for key, loaded in self.dirty.items():
            blob = loaded.snapshot()
            if loaded.version == 0:
                self.changes.created.append((key, loaded.workflow, blob))
            else:
                self.changes.updated.append((key, loaded.version + 1, blob))
            state = loaded.state
            if state.buffered:
                self.changes.buffering.add(key)
            if key in self.visible:
                record = record_of(key.shard_id, state, self.types)
                listed = loaded.version and key not in self.unlisted
                (self.changes.records if listed else self.changes.new_records).append(record)
            if state.wake_time == loaded.stored_wake:
                continue
            if state.wake_time:
                wake = Wake(key.shard_id, key.run_id, state.namespace_id, state.workflow_id, state.wake_time)
                self.changes.wakes.append(wake)
            else:
                self.changes.slept.append(key)
        return self.changes

    def commit_succeeded(self) -> None:
        """The states in memory are now the stored ones."""
        for loaded in self.dirty.values():
            loaded.version += 1
            loaded.stored_wake = loaded.state.wake_time


Operation = Callable[["Unit"], Any]


class Unit:
    """What one operation sees and does. Changes count only when the operation returns."""

    __slots__ = (
        "_batch",
        "_begun",
        "_created",
        "_done",
        "_mended",
        "_paid",
        "_runs",
        "_undone",
        "key",
        "now",
        "run_id",
    )

    def __init__(self, batch: Batch, key: WorkflowKey, run_id: str, now: int) -> None:
        self._batch = batch
        self._runs: list[tuple[Loaded, Run]] = []
        self._created: list[tuple[Loaded, Run]] = []
        self._begun: str = ""
        self._done: list[Callable[[], None]] = []
        self._undone: list[Callable[[], None]] = []
        self._paid: list[tuple[RunKey, int, int]] = []
        self._mended: list[tuple[Loaded, Rows, Mending]] = []
        self.key = key
        self.run_id = run_id
        self.now = now

    @property
    def limits(self) -> Limits:
        """The numbers in force."""
        return self._batch.limits

    def run(self) -> Run:
        """The run the operation names, the current one when it names none; raises WorkflowNotFound."""
        run_id = self.run_id or self._batch.current.get(self.key, "")
        loaded = self._batch.runs.get(RunKey(self.key.shard_id, run_id))
        if loaded is None or loaded.state.workflow_id != self.key.workflow_id:
            raise WorkflowNotFound(self.key.workflow_id, self.run_id)
        return self._open(loaded)

    def current_run(self) -> Run | None:
        """The latest run of the workflow id, whichever run the operation names."""
        run_id = self._batch.current.get(self.key)
        if run_id is None:
            return None
        return self._open(self._batch.runs[RunKey(self.key.shard_id, run_id)])

    def begin(self, run: Run) -> None:
        """Makes a new run, which becomes the current one."""
        key = RunKey(self.key.shard_id, run.state.run_id)
        loaded = Loaded(key, run.state, 0, None, request_ids={})
        self._created.append((loaded, run))
        self._begun = run.state.run_id

    def _nodes(self, loaded: Loaded, first: int, last: int) -> list[Node]:
        """The nodes of a run that hold any event from `first` to `last`; not those of this transition."""
        kept = loaded.kept(first, last)
        if kept is not None:
            return kept
        batch = self._batch
        nodes = batch.session.read_nodes(loaded.key, first, last)
        if loaded.key in batch.dirty:
            of_batch = [node for key, node in batch.changes.nodes if key == loaded.key]
            nodes += [node for node in of_batch if node.last_event_id >= first and node.first_event_id <= last]
        return nodes

    def nodes(self, run: Run) -> list[Node]:
        """The stored history of a run of this operation."""
        return self._nodes(self.loaded(run), 1, EVERYTHING)

    def nodes_of(self, run_id: str) -> list[Node]:
        """The stored history of another run of the workflow."""
        return self._batch.session.read_nodes(RunKey(self.key.shard_id, run_id), 1, EVERYTHING)

    def start_over(self, run: Run) -> Run:
        """Throws away what the operation did to a run, and returns the run as it was before."""
        for index, (loaded, known) in enumerate(self._runs):
            if known is run:
                assert loaded.blob is not None
                loaded.state = states.decode(loaded.blob)
                fresh = self._run(loaded, len(loaded.blob))
                self._runs[index] = (loaded, fresh)
                return fresh
        raise LookupError("the run is not of this operation")

    def paid(self, run_id: str, kind: int, event_id: int) -> None:
        """Removes what a run of this workflow owed; the run itself need not be loaded, nor exist."""
        self._paid.append((RunKey(self.key.shard_id, run_id), kind, event_id))

    def mend(self, run: Run, rows: Rows) -> None:
        """Has the commit write what the rows of a run lack; they were read since the operation began."""
        loaded = self.loaded(run)
        loaded.stored_wake = rows.wake
        mending = liveness.mend(run, rows)
        self._mended.append((loaded, rows, mending))
        if mending.current:
            self._begun = run.state.run_id

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Calls back, on the committing thread, once the commit has succeeded."""
        self._done.append(callback)

    def after_rollback(self, callback: Callable[[], None]) -> None:
        """Calls back when the operation or its commit fails."""
        self._undone.append(callback)

    def finish(self, *, limited: bool = True) -> None:
        """Completes every changed run and hands the changes to the commit.

        Raises:
            OverLimit, TransactionTooLarge: a limit forbids it, unless nothing is to be `limited`.
        """
        batch = self._batch
        previous = batch.current.get(self.key, "")
        for loaded, rows, mending in self._mended:
            batch.changes.discarded.extend((loaded.key, *task) for task in mending.stale)
            if not mending.shown:
                batch.unlisted.add(loaded.key)
            if mending.current:
                previous = rows.current
        for _, run in list(self._runs):
            if run.successor is not None:
                previous = run.state.run_id
                self.begin(run.successor)
        changed = [(loaded, run) for loaded, run in (*self._runs, *self._created) if run.changed]
        try:
            completed = [(loaded, run, self._complete(run, limited)) for loaded, run in changed]
        except TransactionTooLarge as error:
            for _, run in changed:
                if run.completes_task:
                    raise OverLimit(run.state.run_id, TRANSACTION_SIZE, error.message) from None
            raise
        for loaded, run, nodes in completed:
            self._merge(loaded, run, nodes)
        for loaded, _ in self._created:
            batch.runs[loaded.key] = loaded
        if self._begun:
            changes = batch.changes
            if self.key in changes.current or not previous:
                changes.current[self.key] = self._begun
            else:
                stored, _ = changes.moved.get(self.key, (previous, ""))
                changes.moved[self.key] = (stored, self._begun)
            batch.current[self.key] = self._begun
        batch.changes.transferred.extend(self._paid)
        batch.done.extend(self._done)
        batch.undone.extend(self._undone)

    def roll_back(self) -> None:
        """Restores every run the operation touched."""
        for loaded, _ in self._runs:
            assert loaded.blob is not None
            loaded.state = states.decode(loaded.blob)
        for callback in self._undone:
            callback()

    def _complete(self, run: Run, limited: bool) -> list[Node]:
        """Ends the transition of one run; whatever can go wrong goes wrong here, before anything is merged."""
        dispatcher = self._batch.dispatcher
        enforce_limits(run)
        if run.dispatches and dispatcher is not None:
            dispatcher.assign(self, run)
        if run.dispatches and self._batch.placer is not None:
            self._batch.placer.place(run)
        nodes = [Node(*node) for node in run.finish(limited=limited)]
        set_wake(run)
        return nodes

    def _merge(self, loaded: Loaded, run: Run, nodes: list[Node]) -> None:
        """Adds what a run's transition did to what the commit writes."""
        batch, state, key = self._batch, run.state, loaded.key
        changes = batch.changes
        changes.nodes.extend((key, node) for node in nodes)
        for kind, event_id in run.buried:
            if changes.tasks.pop((key, kind, event_id), None) is None:
                changes.buried.append((key, kind, event_id))
        for each in run.dispatches:
            changes.tasks[key, each.kind, each.scheduled_event_id] = Task(
                key.shard_id,
                state.namespace_id,
                each.task_queue,
                each.kind,
                each.share.level,
                self.now,
                state.workflow_id,
                key.run_id,
                each.scheduled_event_id,
                each.stamp,
                each.fairness_pass or self.now,
                each.share.key,
                each.share.weight,
            )
        for transfer in run.transfers:
            changes.transfers.append(
                Transfer(
                    key.shard_id,
                    state.namespace_id,
                    state.workflow_id,
                    key.run_id,
                    transfer.kind,
                    transfer.event_id,
                    self.now,
                )
            )
        for number, lot in enumerate(run.request_lots, state.signal_request_lots - len(run.request_lots)):
            changes.requests.append((key, number, msgspec.msgpack.encode(lot)))
            if loaded.request_ids is not None:
                loaded.request_ids.update(dict.fromkeys(lot))
        loaded.blob = None
        loaded.append(nodes)
        batch.dirty[key] = loaded
        if run.visible:
            batch.visible.add(key)
        if run.news:
            batch.news.append((loaded, run.news))

    def _open(self, loaded: Loaded) -> Run:
        for known, run in self._runs:
            if known is loaded:
                return run
        blob = loaded.snapshot()
        run = self._run(loaded, len(blob))
        self._runs.append((loaded, run))
        return run

    def _run(self, loaded: Loaded, stored_size: int) -> Run:
        batch = self._batch
        return Run(
            loaded.state,
            self.now,
            batch.limits,
            stored_size=stored_size,
            stored_event=partial(self._stored_event, loaded),
            stored_request_ids=partial(self._stored_request_ids, loaded),
            new_id=batch.new_id,
            retention=partial(batch.retention, loaded.state.namespace_id),
        )

    def _stored_event(self, loaded: Loaded, event_id: int) -> HistoryEvent:
        found = loaded.event(event_id)
        if found is None:
            for node in self._nodes(loaded, event_id, event_id):
                loaded.open(node)
            found = loaded.event(event_id)
        if found is None:
            raise LookupError(f"event {event_id} is not in the history of {loaded.key.run_id}")
        return found

    def _stored_request_ids(self, loaded: Loaded) -> dict[str, None]:
        if loaded.request_ids is None:
            batch = self._batch
            lots = batch.session.read_requests(loaded.key)
            lots += [lot for key, _, lot in batch.changes.requests if key == loaded.key]
            loaded.request_ids = {each: None for lot in lots for each in msgspec.msgpack.decode(lot, type=list[str])}
        return loaded.request_ids

    def loaded(self, run: Run) -> Loaded:
        """What this process keeps of a run of this transition."""
        return next(loaded for loaded, known in (*self._runs, *self._created) if known is run)
