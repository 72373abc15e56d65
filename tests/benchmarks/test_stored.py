"""Closed runs that the loader writes are what the server itself would have stored."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker
from temporalio.api.workflowservice.v1 import CountWorkflowExecutionsRequest
from temporalio.client import Client, WorkflowExecutionStatus

from benchmarks import stored, workflow_load
from benchmarks.stored import store_closed_runs
from tests.functional.stored import check_stored
from tests.support.databases import ROOT, server_environment
from tests.support.server import Server

COPIES = 45


async def test_copies_of_a_run_read_like_runs(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, django_db_blocker: DjangoDbBlocker
) -> None:
    monkeypatch.setattr(workflow_load, "SETTLE", 0.0)
    monkeypatch.setattr(stored, "LOT", 20)
    said: list[str] = []
    with Server(tmp_path, postgres_url) as server:
        await asyncio.to_thread(store_closed_runs, server.grpc, postgres_url, COPIES, say=said.append)
        client = await Client.connect(server.grpc)
        count = await client.workflow_service.count_workflow_executions(
            CountWorkflowExecutionsRequest(namespace="default", query="ExecutionStatus = 'Completed'")
        )
        runs = [run async for run in client.list_workflows()]
        histories = {}
        for run in runs:
            handle = client.get_workflow_handle(run.id, run_id=run.run_id)
            description = await handle.describe()
            assert (description.id, description.run_id) == (run.id, run.run_id)
            assert description.status == WorkflowExecutionStatus.COMPLETED
            history = await handle.fetch_history()
            first = history.events[0].workflow_execution_started_event_attributes
            assert first.original_execution_run_id == first.first_execution_run_id == run.run_id
            histories[run.run_id] = len(history.events)
    with django_db_blocker.unblock():
        await asyncio.to_thread(check_stored, postgres_url)
    scavenge = [sys.executable, "manage.py", "hugo", "scavenge", "--dry-run", "--json"]
    environment = os.environ | server_environment(postgres_url)
    found = await asyncio.to_thread(subprocess.run, scavenge, cwd=ROOT, env=environment, stdout=subprocess.PIPE)
    report = json.loads(found.stdout)

    assert (report["runs"], report["found"]) == (COPIES + 1, {})
    assert said == ["20 of 45 runs stored", "40 of 45 runs stored", "45 of 45 runs stored"]
    assert count.count == len(runs) == len(histories) == COPIES + 1
    assert set(histories.values()) == {11}
    assert len({run.id for run in runs}) == len({run.start_time for run in runs}) == COPIES + 1
