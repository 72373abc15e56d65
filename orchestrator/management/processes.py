"""What `hugo processes` does: shows the live processes of a cluster, and what each has done."""

import asyncio
import os
import socket
from collections import Counter

import click
from django.db import DatabaseError, connections

from orchestrator.conf import hugo_settings
from orchestrator.management.database import first_line, place_of
from orchestrator.management.refusal import Refusal
from orchestrator.services.bootstrap import Cluster, SchemaMismatch, check_database, check_shared
from orchestrator.services.composition import notifier_of
from orchestrator.services.peers import Peers
from orchestrator.services.tally import Tally, collect
from orchestrator.store.members import Member
from orchestrator.store.members_sql import SqlClusterStore

PATIENCE = 2.0
"""Seconds to wait for answers."""
HEADER = ("PROCESS", "ROLE", "HOST", "PID", "SHARDS", "TRANSITIONS", "COMMITS", "TIMERS", "DEBTS", "TASKS SENT")


def show_processes() -> None:
    """Prints one line a live process; without Redis, or where one does not answer, only what its row says.

    Raises:
        Refusal: the database cannot be used.
    """
    library = hugo_settings()
    connection = connections[library.database]
    try:
        check_shared(library.database)
        cluster = check_database(library.database)
        store = SqlClusterStore(library.database)
        members = store.roll().members
        owned = Counter(row.owner for row in store.shards().values())
    except SchemaMismatch as error:
        raise Refusal(str(error)) from error
    except DatabaseError as error:
        raise Refusal(f"The database {place_of(connection)} cannot be used: {first_line(error)}.") from error
    finally:
        connection.close()
    answers = asyncio.run(_ask(cluster, [member.name for member in members]))
    rows = [HEADER, *(_row(member, owned[member.name], answers.get(member.name)) for member in members)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    for row in rows:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


async def _ask(cluster: Cluster, names: list[str]) -> dict[str, Tally]:
    library = hugo_settings()
    if not library.redis_url:
        return {}
    name = f"operator-{socket.gethostname()}-{os.getpid()}-{os.urandom(4).hex()}"
    return await collect(Peers(notifier_of(library, cluster.id, name)), names, PATIENCE)


def _row(member: Member, shards: int, tally: Tally | None) -> tuple[str, ...]:
    done = ["?"] * 5
    if tally is not None:
        done = [*map(str, (tally.transitions, tally.transactions, tally.timers, tally.debts, tally.tasks_sent))]
    return (member.name, member.role, member.host, str(member.pid), str(shards), *done)
