"""`python -m examples.order.client`: places one order, watches it, asks for its status and signs for it.

A worker has to run, in this process or in another one.
"""

import asyncio
import uuid

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle

from .activities import Order
from .command_line import address
from .history import Printer
from .worker import TASK_QUEUE
from .workflows import OrderWorkflow, Receipt


async def place_order(client: Client) -> WorkflowHandle[OrderWorkflow, Receipt]:
    """Starts the workflow of an order with an id of its own."""
    order = Order(id=uuid.uuid4().hex[:8], item="espresso machine", quantity=2, amount=49_900)
    return await client.start_workflow(OrderWorkflow.run, order, id=f"order-{order.id}", task_queue=TASK_QUEUE)


async def watch(handle: WorkflowHandle[OrderWorkflow, Receipt], printer: Printer) -> Receipt:
    """Prints the history as it grows, and plays the customer: asks while the parcel travels, signs when it is there."""
    arrived = False
    async for event in handle.fetch_history_events(wait_new_event=True):
        printer.event(event)
        if event.event_type == EventType.EVENT_TYPE_TIMER_STARTED:
            printer.remark("query", f"status() -> {await handle.query(OrderWorkflow.status)!r}")
        elif event.event_type == EventType.EVENT_TYPE_TIMER_FIRED:
            arrived = True
        elif event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED and arrived:
            arrived = False
            printer.remark("query", f"status() -> {await handle.query(OrderWorkflow.status)!r}")
            printer.remark("signal", "delivered('Ada')")
            await handle.signal(OrderWorkflow.delivered, "Ada")
    return await handle.result()


async def main() -> None:
    """Places one order and sees it through."""
    client = await Client.connect(address(__doc__))
    handle = await place_order(client)
    printer = Printer()
    printer.title(f"Workflow {handle.id}")
    printer.remark("result", f"{await watch(handle, printer)}")


if __name__ == "__main__":
    asyncio.run(main())
