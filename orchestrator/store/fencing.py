"""Which lease the running task works under: whatever it has committed is fenced by it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from orchestrator.store.ports import Fence

_fence: ContextVar[Fence | None] = ContextVar("fence", default=None)


@contextmanager
def fenced(fence: Fence | None) -> Iterator[None]:
    """Puts the writes of a block, and of the tasks it begins, under a fence; None where a process is alone."""
    token = _fence.set(fence)
    try:
        yield
    finally:
        _fence.reset(token)


def current_fence() -> Fence | None:
    """The fence of the running task; None for most of them."""
    return _fence.get()
