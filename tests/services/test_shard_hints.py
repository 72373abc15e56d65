"""Hints reach the owners of shards, together and once; what cannot be delivered is dropped."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field

import pytest

from orchestrator.services import shard_hints
from orchestrator.services.shard_hints import TIMER, TRANSFER, ShardHints
from tests.services.portions import Portion, reachable
from tests.support.hub import Hub

SHARDS = 6


@dataclass
class Site:
    """Processes `a`, `b` and `c`; each owns two shards, and has its own idea of who owns the others.

    Attributes:
        looked: what owners were told, as (process, queue, shards).
        messages: how many were sent.
    """

    hints: dict[str, ShardHints] = field(default_factory=dict)
    ideas: dict[str, dict[int, str]] = field(default_factory=dict)
    looked: list[tuple[str, str, list[int]]] = field(default_factory=list)
    messages: int = 0


@pytest.fixture
async def site() -> Site:
    made = Site()

    def deliver(delivery: object) -> None:
        made.messages += 1
        asyncio.get_running_loop().call_soon(delivery)  # type: ignore[arg-type]

    hub = Hub(deliver)
    for name in "abc":
        made.ideas[name] = {1: "a", 2: "a", 3: "b", 4: "b", 5: "c", 6: "c"}
        made.hints[name] = await reachable(hub, name, Portion(made.ideas[name], name))
        for queue in (TIMER, TRANSFER):

            def look(shards: Collection[int], name: str = name, queue: str = queue) -> None:
                made.looked.append((name, queue, list(shards)))

            made.hints[name].on(queue, look)
    return made


async def settled(site: Site) -> None:
    """Returns once nothing waits to be sent."""
    while any(hints._waiting or hints._sending for hints in site.hints.values()):
        await asyncio.sleep(shard_hints.MOMENT)
    await asyncio.sleep(0)


async def test_each_owner_is_told_of_its_shards(site: Site) -> None:
    site.hints["a"].wake(TIMER, {3, 4, 6})
    await asyncio.sleep(0.001)
    await settled(site)
    assert sorted(site.looked) == [("b", TIMER, [3, 4]), ("c", TIMER, [6])]


async def test_the_first_goes_at_once_and_the_rest_of_a_moment_together(site: Site) -> None:
    for shard in (3, 4, 3, 4):
        site.hints["a"].wake(TIMER, {shard})
        site.hints["a"].wake(TRANSFER, {shard})
        await asyncio.sleep(0)
    await settled(site)
    assert site.looked[0] == ("b", TIMER, [3])
    assert sorted(site.looked[1:]) == [("b", TIMER, [3, 4]), ("b", TRANSFER, [3, 4])]
    assert site.messages == 3


async def test_a_hint_for_the_receiver_itself_is_taken_at_once(site: Site) -> None:
    site.hints["a"].hinted(TRANSFER, [1, 2])
    await asyncio.sleep(0)
    assert site.looked == [("a", TRANSFER, [1, 2])]
    assert site.messages == 0


async def test_a_hint_that_names_no_shard_is_about_those_of_all_processes(site: Site) -> None:
    site.hints["b"].hinted(TIMER, [])
    await asyncio.sleep(0.001)
    await settled(site)
    assert sorted(site.looked) == [("a", TIMER, [1, 2]), ("b", TIMER, [3, 4]), ("c", TIMER, [5, 6])]


async def test_a_hint_for_others_is_passed_on_to_them(site: Site) -> None:
    site.hints["a"].hinted(TIMER, [1, 3, 5])
    await asyncio.sleep(0.001)
    await settled(site)
    assert sorted(site.looked) == [("a", TIMER, [1]), ("b", TIMER, [3]), ("c", TIMER, [5])]


async def test_a_hint_reaches_the_owner_past_one_that_is_no_longer_it(site: Site) -> None:
    site.ideas["a"][5] = "b"
    site.hints["a"].wake(TIMER, {5})
    await asyncio.sleep(0.001)
    await settled(site)
    assert site.looked == [("c", TIMER, [5])]
    assert site.messages == 2


async def test_a_hint_does_not_wander_where_nobody_takes_it(site: Site) -> None:
    site.ideas["a"][5] = site.ideas["c"][5] = "b"
    site.ideas["b"][5] = "a"
    site.hints["a"].wake(TIMER, {5})
    await asyncio.sleep(0.001)
    await settled(site)
    assert site.looked == []
    assert site.messages == 2


async def test_a_hint_for_a_shard_nobody_owns_is_dropped(site: Site) -> None:
    site.ideas["a"][5] = ""
    site.hints["a"].wake(TIMER, {5})
    await asyncio.sleep(0.001)
    await settled(site)
    assert (site.looked, site.messages) == ([], 0)


async def test_a_queue_nobody_looks_at_is_ignored(site: Site) -> None:
    site.hints["a"].hinted("of a newer version", [1, 3])
    await asyncio.sleep(0.001)
    await settled(site)
    assert site.looked == []


async def test_hints_end_with_their_process(site: Site) -> None:
    site.hints["a"].wake(TIMER, [3])
    site.hints["a"].stop()
    site.hints["a"].hinted(TIMER, ())
    site.hints["a"].wake(TIMER, [3])
    for _ in range(20):
        await asyncio.sleep(0)
    assert (site.looked, site.messages) == ([], 0)
