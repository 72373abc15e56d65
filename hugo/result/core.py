"""A value or an error: what a call that may fail returns.

    match withdraw(account, 20):
        case Ok(balance):
            ...
        case Err(error):
            ...

`Result[T]` is `Ok[T] | Err`, so a type checker knows that these two cases are all. Operators catch nothing: what a
callback raises propagates. Their asynchronous twins (`then_async` and so on) turn the cancellation of their own `token`
into `error.canceled`; the cancellation of the task propagates. An error that is already there always wins over a later
cancellation.
"""

from typing import Any, TypeAlias, TypeVar, overload

from hugo.errors import Error
from hugo.result.failure import Err
from hugo.result.success import Ok

T = TypeVar("T")

Result: TypeAlias = Ok[T] | Err
"""Either a value of type T or an error."""


@overload
def ok() -> Result[None]: ...
@overload
def ok(value: T) -> Result[T]: ...
def ok(value: Any = None) -> Result[Any]:
    """A success."""
    return Ok(value)


def err(error: Error | str | BaseException | None = None, code: str | None = None) -> Err:
    """A failure: with this error, or one made of a message or an exception, under `code` if there is one.

    Without anything it is `error.unspecified`.
    """
    if error is None:
        error = Error.unspecified()
    elif isinstance(error, str):
        error = Error(error)
    elif isinstance(error, BaseException):
        error = Error.from_exception(error)
    return Err(error if code is None else error.with_code(code))
