"""Fills a PostgreSQL database with closed runs, in minutes: copies of one that a server has run.

What ran once as a template is multiplied by the database itself. A copy differs from it in its ids, and in the times
that lists show; these have the length of the template's, so that they can be replaced inside serialized state and
events.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
import uuid
import zlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from benchmarks.load import LoadOptions
from benchmarks.workflow_load import WorkflowLoad

LOT = 20_000
"""Runs in one transaction."""
ID_LENGTH = 10
"""Of the template's workflow id, see `WorkflowLoad`: a name of eight digits, a dash, and 0."""
FIRST_SHARD = 1
SECOND = 1_000_000_000
TIMES = ("start_time", "execution_time", "close_time")

KEYS = """
CREATE TEMPORARY TABLE stored_key (
    shard_id integer, workflow_id text, run_id uuid, age bigint
) ON COMMIT DELETE ROWS
"""


@dataclass(frozen=True)
class Template:
    """The run that is multiplied; `times` are those lists show, `prefix` begins the workflow ids of its copies."""

    namespace_id: uuid.UUID
    workflow_id: str
    run_id: uuid.UUID
    shards: int
    times: tuple[int, ...]
    prefix: str


def store_closed_runs(
    address: str, dsn: str, count: int, namespace: str = "default", say: Callable[[str], None] = lambda text: None
) -> float:
    """Adds closed runs to the database of a server; returns the seconds it took.

    Args:
        address: of a server of that database, which runs the template.
        dsn: of the database.
        count: how many.
        namespace: of the runs.
        say: is told how far it is.
    """
    import psycopg

    began = time.monotonic()
    workflow_id = asyncio.run(_run_template(address, namespace))
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        template = _template(connection, namespace, workflow_id)
        connection.execute(KEYS)
        statements = [_copying(connection, table, template.times) for table in _tables(connection)]
        for first in range(0, count, LOT):
            _store(connection, template, statements, first, min(LOT, count - first))
            say(f"{min(first + LOT, count):,} of {count:,} runs stored")
        connection.execute("VACUUM ANALYZE")
        # What was written without waiting for the disk is on it before anything is measured.
        connection.execute("CHECKPOINT")
    return time.monotonic() - began


async def _run_template(address: str, namespace: str) -> str:
    load = WorkflowLoad(address, LoadOptions(count=1, concurrency=1, pollers=1, channels=1, namespace=namespace))
    try:
        await load.open()
        await load.run()
    finally:
        await load.close()
    if load.sample.finished != 1:
        raise RuntimeError(f"the run to be copied did not finish: {dict(load.sample.errors)}")
    return f"{load.run_name}-0"


def _template(connection: Any, namespace: str, workflow_id: str) -> Template:
    found = connection.execute(
        "SELECT n.id, c.run_id, m.shard_count FROM namespace n, current_execution c, cluster_metadata m"
        " WHERE n.name = %s AND c.namespace_id = n.id AND c.workflow_id = %s",
        (namespace, workflow_id),
    ).fetchone()
    if found is None or len(workflow_id) != ID_LENGTH:
        raise RuntimeError(f"{workflow_id!r} is not fit to be copied")
    namespace_id, run_id, shards = found
    times = connection.execute(f"SELECT {', '.join(TIMES)} FROM visibility_record WHERE run_id = %s", (run_id,))
    return Template(namespace_id, workflow_id, run_id, shards, times.fetchone(), secrets.token_hex(2))


def _tables(connection: Any) -> list[str]:
    """The tables that hold rows of closed runs: what the template left behind."""
    candidates = ("current_execution", "execution", "history_node", "visibility_record")
    return [table for table in candidates if connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone()]


def _copying(connection: Any, table: str, times: Collection[int]) -> str:
    """The statement that copies the template's rows of a table for every key."""
    columns = connection.execute(
        "SELECT column_name, data_type FROM information_schema.columns"
        " WHERE table_schema = current_schema() AND table_name = %s AND column_name <> 'id' ORDER BY ordinal_position",
        (table,),
    ).fetchall()
    run = "branch_id" if table == "history_node" else "run_id"
    values = ", ".join(_value(name, kind, times) for name, kind in columns)
    names = ", ".join(name for name, _ in columns)
    return f"INSERT INTO {table} ({names}) SELECT {values} FROM stored_key k, {table} t WHERE t.{run} = %(run)s"


def _value(column: str, kind: str, times: Collection[int]) -> str:
    if column in ("shard_id", "workflow_id"):
        return f"k.{column}"
    if column in ("run_id", "branch_id"):
        return "k.run_id"
    if column.endswith("run_id"):
        return f"CASE t.{column} WHEN %(run)s::text THEN k.run_id::text ELSE t.{column} END"
    if column.endswith("workflow_id"):
        return f"CASE t.{column} WHEN %(workflow)s THEN k.workflow_id ELSE t.{column} END"
    if column in TIMES:
        return f"t.{column} - k.age"
    if kind == "bytea":
        text = f"encode(t.{column}, 'hex')"
        for old, new in (("%(run)s::text", "k.run_id::text"), ("%(workflow)s", "k.workflow_id")):
            text = f"replace({text}, {_hex(old)}, {_hex(new)})"
        for moment in sorted(set(times)) if column == "state" else ():
            # MessagePack has a time as eight bytes, the highest first, as int8send has it.
            old, new = f"{moment}::bigint", f"{moment}::bigint - k.age"
            text = f"replace({text}, encode(int8send({old}), 'hex'), encode(int8send({new}), 'hex'))"
        return f"decode({text}, 'hex')"
    return f"t.{column}"


def _hex(text: str) -> str:
    return f"encode(convert_to({text}, 'UTF8'), 'hex')"


def _store(connection: Any, template: Template, statements: list[str], first: int, count: int) -> None:
    values = {"run": template.run_id, "workflow": template.workflow_id}
    now = time.time_ns() // 1_000_000
    with connection.transaction(), connection.cursor() as cursor:
        with cursor.copy("COPY stored_key FROM STDIN") as copy:
            for number in range(first, first + count):
                workflow_id = f"{template.prefix}{number:06x}"
                shard = FIRST_SHARD + zlib.crc32(f"{template.namespace_id}/{workflow_id}".encode()) % template.shards
                run_id = uuid.UUID(
                    int=(now - 1000 * number - 1000) << 80 | 0x7 << 76 | 0b10 << 62 | secrets.randbits(62)
                )
                copy.write_row((shard, workflow_id, run_id, (number + 1) * SECOND))
        for statement in statements:
            cursor.execute(statement, values)


def progress(text: str) -> None:
    """Says how far it is on standard error, on one line."""
    print(f"\r  {text}", end="", file=sys.stderr, flush=True)
