"""What `hugo shard` does: shows who owns which shard, and moves shards by hand."""

import dataclasses
import json
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import click
from django.db import DatabaseError, connections
from django.db.models import Count, Min, Model

from orchestrator.conf import hugo_settings
from orchestrator.core.wire import SECOND
from orchestrator.management.database import first_line, place_of
from orchestrator.management.refusal import Refusal
from orchestrator.models import Execution, TimerTask, TransferTask
from orchestrator.services.bootstrap import SchemaMismatch, check_database, check_shared
from orchestrator.services.shard_ownership import CannotMove, Ownership, move, ownerships
from orchestrator.store.members_sql import SqlClusterStore

PATIENCE = 20.0
"""Seconds to wait until shards have moved."""
PAUSE = 0.2
HEADER = ("SHARD", "RANGE", "OWNER", "")


def list_shards(owner: str, *, as_json: bool) -> None:
    """Prints one line a shard.

    Args:
        owner: only shards whose owner's name begins so.
        as_json: a list of objects instead of lines.

    Raises:
        Refusal: the database cannot be used.
    """
    with opened() as store:
        found = [each for each in ownerships(store) if each.owner.startswith(owner)]
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(each) for each in found], indent=2))
        return
    rows = [HEADER, *((str(each.shard), str(each.range_id), each.owner or "-", remark(each)) for each in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    for row in rows:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def describe_shard(shard: int, *, as_json: bool) -> None:
    """Prints what is known of a shard, and what waits in it.

    Raises:
        Refusal: there is no such shard, or the database cannot be used.
    """
    with opened() as store:
        known = {each.shard: each for each in ownerships(store)}
        if shard not in known:
            raise Refusal(f"There is no shard {shard}: this database has {len(known)}, from 1 to {max(known)}.")
        now = store.roll().time
        runs = rows_of(Execution, shard).count()
        timers = rows_of(TimerTask, shard).aggregate(count=Count("id"), first=Min("fire_time"))
        debts = rows_of(TransferTask, shard).aggregate(count=Count("id"), first=Min("created_time"))
    found = dataclasses.asdict(known[shard]) | {
        "runs": runs,
        "timers": timers["count"],
        "next_timer_s": seconds(timers["first"], now),
        "debts": debts["count"],
        "oldest_debt_s": seconds(now, debts["first"]),
    }
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    next_timer = "" if found["next_timer_s"] is None else f", the next in {found['next_timer_s']:.1f} s"
    oldest = "" if found["oldest_debt_s"] is None else f", the oldest for {found['oldest_debt_s']:.1f} s"
    click.echo(f"shard    {shard}")
    click.echo(f"owner    {known[shard].owner or '-'}  {remark(known[shard])}".rstrip())
    click.echo(f"range    {known[shard].range_id}")
    click.echo(f"runs     {runs}")
    click.echo(f"timers   {timers['count']}{next_timer}")
    click.echo(f"debts    {debts['count']}{oldest}")


def move_shards(shards: Collection[int], to: str, *, wait: bool) -> None:
    """Has shards owned by a member, or with "" by whoever is due, and waits until it has them.

    Raises:
        Refusal: they cannot be moved there, or did not get there in time, or the database cannot be used.
    """
    with opened() as store:
        try:
            name = move(store, shards, to)
        except CannotMove as error:
            raise Refusal(str(error)) from error
        if wait and not eventually(
            lambda: all(each.owner == each.due for each in ownerships(store) if each.shard in shards)
        ):
            raise Refusal(
                f"The move is noted, but has not taken place within {PATIENCE:g} s: the present owner or the next one "
                "does not work; `hugo shard list` shows who owns what."
            )
    what = f"Shard {next(iter(shards))}" if len(shards) == 1 else f"{len(shards)} shards"
    click.echo(f"{what}: {'moved to ' + name if name else 'back with whoever is due'}.")


def remark(shard: Ownership) -> str:
    """What is worth saying of an owner."""
    if shard.owner and not shard.live:
        return "dead"
    if shard.due != shard.owner:
        return f"moves to {shard.due}" if shard.due else "nobody can own it"
    return "moved here" if shard.moved else ""


def seconds(later: int | None, earlier: int | None) -> float | None:
    """The seconds between two times."""
    return None if later is None or earlier is None else (later - earlier) / SECOND


def rows_of(model: type[Model], shard: int) -> Any:
    """The rows of a table in a shard."""
    return model._default_manager.using(hugo_settings().database).filter(shard_id=shard)


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether something holds before long."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(PAUSE)
    return True


@contextmanager
def opened() -> Iterator[SqlClusterStore]:
    """The members and shards of the database of the settings.

    Raises:
        Refusal: it cannot be used, or is for one process only.
    """
    alias = hugo_settings().database
    connection = connections[alias]
    try:
        check_shared(alias)
        check_database(alias)
        yield SqlClusterStore(alias)
    except SchemaMismatch as error:
        raise Refusal(str(error)) from error
    except DatabaseError as error:
        raise Refusal(f"The database {place_of(connection)} cannot be used: {first_line(error)}.") from error
    finally:
        connection.close()
