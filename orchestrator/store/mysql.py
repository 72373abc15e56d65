"""The store on MySQL and MariaDB: the portable one, which tells a lost race from a lost connection."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError

from orchestrator.store.ports import Session, VersionConflict
from orchestrator.store.sql import SqlStore

LOCK_WAIT_TIMEOUT_S = 1
"""Only a caller's open transaction locks a row for longer than a commit takes; the least the server can wait."""
CHANGED, LOCK_WAIT_TIMEOUT, DEADLOCK = 1020, 1205, 1213
LOST_RACES = {CHANGED, LOCK_WAIT_TIMEOUT, DEADLOCK}
"""Errors with which the server rolls back what somebody else was faster to do."""


class MysqlStore(SqlStore):
    """MySQL or MariaDB behind a Django alias."""

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """See Store."""
        connection = self.connection
        connection.ensure_connection()
        if not getattr(connection.connection, "_hugo_session", False):
            with connection.cursor() as cursor:
                cursor.execute(f"SET SESSION innodb_lock_wait_timeout = {LOCK_WAIT_TIMEOUT_S}")
            connection.connection._hugo_session = True
        try:
            with super().transaction() as session:
                yield session
        except OperationalError as error:
            if error.args and error.args[0] in LOST_RACES:
                raise VersionConflict(str(error)) from error
            raise
