"""What PostgreSQL says it did: transactions, statements, write-ahead log."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, LiteralString

if TYPE_CHECKING:
    import psycopg

FLUSH_AFTER = 10.5
"""Seconds: an idle backend hands its transaction counts to the shared statistics at the latest after 10."""

CONTROL = ("BEGIN%", "COMMIT%", "ROLLBACK%", "SAVEPOINT%", "RELEASE%", "START TRANSACTION%")
"""Statements that only delimit transactions; they are round trips unless pipelined, but no work."""


@dataclass(frozen=True)
class Counts:
    """Totals since the cluster began; differences of two are what a run cost.

    `commits` and `rollbacks` count every transaction of the database and lag up to FLUSH_AFTER seconds. `writes` are
    transaction ids given out, exact at once: transactions (and savepoints) that wrote something. `statements` leaves
    out transaction control, which is in `control`; None where pg_stat_statements is missing.
    """

    commits: int
    rollbacks: int
    writes: int
    wal_bytes: int
    wal_syncs: int | None
    statements: int | None
    control: int | None

    def since(self, earlier: Counts) -> dict[str, int]:
        """What happened between two readings, without what is not known."""
        out = {}
        for field in fields(self):
            now, then = getattr(self, field.name), getattr(earlier, field.name)
            if now is not None and then is not None:
                out[field.name] = now - then
        return out


@dataclass(frozen=True)
class Statement:
    """One kind of statement: text, calls, milliseconds in all, rows returned or touched in all."""

    query: str
    calls: int
    total_ms: float
    rows: int


class PostgresCounters:
    """Reads the statistics of `database` over a connection to another one, so it does not count itself."""

    def __init__(self, dsn: str, database: str) -> None:
        import psycopg

        self._dsn = dsn
        self._connection: psycopg.Connection[Any] = psycopg.connect(dsn, autocommit=True)
        self.database = database
        self.has_statements = bool(self._rows("SELECT 1 FROM pg_extension WHERE extname = 'pg_stat_statements'"))
        self._has_wal_sync = bool(
            self._rows(
                "SELECT 1 FROM information_schema.columns WHERE table_name = 'pg_stat_wal' AND column_name = 'wal_sync'"
            )
        )

    def connect(self) -> psycopg.Connection[Any]:
        """A connection to the measured database itself, for what is only visible there."""
        import psycopg

        return psycopg.connect(self._dsn, dbname=self.database, autocommit=True)

    def close(self) -> None:
        """Drop the connection."""
        self._connection.close()

    def read(self) -> Counts:
        """The totals now."""
        commits, rollbacks = self._rows(
            "SELECT xact_commit, xact_rollback FROM pg_stat_database WHERE datname = %s", self.database
        )[0]
        writes = self._rows("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")[0][0]
        wal_bytes = int(self._rows("SELECT wal_bytes FROM pg_stat_wal")[0][0])
        # Moved to pg_stat_io in PostgreSQL 18.
        wal_syncs = self._rows("SELECT wal_sync FROM pg_stat_wal")[0][0] if self._has_wal_sync else None
        statements = control = None
        if self.has_statements:
            control, everything = self._rows(
                "SELECT coalesce(sum(calls) FILTER (WHERE query ILIKE ANY (%s)), 0)::bigint,"
                " coalesce(sum(calls), 0)::bigint"
                " FROM pg_stat_statements WHERE toplevel AND dbid = (SELECT oid FROM pg_database WHERE datname = %s)",
                list(CONTROL),
                self.database,
            )[0]
            statements = everything - control
        return Counts(commits, rollbacks, writes, wal_bytes, wal_syncs, statements, control)

    def reset_statements(self) -> None:
        """Forget the statements so far, so that the list is of one run and does not overflow."""
        if self.has_statements:
            self._rows("SELECT pg_stat_statements_reset()")

    def top_statements(self, limit: int) -> list[Statement]:
        """The dearest statements by time, those that differ only in their number of rows taken together."""
        if not self.has_statements:
            return []
        rows = self._rows(
            "SELECT query, calls, total_exec_time + total_plan_time, rows FROM pg_stat_statements"
            " WHERE toplevel AND dbid = (SELECT oid FROM pg_database WHERE datname = %s)",
            self.database,
        )
        return group_statements([Statement(*row) for row in rows])[:limit]

    def _rows(self, query: LiteralString, *parameters: Any) -> list[Any]:
        return self._connection.execute(query, parameters or None).fetchall()


def collapse(query: str) -> str:
    """A statement without its white space, its parameter numbers and the repetitions of a row or list item."""
    text = " ".join(query.split())
    text = re.sub(r"\$\d+", "$", text)
    text = re.sub(r"\$(?:, ?\$)+", "$, ...", text)
    text = re.sub(r"\bIN \(\$\)", "IN ($, ...)", text, flags=re.IGNORECASE)
    # A row of constants and casts, repeated: VALUES ($, ...), ($, ...).
    return re.sub(r"(\([^()]*\))(?:, ?\1)+", r"\1", text)


def group_statements(statements: list[Statement]) -> list[Statement]:
    """Statements with the same collapsed text as one, dearest first."""
    groups: dict[str, Statement] = {}
    for s in statements:
        text = collapse(s.query)
        seen = groups.get(text, Statement(text, 0, 0.0, 0))
        groups[text] = Statement(text, seen.calls + s.calls, seen.total_ms + s.total_ms, seen.rows + s.rows)
    return sorted(groups.values(), key=lambda s: -s.total_ms)
