"""The plans of the PostgreSQL store: made while a table is empty, kept while it grows, and right all the same."""

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connections
from pytest_django import DjangoDbBlocker

from orchestrator.models import Shard
from orchestrator.services.bootstrap import check_database
from orchestrator.store.ports import Changes, Fence, RunKey, WorkflowKey
from orchestrator.store.postgres import PostgresStore
from tests.store.process import ALIAS
from tests.store.rows import creation, node, record, run_key, task, transfer, update, wake, workflow_key
from tests.support.databases import Databases, alias

SHARD, RANGE = 1, 7
PREPARED = """
SELECT name, cardinality(parameter_types) FROM pg_prepared_statements WHERE statement LIKE '%%unnest%%'
"""
KEYS = {
    "shard": "id",
    "current_execution": "workflow_id",
    "execution": "run_id",
    "history_node": "branch_id",
    "dispatch_task": "scheduled_event_id",
    "timer_task": "run_id",
    "transfer_task": "event_id",
    "visibility_record": "run_id",
}
"""The last column of the key by which rows of a table are looked up."""


@pytest.fixture
def store(databases: Databases, postgres_server: str, django_db_blocker: DjangoDbBlocker) -> Iterator[PostgresStore]:
    """A store whose tables are known to the planner to be empty."""
    made = databases.postgres()
    with django_db_blocker.unblock():
        with alias(made, ALIAS):
            opened = PostgresStore(ALIAS, check_database(ALIAS).shard_count)
            Shard.objects.using(ALIAS).update(owner="somebody", range_id=RANGE)
            with connections[ALIAS].cursor() as cursor:
                cursor.execute("VACUUM ANALYZE")
            yield opened
            opened.close()
        databases.drop(made)


def everything(run: RunKey, workflow: WorkflowKey) -> Iterator[Changes]:
    """A run's life, in which each part of the writing statement occurs."""
    yield creation(run, workflow)
    second = run_key(SHARD)
    yield update(
        run,
        2,
        moved={workflow: (run.run_id, second.run_id)},
        requests=[(run, 1, b"ids")],
        buried=[(run, 1, 2)],
        discarded=[(run, 1, 3, 1)],
        transfers=[transfer(run, 5)],
        records=[record(run)],
        fences={Fence(SHARD, RANGE)},
    )
    tasks = [task(run, 6)]
    yield update(
        run,
        3,
        nodes=[(run, node(3, 4))],
        tasks={(run, each.kind, each.scheduled_event_id): each for each in tasks},
        slept=[run],
        transferred=[(run, 1, 5)],
    )
    yield update(run, 4, wakes=[wake(run, 9)])


def scans(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The nodes of a plan that read a table."""
    if "Relation Name" in plan and plan["Node Type"] != "ModifyTable":
        yield plan
    for part in plan.get("Plans", ()):
        yield from scans(part)


def condition(scan: dict[str, Any]) -> str:
    """By what a scan finds its rows in an index; empty when it reads them all."""
    below = scan.get("Plans", [])
    return str(scan.get("Index Cond") or "".join(str(each.get("Index Cond", "")) for each in below))


def test_plans_made_for_empty_tables_look_rows_up_by_key(store: PostgresStore) -> None:
    run, workflow = run_key(SHARD), workflow_key(shard=SHARD)
    for changes in everything(run, workflow):
        with store.transaction() as session:
            session.lock_current([workflow])
            session.lock_runs({run: 0})
            session.lock_runs({run: 0}, [run])
            session.write(changes)
    raw: psycopg.Connection[Any] = connections[ALIAS].connection
    seen = set()
    for name, count in raw.execute(PREPARED).fetchall():
        query = f"EXPLAIN (FORMAT JSON) EXECUTE {name}" + (f"({', '.join(['NULL'] * count)})" if count else "")
        row = raw.execute(query.encode()).fetchone()
        assert row is not None
        for scan in scans(row[0][0]["Plan"]):
            seen.add(scan["Relation Name"])
            column = KEYS[scan["Relation Name"]]
            assert re.search(rf"\b{column}\)?(::text)? = (ANY \(ARRAY\[)?k(_\d+)?\.", condition(scan)), scan
    assert seen == set(KEYS)
