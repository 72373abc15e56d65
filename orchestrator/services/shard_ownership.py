"""Who owns which shard, for people: what the rows say, who is due, and moving shards by hand."""

from collections.abc import Collection
from dataclasses import dataclass

from orchestrator.services.shard_assignment import assign
from orchestrator.store.members import ClusterStore, Member


class CannotMove(Exception):
    """Shards cannot be moved there; the text is one sentence an operator can act on."""


@dataclass(frozen=True, slots=True)
class Ownership:
    """What is known of a shard.

    Attributes:
        owner: the member who has taken it; empty when nobody has.
        live: whether that member still lives: if not, nobody works on the shard until another has taken it.
        range_id: how often it was taken.
        due: the member who should own it; empty when nobody can.
        moved: whether an operator has said so.
    """

    shard: int
    owner: str
    live: bool
    range_id: int
    due: str
    moved: bool


def ownerships(store: ClusterStore) -> list[Ownership]:
    """What is known of all shards, in their order."""
    members = store.roll().members
    rows = store.shards()
    names = {member.name for member in members}
    pins = {shard: member.name for member in members if member.owns_shards for shard in member.pinned}
    due = assign(rows, [member.name for member in members if member.owns_shards], pins)
    return [
        Ownership(shard, row.owner, row.owner in names, row.range_id, due.get(shard, ""), shard in pins)
        for shard, row in sorted(rows.items())
    ]


def move(store: ClusterStore, shards: Collection[int], to: str) -> str:
    """Has shards owned by a member for as long as it lives, or with "" by whoever is due.

    Args:
        to: the name of the member, or as much of its beginning as tells it from others.

    Returns:
        the whole name.

    Raises:
        CannotMove: there is no such shard, or no such member that can own it.
    """
    known = store.shards()
    if unknown := sorted(set(shards).difference(known)):
        raise CannotMove(f"There is no shard {unknown[0]}: this database has {len(known)}, from 1 to {max(known)}.")
    name = _member(store.roll().members, to) if to else ""
    if not store.pin(shards, name):
        raise CannotMove(f"{name} has just left the cluster.")
    return name


def _member(members: list[Member], name: str) -> str:
    owners = [member.name for member in members if member.owns_shards]
    found = [name] if name in owners else [each for each in owners if each.startswith(name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise CannotMove(f"{name} may be any of {', '.join(found)}: say more of its name.")
    if any(member.name.startswith(name) for member in members):
        raise CannotMove(f"{name} owns no shards, it is there for calls only; those that do: {_listed(owners)}.")
    raise CannotMove(f"No live member is called {name}; those that own shards: {_listed(owners)}.")


def _listed(names: list[str]) -> str:
    return ", ".join(names) or "none"
