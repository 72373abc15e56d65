"""Whole clusters under a virtual clock: whatever fails, what was promised holds."""

import pytest

from tests.simulation.faults import Weather
from tests.simulation.world import World

SEEDS = 500
CHUNK = 50


@pytest.mark.timeout(300)
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
