"""One order from the cart to the customer's signature."""

from dataclasses import dataclass
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from .activities import Order, charge, release, reserve, ship

STEP = timedelta(seconds=10)
PATIENT = RetryPolicy(initial_interval=timedelta(milliseconds=500), backoff_coefficient=2.0, maximum_attempts=10)
TRANSIT = timedelta(seconds=2)
"""How long a parcel travels. It could be days: a timer is a row in the server's database and costs nothing."""


@dataclass
class Receipt:
    """What an order came to."""

    reservation: str
    payment: str
    parcel: str
    signed_by: str


@workflow.defn
class OrderWorkflow:
    """Reserves, charges and ships, lets the parcel travel, and waits until somebody signs for it."""

    def __init__(self) -> None:
        self._status = "received"
        self._signed_by = ""

    @workflow.run
    async def run(self, order: Order) -> Receipt:
        """The order itself; a declined card puts the goods back and fails it."""
        self._status = "reserving"
        reservation = await workflow.execute_activity(reserve, order, start_to_close_timeout=STEP)
        self._status = "charging"
        try:
            payment = await workflow.execute_activity(charge, order, start_to_close_timeout=STEP, retry_policy=PATIENT)
        except ActivityError:
            await workflow.execute_activity(release, order, start_to_close_timeout=STEP)
            raise
        self._status = "shipping"
        parcel = await workflow.execute_activity(ship, order, start_to_close_timeout=STEP)
        self._status = "in transit"
        await workflow.sleep(TRANSIT)
        self._status = "waiting for a signature"
        await workflow.wait_condition(lambda: bool(self._signed_by))
        self._status = "delivered"
        return Receipt(reservation, payment, parcel, self._signed_by)

    @workflow.signal
    def delivered(self, signed_by: str) -> None:
        """The parcel was handed over."""
        self._signed_by = signed_by

    @workflow.query
    def status(self) -> str:
        """Where the order is."""
        return self._status
