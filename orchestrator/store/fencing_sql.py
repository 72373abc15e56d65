"""Fences in plain SQL: rows of shards are locked, so that who takes one waits for those who write under its lease."""

from collections.abc import Collection
from typing import Any

from orchestrator.models import Shard
from orchestrator.store.ports import Fence, LeaseLost

_SHARED = {"postgresql": " FOR SHARE", "mysql": " LOCK IN SHARE MODE", "sqlite": ""}
"""Vendor of a database -> how a row is kept from being changed; SQLite has one writer."""


def hold(connection: Any, fences: Collection[Fence]) -> None:
    """Makes leases hold until the end of the open transaction; raises LeaseLost."""
    table = connection.ops.quote_name(Shard._meta.db_table)
    marks = ", ".join(["%s"] * len(fences))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, range_id FROM {table} WHERE id IN ({marks}) ORDER BY id{_SHARED[connection.vendor]}",
            sorted(fence.shard_id for fence in fences),
        )
        in_force = {Fence(*row) for row in cursor.fetchall()}
    if lost := set(fences) - in_force:
        raise LeaseLost(lost)
