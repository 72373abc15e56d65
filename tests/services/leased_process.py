"""A member of a cluster for tests: `python -m tests.services.leased_process ROLE` takes lines from its input.

`owned` prints its shards; `hold WORKFLOW_ID` begins work on the shard of a workflow, prints `holding`, and at the next
line writes, and prints `written` or `refused`. It leaves the cluster at the end of the input.
"""

import asyncio
import json
import sys
from functools import partial

import django


async def live(role: str) -> None:
    """Runs until the input ends."""
    from temporalio.api.common.v1 import WorkflowExecution
    from temporalio.api.workflowservice.v1 import SignalWorkflowExecutionRequest

    from orchestrator.services.change_workflow import signal_workflow_execution
    from orchestrator.services.composition import engine_of_process
    from orchestrator.store.ports import LeaseLost

    engine = await asyncio.to_thread(partial(engine_of_process, role, owns_shards=role != "frontend"))
    await engine.start()
    namespace = await engine.namespace("default")
    print(engine.peers.member, flush=True)

    async def read() -> list[str]:
        return (await asyncio.to_thread(sys.stdin.readline)).split()

    while words := await read():
        if words[0] == "owned":
            print(json.dumps(sorted(engine.shards.owned)), flush=True)
            continue
        request = SignalWorkflowExecutionRequest(
            namespace="default", workflow_execution=WorkflowExecution(workflow_id=words[1]), signal_name="late"
        )
        call = signal_workflow_execution(engine, namespace, request)
        try:
            with engine.shards.holding(call.key.shard_id):
                print("holding", flush=True)
                await read()
                await engine.execute(call)
            print("written", flush=True)
        except LeaseLost:
            print("refused", flush=True)
    engine.drain()
    await engine.stop()


if __name__ == "__main__":
    django.setup()
    asyncio.run(live(sys.argv[1]))
