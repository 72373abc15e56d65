"""The store on MySQL and MariaDB: the portable one, which tells a lost race from a lost connection."""

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError

from orchestrator.store.ports import Changes, Session, VersionConflict
from orchestrator.store.sql import SqlStore

LOCK_WAIT_TIMEOUT_S = 1
"""Only a caller's open transaction locks a row for longer than a commit takes; the least the server can wait."""
CHANGED, LOCK_WAIT_TIMEOUT, DEADLOCK = 1020, 1205, 1213
NO_SUCH_THREAD = 1094
LOST_RACES = {CHANGED, LOCK_WAIT_TIMEOUT, DEADLOCK}
"""Errors with which the server rolls back what somebody else was faster to do."""


END_PATIENCE = 50
END_PAUSE = 0.02


class LaneSession(threading.local):
    """The session in which a thread commits.

    Attributes:
        lock: the name of the lock it holds as long as it lives, by which the server knows it; empty before the first.
    """

    lock = ""


class MysqlStore(SqlStore):
    """MySQL or MariaDB behind a Django alias."""

    def __init__(self, alias: str, shard_count: int) -> None:
        super().__init__(alias, shard_count)
        self._lane = LaneSession()

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """See Store."""
        connection = self.connection
        connection.ensure_connection()
        if not getattr(connection.connection, "_hugo_session", False):
            with connection.cursor() as cursor:
                cursor.execute(f"SET SESSION innodb_lock_wait_timeout = {LOCK_WAIT_TIMEOUT_S}")
                lock = f"hugo {uuid.uuid4()}"
                cursor.execute("SELECT get_lock(%s, 0)", (lock,))
            self._lane.lock = lock
            connection.connection._hugo_session = True
        try:
            with super().transaction() as session:
                yield session
        except OperationalError as error:
            if error.args and error.args[0] in LOST_RACES:
                raise VersionConflict(str(error)) from error
            raise

    def was_applied(self, changes: Changes) -> bool | None:
        """See Store. The session the commit was sent to is ended first, if it is still there: it may commit later."""
        with self.connection.cursor() as cursor:
            for _ in range(END_PATIENCE):
                cursor.execute("SELECT nullif(is_used_lock(%s), connection_id())", (self._lane.lock,))
                (former,) = cursor.fetchone()
                if former is None:
                    return self.read_outcome(changes)
                try:
                    cursor.execute(f"KILL {former}")
                except OperationalError as error:
                    if error.args[0] != NO_SUCH_THREAD:
                        raise
                time.sleep(END_PAUSE)
        raise OperationalError("the session that a commit was sent to does not end")
