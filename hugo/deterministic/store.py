"""Where records are kept."""

from typing import Protocol

from hugo.deterministic.record import DeterministicRecord


class DeterministicStateStore(Protocol):
    """Keeps records by key, for as long as what they belong to may be run again.

    `add` and `replace` are atomic: of all who try the same at once, in whatever process, one succeeds.
    """

    async def get(self, key: str) -> DeterministicRecord | None:
        """The record, or None."""

    async def put(self, key: str, record: DeterministicRecord) -> None:
        """Keeps the record, in place of an earlier one."""

    async def add(self, key: str, record: DeterministicRecord) -> bool:
        """Keeps the record if there is none under this key; tells whether it did."""

    async def replace(self, key: str, record: DeterministicRecord, *, expected: int) -> bool:
        """Keeps the record in place of one with the version `expected`; tells whether it did."""


class InMemoryStateStore:
    """Keeps records in this process."""

    def __init__(self) -> None:
        self._records: dict[str, DeterministicRecord] = {}

    async def get(self, key: str) -> DeterministicRecord | None:
        """The record, or None."""
        return self._records.get(key)

    async def put(self, key: str, record: DeterministicRecord) -> None:
        """Keeps the record, in place of an earlier one."""
        self._records[key] = record

    async def add(self, key: str, record: DeterministicRecord) -> bool:
        """Keeps the record if there is none under this key; tells whether it did."""
        return self._records.setdefault(key, record) is record

    async def replace(self, key: str, record: DeterministicRecord, *, expected: int) -> bool:
        """Keeps the record in place of one with the version `expected`; tells whether it did."""
        found = self._records.get(key)
        if found is None or found.version != expected:
            return False
        self._records[key] = record
        return True
