"""The PostgreSQL store behind a pooler that lends a server session for one transaction, as PgBouncer does.

Nothing outlives a transaction there: no prepared statement, no setting, no lock of a session. A commit takes three
round trips instead of one, because its transaction has to be known by its number before it is told to commit.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import OperationalError

from orchestrator.store.ports import Changes, Session
from orchestrator.store.postgres import LOCK_TIMEOUT, PLANNING, PostgresSession, PostgresStore

STATEMENT_TIMEOUT = "10s"
ABANDONED_TIMEOUT = "5s"
"""After which the server ends the transaction of a client that fell silent; shorter than the patience of a lane."""
SETTINGS = PLANNING | {
    "lock_timeout": LOCK_TIMEOUT,
    "statement_timeout": STATEMENT_TIMEOUT,
    "idle_in_transaction_session_timeout": ABANDONED_TIMEOUT,
}
BEGIN = f"""
BEGIN ISOLATION LEVEL READ COMMITTED;
SELECT {", ".join(f"set_config('{name}', '{value}', true)" for name, value in SETTINGS.items())},
pg_current_xact_id()::text
"""
STATUS = "SELECT pg_xact_status(%s::xid8)"
END_PAUSE = 0.05
END_PATIENCE = 200


class Attempt(threading.local):
    """The commit a thread has sent last.

    Attributes:
        transaction: its number; empty when it was not told to commit.
    """

    transaction = ""


class PooledSession(PostgresSession):
    """Reads on whatever server session is free, and a write in a transaction of its own."""

    def __init__(self, connection: "psycopg.Connection[Any]", attempt: Attempt) -> None:
        super().__init__(connection)
        self._attempt = attempt

    def _commit(self, statement: str, values: Sequence[Any]) -> None:
        raw = self._connection
        self._attempt.transaction = ""
        try:
            begun = raw.execute(BEGIN)
            begun.nextset()
            row = begun.fetchone()
            assert row is not None
            self._fetch(statement, values)
        except psycopg.Error:
            if not raw.closed:
                raw.rollback()
            raise
        self._attempt.transaction = row[-1]
        raw.commit()


class PooledPostgresStore(PostgresStore):
    """PostgreSQL through a pooler in transaction mode."""

    prepare_threshold = None

    def __init__(self, alias: str, shard_count: int) -> None:
        super().__init__(alias, shard_count)
        self._attempt = Attempt()

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """See Store; the write of the session is the commit."""
        yield PooledSession(self._raw(), self._attempt)

    def was_applied(self, changes: Changes) -> bool | None:
        """See Store. The rows are read once the transaction that was told to commit is over.

        The server session that has it is left alone: it may be another client's a moment later. The server itself ends
        the transaction of a client that is gone.
        """
        transaction = self._attempt.transaction
        if not transaction:
            return False
        for _ in range(END_PATIENCE):
            if not self._in_progress(transaction):
                return self.read_outcome(changes)
            time.sleep(END_PAUSE)
        raise OperationalError("the transaction of a commit does not end")

    def _in_progress(self, transaction: str) -> bool:
        try:
            row = self._raw().execute(STATUS, (transaction,)).fetchone()
        except psycopg.errors.InvalidParameterValue:
            # The server fell back to a copy that has never heard of it.
            return False
        return row is not None and row[0] == "in progress"
