"""Members and shards in the tables of the server, on every database, through Django's models."""

from collections.abc import Collection
from typing import Any

from django.db import connections, transaction
from django.db.models import F, QuerySet

from orchestrator.core.wire import SECOND
from orchestrator.models import Member as MemberRow
from orchestrator.models import Shard
from orchestrator.store.database_time import TIME, DatabaseTime
from orchestrator.store.members import Identity, Member, Roll, ShardRow

REMEMBERED = 3600 * SECOND
"""How long the row of a member that died is kept, for people who ask what became of it."""


class SqlClusterStore:
    """See `orchestrator.store.members.ClusterStore`; over a Django alias."""

    def __init__(self, alias: str) -> None:
        self.alias = alias

    def join(self, identity: Identity, lease: int) -> None:
        """See ClusterStore."""
        with self._transaction():
            self._members().filter(lease_expires__lt=DatabaseTime() - REMEMBERED).delete()
            self._shards().filter(owner=identity.name).update(owner="")
            self._members().filter(name=identity.name).delete()
            self._members().create(
                **identity._asdict(), started=DatabaseTime(), lease_expires=DatabaseTime() + lease, pinned=[]
            )

    def renew(self, name: str, lease: int) -> bool:
        """See ClusterStore."""
        return bool(self._live().filter(name=name).update(lease_expires=DatabaseTime() + lease))

    def roll(self) -> Roll:
        """See ClusterStore."""
        rows = list(self._live().order_by("name").values_list(*Member._fields, DatabaseTime()))
        members = [Member(*row[:-1])._replace(pinned=frozenset(row[-2])) for row in rows]
        return Roll(rows[0][-1] if rows else self._time(), members)

    def shards(self) -> dict[int, ShardRow]:
        """See ClusterStore."""
        rows = self._shards().values_list("id", "owner", "range_id")
        return {id: ShardRow(owner, range_id) for id, owner, range_id in rows}

    def claim(self, name: str, shards: Collection[int]) -> dict[int, int]:
        """See ClusterStore."""
        with self._transaction():
            wanted = self._shards().filter(id__in=shards).select_for_update().order_by("id")
            rows = list(wanted.values_list("id", "owner", "range_id"))
            others = set(self._live().exclude(name=name).values_list("name", flat=True))
            taken = {id: range_id + 1 for id, owner, range_id in rows if owner not in others}
            self._shards().filter(id__in=taken).update(owner=name, range_id=F("range_id") + 1)
        return taken

    def release(self, name: str, shards: Collection[int]) -> None:
        """See ClusterStore."""
        self._shards().filter(owner=name, id__in=shards).update(owner="")

    def leave(self, name: str) -> None:
        """See ClusterStore."""
        with self._transaction():
            self._shards().filter(owner=name).update(owner="")
            self._members().filter(name=name).delete()

    def pin(self, shards: Collection[int], name: str) -> bool:
        """See ClusterStore."""
        with self._transaction():
            rows = list(self._members().select_for_update().order_by("name"))
            if name and name not in {row.name for row in rows}:
                return False
            for row in rows:
                before = set(row.pinned)
                after = before | set(shards) if row.name == name else before - set(shards)
                if after != before:
                    self._members().filter(name=row.name).update(pinned=sorted(after))
        return True

    def _time(self) -> int:
        connection = connections[self.alias]
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {TIME[connection.vendor]}")
            return int(cursor.fetchone()[0])

    def _transaction(self) -> Any:
        return transaction.atomic(using=self.alias)

    def _members(self) -> "QuerySet[MemberRow]":
        return MemberRow.objects.using(self.alias)

    def _live(self) -> "QuerySet[MemberRow]":
        return self._members().filter(lease_expires__gt=DatabaseTime())

    def _shards(self) -> "QuerySet[Shard]":
        return Shard.objects.using(self.alias)
