"""The workflow run the code at hand is part of.

It follows `contextvars`: a task inherits it from the one that creates it. Another thread or process does not; run its
code in a copy of the context (`contextvars.copy_context`), or enter the run there again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from hugo.cancellation import CancelToken
from hugo.workflow.context import WorkflowExecutionContext


@dataclass(frozen=True, slots=True)
class _Scope:
    context: WorkflowExecutionContext
    token: CancelToken | None


_current: ContextVar[_Scope | None] = ContextVar("hugo_workflow", default=None)


@contextmanager
def enter_workflow(
    context: WorkflowExecutionContext, *, replace: bool = False, token: CancelToken | None = None
) -> Iterator[WorkflowExecutionContext]:
    """Makes `context` the current run within the block, and starts it. The end of the block does not complete it.

    Blocks nest: without a `token` of its own, a run is stopped by that of the run around it, unless it is to `replace`
    that one.
    """
    around = _current.get()
    inherited = None if around is None or replace else around.token
    reset = _current.set(_Scope(context, token or inherited))
    try:
        context.start()
        yield context
    finally:
        _current.reset(reset)


def current_workflow() -> WorkflowExecutionContext | None:
    """The current run, if there is one."""
    scope = _current.get()
    return None if scope is None else scope.context


def require_workflow() -> WorkflowExecutionContext:
    """The current run; raises RuntimeError if there is none."""
    context = current_workflow()
    if context is None:
        raise RuntimeError("No workflow run is current here.")
    return context


def current_cancel_token() -> CancelToken | None:
    """The token that stops the current run, if it has one."""
    scope = _current.get()
    return None if scope is None else scope.token
