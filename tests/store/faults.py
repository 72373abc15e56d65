"""Stores that fail at chosen moments of a commit, with the real one done or not."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any

import psycopg
from django.db import OperationalError

from orchestrator.store.mysql import MysqlStore
from orchestrator.store.pooled import PooledPostgresStore
from orchestrator.store.ports import Changes, Node, RunKey, Session, Stored, WorkflowKey
from orchestrator.store.postgres import PostgresStore
from orchestrator.store.sql import SqlStore


class Moment(Enum):
    """When a writing transaction fails."""

    READ = "while the batch is read"
    WRITE = "before anything is written"
    COMMIT = "at COMMIT, which then did not take place"
    ANSWER = "after COMMIT took place"


class Faulty(SqlStore):
    """A store that fails.

    Attributes:
        moments: when the next transactions fail; one is used up by each that gets so far.
        always: when all of them fail, until it is None again.
        deaf: how many questions for an outcome fail.
        forgetful: whether questions for an outcome find nothing.
        asked: how many questions for an outcome were answered.
        before_write, after_asking: called once, at those moments.
    """

    failure: type[Exception] = OperationalError

    def __init__(self, alias: str, shard_count: int) -> None:
        super().__init__(alias, shard_count)
        self.moments: deque[Moment] = deque()
        self.always: Moment | None = None
        self.deaf = 0
        self.forgetful = False
        self.asked = 0
        self.before_write: Callable[[], object] | None = None
        self.after_asking: Callable[[], object] | None = None
        self._asking = False

    def reach(self, *moments: Moment) -> None:
        """Fails if one of these moments is the next."""
        if self._asking:
            return
        if self.always in moments or (self.moments and self.moments[0] in moments):
            if self.moments:
                self.moments.popleft()
            raise self.failure("injected: the connection is lost")

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """See Store."""
        with super().transaction() as session:
            watched = _Watched(session, self)
            yield watched
            if watched.wrote and not isinstance(self, PostgresStore):
                self.reach(Moment.COMMIT)
        if watched.wrote:
            self.reach(Moment.ANSWER)

    def was_applied(self, changes: Changes) -> bool | None:
        """See Store."""
        if self.deaf:
            self.deaf -= 1
            raise self.failure("injected: no connection to be had")
        self.asked += 1
        if self.forgetful:
            return None
        self._asking = True
        try:
            return super().was_applied(changes)
        finally:
            self._asking = False
            self.call("after_asking")

    def call(self, hook: str) -> None:
        """Calls a hook that is set."""
        function = getattr(self, hook)
        setattr(self, hook, None)
        if function is not None:
            function()


class FaultySql(Faulty):
    """Portable SQL, whose COMMIT is a statement of its own."""


class FaultyMysql(Faulty, MysqlStore):
    """MySQL and MariaDB."""


class FaultyPostgres(Faulty, PostgresStore):
    """PostgreSQL, where the writing statement is the commit."""

    failure = psycopg.OperationalError


class FaultyPooled(Faulty, PooledPostgresStore):
    """PostgreSQL through a pooler, where the writing statement and its commit are one for us."""

    failure = psycopg.OperationalError


class _Watched:
    """A session that tells how far its transaction has come."""

    def __init__(self, session: Session, store: Faulty) -> None:
        self._session = session
        self._store = store
        self.wrote = False

    def lock_current(self, keys: Iterable[WorkflowKey]) -> dict[WorkflowKey, str]:
        self._store.reach(Moment.READ)
        return self._session.lock_current(keys)

    def lock_runs(self, keys: dict[RunKey, int], with_history: Collection[RunKey] = ()) -> dict[RunKey, Stored]:
        return self._session.lock_runs(keys, with_history)

    def read_nodes(self, key: RunKey, first: int, last: int, limit: int = 0, size: int = 0) -> list[Node]:
        return self._session.read_nodes(key, first, last, limit, size)

    def read_requests(self, key: RunKey) -> list[bytes]:
        return self._session.read_requests(key)

    def write(self, changes: Changes) -> None:
        at_once: list[Any] = [Moment.COMMIT] if isinstance(self._store, PostgresStore) else []
        self._store.reach(Moment.WRITE, *at_once)
        self._store.call("before_write")
        self._session.write(changes)
        self.wrote = True
