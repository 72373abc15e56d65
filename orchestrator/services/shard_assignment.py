"""Who should own which shard: a function of who is there, so that all processes come to the same answer alone.

Each pair of a shard and a member has a number that looks like chance. The lowest pairs of all are matched first, until
every member has its share. Whoever joins or leaves changes few of the others' pairs.
"""

from collections.abc import Collection, Mapping
from hashlib import blake2b


def assign(shards: Collection[int], members: Collection[str], pins: Mapping[int, str] | None = None) -> dict[int, str]:
    """Gives every shard an owner.

    Args:
        shards: their ids.
        members: names of those who can own shards.
        pins: who is to own a shard whatever the balance; a name that is not among the members counts for nothing.

    Returns:
        the owner of each shard; nobody has two shards more than another, unless by pins. Empty without members.
    """
    if not members:
        return {}
    owners = {shard: name for shard, name in (pins or {}).items() if shard in shards and name in members}
    loads = dict.fromkeys(members, 0)
    for name in owners.values():
        loads[name] += 1
    level, beyond = _level(list(loads.values()), len(shards) - len(owners))
    pairs = sorted((_rank(shard, name), shard, name) for shard in shards if shard not in owners for name in members)
    for _, shard, name in pairs:
        if shard in owners or loads[name] > level:
            continue
        if loads[name] == level:
            if not beyond:
                continue
            beyond -= 1
        owners[shard] = name
        loads[name] += 1
    return owners


def _level(loads: list[int], more: int) -> tuple[int, int]:
    """Up to where `more` shards fill the lowest loads evenly, and how many members get one beyond that."""
    loads.sort()
    for count, load in enumerate(loads):
        filled = load * count - sum(loads[:count])
        if filled > more:
            break
        lowest = loads[: count + 1]
    return divmod(sum(lowest) + more, len(lowest))


def _rank(shard: int, name: str) -> bytes:
    return blake2b(f"{shard}/{name}".encode(), digest_size=8).digest()
