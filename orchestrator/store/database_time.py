"""The clock of the database as an expression of queries: the one clock all processes of a cluster share."""

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BigIntegerField, Expression
from django.db.models.sql.compiler import SQLCompiler

TIME = {
    "postgresql": "((extract(epoch from clock_timestamp()) * 1000000)::bigint * 1000)",
    # Not UNIX_TIMESTAMP(NOW()): that goes through the session's time zone, where an hour may come twice.
    "mysql": "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) * 1000)",
    "sqlite": "(CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000000)",
}
"""Vendor of a database -> its clock in SQL."""


class DatabaseTime(Expression):
    """Nanoseconds since the epoch, as exact as the database tells it."""

    output_field = BigIntegerField()

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, tuple[str | int, ...]]:
        """See Expression."""
        return TIME[connection.vendor], ()
