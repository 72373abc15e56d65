"""The steps that touch the outside world. Each may run more than once, so each names what it does by the order's id."""

from dataclasses import dataclass

from temporalio import activity
from temporalio.exceptions import ApplicationError

FAILURES = 2
"""How often the imaginary payment gateway fails before it answers."""


@dataclass
class Order:
    """What a customer wants; the amount is in cents."""

    id: str
    item: str
    quantity: int
    amount: int


@activity.defn
async def reserve(order: Order) -> str:
    """Puts the goods aside and returns the reservation."""
    activity.logger.info("%d x %s put aside", order.quantity, order.item)
    return f"reservation-{order.id}"


@activity.defn
async def charge(order: Order) -> str:
    """Takes the money and returns the payment.

    Raises:
        ConnectionError: the gateway does not answer; the workflow's retry policy tries again.
        ApplicationError: the card is declined, which no retry will change.
    """
    if order.amount > 1_000_000:
        raise ApplicationError("the card is declined", type="CardDeclined", non_retryable=True)
    attempt = activity.info().attempt
    if attempt <= FAILURES:
        raise ConnectionError(f"the payment gateway does not answer (attempt {attempt})")
    activity.logger.info("%.2f taken at attempt %d", order.amount / 100, attempt)
    return f"payment-{order.id}"


@activity.defn
async def ship(order: Order) -> str:
    """Hands the parcel over and returns its tracking number."""
    activity.logger.info("the parcel is on its way")
    return f"parcel-{order.id}"


@activity.defn
async def release(order: Order) -> None:
    """Puts the goods back on the shelf."""
    activity.logger.info("%d x %s put back", order.quantity, order.item)


ALL = [reserve, charge, ship, release]
