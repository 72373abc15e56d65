"""What a queue or a lease raises when it is over."""


class QueueClosed(Exception):
    """The task queue is closed or drained: it neither takes nor gives."""


class LeaseInactive(Exception):
    """The lease was finished, or has run out: what it was for may be somebody else's by now."""
