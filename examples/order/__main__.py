"""`python -m examples.order`: a worker and a client in one process, for watching."""

import asyncio
import logging

from temporalio.client import Client

from .client import place_order, watch
from .command_line import address
from .history import Printer, activity_lines
from .worker import order_worker


async def main() -> None:
    """Takes one order through a worker, and prints what happens."""
    client = await Client.connect(address(__doc__))
    printer = Printer()
    logging.getLogger("temporalio").addHandler(activity_lines(printer))
    logging.getLogger("temporalio").setLevel(logging.INFO)
    logging.getLogger("temporalio").propagate = False
    async with order_worker(client):
        handle = await place_order(client)
        printer.title(f"Workflow {handle.id}: its history, event by event")
        printer.remark(f"result {await watch(handle, printer)}")


if __name__ == "__main__":
    asyncio.run(main())
