"""Deterministic records in the database."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from asgiref.sync import sync_to_async
from django.db import IntegrityError, transaction

from hugo.deterministic import DeterministicRecord
from orchestrator.models import DeterministicRecord as Row

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class DjangoStateStore:
    """A `hugo.deterministic.DeterministicStateStore` in a Django database.

    Each call is a transaction of its own, in the thread that Django keeps for synchronous code: it joins no transaction
    of the caller. What the database raises propagates.
    """

    def __init__(self, using: str = "default") -> None:
        """`using` is the alias of the database."""
        self._using = using

    async def get(self, key: str) -> DeterministicRecord | None:
        """The record, or None."""
        return await sync_to_async(self._get)(key)

    async def put(self, key: str, record: DeterministicRecord) -> None:
        """Keeps the record, in place of an earlier one."""
        await sync_to_async(self._put)(key, record)

    async def add(self, key: str, record: DeterministicRecord) -> bool:
        """Keeps the record if there is none under this key; tells whether it did."""
        return await sync_to_async(self._add)(key, record)

    async def replace(self, key: str, record: DeterministicRecord, *, expected: int) -> bool:
        """Keeps the record in place of one with the version `expected`; tells whether it did."""
        return await sync_to_async(self._update)(key, record, version=expected)

    def _get(self, key: str) -> DeterministicRecord | None:
        row = Row.objects.using(self._using).filter(key_digest=_digest(key)).first()
        if row is None:
            return None
        return DeterministicRecord(row.kind, row.version, bytes(row.payload), _moment(row.recorded_time))

    def _put(self, key: str, record: DeterministicRecord) -> None:
        while not (self._update(key, record) or self._add(key, record)):
            pass

    def _add(self, key: str, record: DeterministicRecord) -> bool:
        row = Row(key_digest=_digest(key), key=key, **_columns(record))
        try:
            with transaction.atomic(self._using):
                row.save(using=self._using, force_insert=True)
        except IntegrityError:
            return False
        return True

    def _update(self, key: str, record: DeterministicRecord, **conditions: int) -> bool:
        rows = Row.objects.using(self._using).filter(key_digest=_digest(key), **conditions)
        return rows.update(**_columns(record)) == 1


def _digest(key: str) -> str:
    return sha256(key.encode()).hexdigest()


def _columns(record: DeterministicRecord) -> dict[str, Any]:
    return {
        "kind": record.kind,
        "version": record.version,
        "payload": record.payload,
        "recorded_time": (record.recorded_at - EPOCH) // timedelta(microseconds=1) * 1000,
    }


def _moment(nanoseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=nanoseconds // 1000)
