"""The details of an error: a read-only mapping whose keys are found in any case."""

from collections.abc import Iterator, Mapping
from typing import Any


class Metadata(Mapping[str, Any]):
    """A read-only mapping: `metadata["TaskQueue"]` finds `taskqueue`; iteration shows the keys as they were written."""

    __slots__ = ("_entries",)

    def __init__(self, *layers: Mapping[str, Any]) -> None:
        """Merges the layers; a later one replaces the keys of an earlier one, in any case."""
        self._entries = {key.casefold(): (key, value) for layer in layers for key, value in layer.items()}

    def __getitem__(self, key: str) -> Any:
        return self._entries[key.casefold()][1]

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and key.casefold() in self._entries

    def __iter__(self) -> Iterator[str]:
        return (key for key, _ in self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return repr(dict(self))
