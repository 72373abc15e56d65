"""`python -m examples.order.worker`: runs the workflow and its activities until Ctrl-C."""

import asyncio
import logging

from temporalio.client import Client
from temporalio.worker import Worker

from . import activities
from .command_line import address
from .workflows import OrderWorkflow

TASK_QUEUE = "orders"


def order_worker(client: Client) -> Worker:
    """A worker for the task queue of the orders."""
    return Worker(client, task_queue=TASK_QUEUE, workflows=[OrderWorkflow], activities=activities.ALL)


async def main() -> None:
    """Works until it is interrupted."""
    async with order_worker(await Client.connect(address(__doc__))):
        print(f"Working on task queue {TASK_QUEUE!r}; Ctrl-C ends it.", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
