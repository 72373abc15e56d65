"""`python -m examples.order`: a worker and a client in one process, for watching."""

import asyncio
import logging

from temporalio import activity
from temporalio.client import Client

from .client import place_order, watch
from .command_line import address
from .history import ActivityLog, Printer
from .worker import order_worker


async def main() -> None:
    """Takes one order through a worker, and prints what happens."""
    client = await Client.connect(address(__doc__))
    printer = Printer()
    activity.logger.activity_info_on_message = False
    log = logging.getLogger("temporalio.activity")
    log.addHandler(ActivityLog(printer))
    log.setLevel(logging.INFO)
    log.propagate = False
    async with order_worker(client):
        handle = await place_order(client)
        printer.title(f"Workflow {handle.id}: its history, event by event")
        printer.remark("result", f"{await watch(handle, printer)}")


if __name__ == "__main__":
    asyncio.run(main())
