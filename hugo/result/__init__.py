"""Results: a value or an error, and what can be done with one or many."""

from hugo.result.awaiting import MaybeAwaitable
from hugo.result.capture import OnError, attempt, from_optional, try_, try_async
from hugo.result.collections import (
    collect_errors,
    group,
    partition,
    sequence,
    sequence_async,
    traverse,
    traverse_async,
    window,
)
from hugo.result.compensated import Undo
from hugo.result.core import Result, err, ok
from hugo.result.failure import Err
from hugo.result.pipe import Pipe
from hugo.result.success import Ok
from hugo.result.timeout import with_timeout

__all__ = [
    "Err",
    "MaybeAwaitable",
    "Ok",
    "OnError",
    "Pipe",
    "Result",
    "Undo",
    "attempt",
    "collect_errors",
    "err",
    "from_optional",
    "group",
    "ok",
    "partition",
    "sequence",
    "sequence_async",
    "traverse",
    "traverse_async",
    "try_",
    "try_async",
    "window",
    "with_timeout",
]
