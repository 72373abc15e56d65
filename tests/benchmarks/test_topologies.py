"""The clusters that are measured: all their processes run, or the measurement ends with the reason."""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from benchmarks.systems import StartError, await_log, running
from benchmarks.topologies import Topology, own_cluster, private_redis


@workflow.defn
class Nap:
    @workflow.run
    async def run(self) -> str:
        await asyncio.sleep(timedelta(milliseconds=1).total_seconds())
        return "awake"


async def test_a_worker_of_a_measured_cluster_fires_its_timers(postgres_url: str, tmp_path: Path) -> None:
    with (
        private_redis(tmp_path) as (redis_url, _),
        own_cluster(Topology("small", 1, 1), tmp_path, postgres_url, f"{redis_url}/0") as (address, pids),
    ):
        assert len(pids) == 2
        client = await Client.connect(address)
        async with Worker(client, task_queue="naps", workflows=[Nap], workflow_runner=UnsandboxedWorkflowRunner()):
            assert await client.execute_workflow(Nap.run, id="nap", task_queue="naps") == "awake"


def test_a_process_that_ends_is_told_with_its_last_words(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with (
        running([sys.executable, "-c", "raise SystemExit('no settings')"], log, {}) as process,
        pytest.raises(StartError, match="ended with status 1, waiting for the worker\nno settings"),
    ):
        await_log(process, log, lambda _: "", "the worker")
