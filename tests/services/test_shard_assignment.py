"""Who should own which shard: everything has one owner, nobody has much more than another, and few shards move."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.services.shard_assignment import assign

NAMES = st.sets(st.text(min_size=1, max_size=8), min_size=1, max_size=12)
COUNTS = st.integers(1, 200)


def shards(count: int) -> range:
    return range(1, count + 1)


def moved(before: dict[int, str], after: dict[int, str]) -> int:
    return sum(before[shard] != after[shard] for shard in before)


@given(COUNTS, NAMES)
def test_every_shard_has_one_owner_and_the_loads_differ_by_one_at_most(count: int, members: set[str]) -> None:
    owners = assign(shards(count), members)
    assert set(owners) == set(shards(count))
    loads = Counter(dict.fromkeys(members, 0))
    loads.update(owners.values())
    assert set(loads) == members
    assert max(loads.values()) - min(loads.values()) <= 1


@given(COUNTS, NAMES, st.randoms(use_true_random=False))
def test_the_answer_does_not_depend_on_the_order_in_which_members_are_known(count, members, random) -> None:
    names = sorted(members)
    random.shuffle(names)
    assert assign(shards(count), names) == assign(list(reversed(shards(count))), members)


@given(COUNTS, NAMES, st.dictionaries(st.integers(1, 250), st.text(min_size=1, max_size=8), max_size=30))
def test_pins_of_live_members_are_kept_and_the_others_fill_up_evenly(count, members, pins) -> None:
    pins |= {shard: sorted(members)[0] for shard in range(1, 6)}
    owners = assign(shards(count), members, pins)
    assert set(owners) == set(shards(count))
    in_force = {shard: name for shard, name in pins.items() if shard in owners and name in members}
    assert {shard: owners[shard] for shard in in_force} == in_force
    loads, pinned = Counter(dict.fromkeys(members, 0)), Counter(in_force.values())
    loads.update(owners.values())
    free = [loads[name] for name in members if loads[name] > pinned[name]]
    assert not free or max(free) - min(loads.values()) <= 1


@pytest.mark.parametrize("count", [64, 512])
@pytest.mark.parametrize("members", [1, 2, 3, 5, 10])
def test_few_shards_move_when_a_member_joins_or_leaves(count: int, members: int) -> None:
    names = [f"worker-host-{number}-{number * 7919:x}" for number in range(members + 1)]
    before, after = assign(shards(count), names[:-1]), assign(shards(count), names)
    share = -(-count // (members + 1))
    assert share - 1 <= moved(before, after) <= 2 * share


def test_nobody_owns_anything_where_nobody_is() -> None:
    assert assign(shards(4), []) == {}
    assert assign(shards(4), [], {1: "gone"}) == {}


def test_who_is_alone_owns_everything() -> None:
    assert assign(shards(4), ["me"], {2: "gone"}) == dict.fromkeys(shards(4), "me")
