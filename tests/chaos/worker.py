"""A process of the unmodified SDK that serves the workflows: `python -m tests.chaos.worker ADDRESS QUEUE`."""

import asyncio
import sys

from temporalio.client import Client
from temporalio.service import RPCError

from tests.chaos.workflows import Errand, Traveller, mark
from tests.functional.workers import new_worker


async def main(address: str, task_queue: str) -> None:
    """Serves for ever; a server that is not there yet is waited for."""
    while True:
        try:
            client = await Client.connect(address)
        except (RPCError, RuntimeError):
            await asyncio.sleep(0.2)
            continue
        print("serving", flush=True)
        try:
            await new_worker(client, task_queue, workflows=[Traveller, Errand], activities=[mark]).run()
        except RuntimeError as error:
            print(f"the worker begins again: {error}", flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
