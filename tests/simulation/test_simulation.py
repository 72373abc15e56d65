"""Whole clusters under a virtual clock: whatever fails, what was promised holds; and a broken server is found out."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from orchestrator.core import chain, update
from orchestrator.store import lane, outcome
from orchestrator.store.ports import Changes
from tests.simulation import faults, memory
from tests.simulation.checker import Violation
from tests.simulation.faults import Weather
from tests.simulation.world import World

SEEDS = 500
CHUNK = 50
ENOUGH = 60
"""Seeds among which a broken server is found."""


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    """Thousands of injected faults say nothing worth reading."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(before)


@pytest.mark.parametrize("first", range(1, SEEDS + 1, CHUNK))
def test_promises_hold(first: int) -> None:
    deaths = 0
    for seed in range(first, first + CHUNK):
        world = World(seed)
        try:
            world.run()
        except Exception as error:
            pytest.fail(f"seed {seed}: {error!r}")
        deaths += world.deaths
    assert deaths


def test_a_seed_repeats_exactly() -> None:
    assert World(7).run() == World(7).run()
    assert World(7).run() != World(8).run()


def test_fair_weather() -> None:
    world = World(1, Weather().times(0))
    world.run()
    assert world.deaths == 0


def unchecked(session: memory.MemorySession, changes: Changes) -> None:
    """A write that overwrites whatever is there."""
    tables = session._tables
    for key, version, _ in changes.updated:
        if key in tables.runs:
            tables.runs[key] = tables.runs[key]._replace(version=version - 1)
    tables.current.update({key: stored for key, (stored, _) in changes.moved.items()})
    WRITE(session, changes)


def by_first_events(session: memory.MemorySession, changes: Changes) -> bool | None:
    """Takes a commit for done when the first of its events are there, whoever wrote them."""
    for key, node in changes.nodes:
        return node in session.read_nodes(key, node.first_event_id, node.last_event_id)
    return outcome.was_applied(session, changes)


WRITE: Callable[[Any, Changes], None] = memory.MemorySession.write

BROKEN: dict[str, tuple[object, str, object]] = {
    "writes do not check versions": (faults.MemorySession, "write", unchecked),
    "a lost commit is repeated without asking": (lane, "settle", lambda *_: False),
    "a lost commit is taken for done without asking": (lane, "settle", lambda *_: True),
    "a lost commit is judged by its first events": (memory, "was_applied", by_first_events),
    "updates are not recognised": (update, "look", lambda run, update_id: None),
    "signals are not recognised by the next run": (chain, "INHERITED_REQUEST_IDS", -(10**6)),
    "refusals rest on what memory has": (lane, "verify", lambda batch: None),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_server_is_found_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*BROKEN[name])
    for seed in range(1, ENOUGH + 1):
        try:
            World(seed).run()
        except Violation:
            return
        except Exception:
            continue  # a server that breaks down is not found out
    pytest.fail(f"{ENOUGH} seeds did not find out that {name}")
