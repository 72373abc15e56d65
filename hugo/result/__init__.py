"""Results: a value or an error, and what can be done with one or many."""

from hugo.result.capture import OnError, attempt, from_optional, try_, try_async
from hugo.result.core import Err, MaybeAwaitable, Ok, Result, Undo, err, ok
from hugo.result.pipe import Pipe

__all__ = [
    "Err",
    "MaybeAwaitable",
    "Ok",
    "OnError",
    "Pipe",
    "Result",
    "Undo",
    "attempt",
    "err",
    "from_optional",
    "ok",
    "try_",
    "try_async",
]
