"""The tables can be spread by their shard: `docs/explanation/scaling.md` says how, and a server works on the result."""

import re
from pathlib import Path

import psycopg
import pytest
from temporalio.client import Client
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from tests.functional.order import Order, step
from tests.functional.workers import new_worker
from tests.support.databases import ROOT
from tests.support.server import Server

PAGE = ROOT / "docs" / "explanation" / "scaling.md"
UNIQUE_INDEXES = """
SELECT t.relname, i.relname, array_agg(a.attname::text)
FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = ANY (x.indkey)
WHERE x.indisunique AND t.relnamespace = current_schema()::regnamespace
AND EXISTS (SELECT 1 FROM pg_attribute s WHERE s.attrelid = t.oid AND s.attname = 'shard_id')
GROUP BY 1, 2
"""
FOREIGN_KEYS = """
SELECT r.conname FROM pg_constraint r JOIN pg_attribute s ON s.attname = 'shard_id'
AND s.attrelid IN (r.conrelid, r.confrelid) WHERE r.contype = 'f'
"""


async def test_tables_with_shards_can_be_distributed_by_them(postgres_url: str, tmp_path: Path) -> None:
    found = re.search(r"```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(found.group(1).encode())
        indexes = connection.execute(UNIQUE_INDEXES).fetchall()
        assert connection.execute(FOREIGN_KEYS).fetchall() == []

    assert {"execution", "current_execution", "history_node", "dispatch_task", "timer_task"} <= {
        row[0] for row in indexes
    }
    assert [row for row in indexes if "shard_id" not in row[2]] == []

    with Server(tmp_path, postgres_url) as server:
        client = await Client.connect(server.grpc)
        async with new_worker(client, "queue", workflows=[Order], activities=[step]):
            handle = await client.start_workflow(Order.run, 1, id="order", task_queue="queue")
            await handle.signal(Order.pay)
            assert await handle.result() == ["reserve", "ship"]
            with pytest.raises(WorkflowAlreadyStartedError):
                await client.start_workflow(
                    Order.run, 1, id="order", task_queue="queue", id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE
                )
