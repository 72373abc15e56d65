"""Deliberately broken servers are found out by the simulation."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.core import chain, update
from orchestrator.store import lane
from orchestrator.store.ports import Changes
from tests.simulation import faults, members, memory
from tests.simulation.checker import Violation
from tests.simulation.faults import Weather
from tests.simulation.world import World

STORM = Weather(before=0.1, after=0.1, overtaken=0.3, stall=0.05)
"""Weather in which what is broken shows soon."""
ENOUGH = 60
"""Seeds among which a broken server is found."""


def unchecked(session: memory.MemorySession, changes: Changes) -> None:
    """A write that overwrites whatever is there."""
    tables = session._tables
    for key, version, _ in changes.updated:
        if key in tables.runs:
            tables.runs[key] = tables.runs[key]._replace(version=version - 1)
    tables.current.update({key: stored for key, (stored, _) in changes.moved.items()})
    WRITE(session, changes)


WRITE: Callable[[Any, Changes], None] = memory.MemorySession.write

BROKEN: dict[str, tuple[object, str, object]] = {
    "writes do not check versions": (faults.MemorySession, "write", unchecked),
    "a lost commit is repeated without asking": (lane, "settle", lambda *_: False),
    "a lost commit is taken for done without asking": (lane, "settle", lambda *_: True),
    "writes do not check fences": (memory, "hold", lambda tables, fences: None),
    "leases never run out": (members.MemoryClusterStore, "_live", lambda store: set(store._tables.members)),
    "a task nobody is told of is lost": (memory.MemoryStore, "_queue", lambda *_: []),
    "updates are not recognised": (update, "look", lambda run, update_id: None),
    "signals are not recognised by the next run": (chain, "INHERITED_REQUEST_IDS", -(10**6)),
    "refusals rest on what memory has": (lane, "verify", lambda batch: None),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_server_is_found_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*BROKEN[name])
    for seed in range(1, ENOUGH + 1):
        try:
            World(seed, dataclasses.replace(STORM)).run()
        except Violation:
            return
        except Exception:
            continue  # a server that breaks down is not found out
    pytest.fail(f"{ENOUGH} seeds did not find out that {name}")
