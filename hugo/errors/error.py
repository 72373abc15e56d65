"""`Error`, the immutable value that says why something failed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar, overload

from hugo.errors.codes import ERROR_DESCRIPTORS, ErrorCode
from hugo.errors.json_values import (
    exception_from_json,
    exception_to_json,
    from_json,
    register,
    stack_trace,
    to_json,
)
from hugo.errors.metadata import Metadata

if TYPE_CHECKING:
    from hugo.cancellation import CancelToken

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Error:
    """Why something failed. Two errors are equal only if they are the same object.

    An error with a well-known code carries that code's name, description and category in its metadata.
    """

    message: str
    code: str | None = None
    cause: BaseException | None = None
    metadata: Mapping[str, Any] = field(default_factory=Metadata)

    def __post_init__(self) -> None:
        """Makes the metadata read-only and adds what is known about the code."""
        code = None if self.code is None else str(self.code)
        object.__setattr__(self, "code", code)
        object.__setattr__(self, "metadata", Metadata(_known(code), self.metadata))

    def __str__(self) -> str:
        return self.message if self.code is None else f"{self.code}: {self.message}"

    def with_metadata(self, _entries: Mapping[str, Any] | None = None, /, **more: Any) -> "Error":
        """The same error with these entries added to its metadata, or replaced in it."""
        return replace(self, metadata=Metadata(self.metadata, _entries or {}, more))

    def with_code(self, code: str | None) -> "Error":
        """The same error under another code; what described the old code goes, what describes the new one comes."""
        old = _known(self.code)
        kept = {key: value for key, value in self.metadata.items() if old.get(key.casefold()) != value}
        return replace(self, code=code, metadata=kept)

    def with_cause(self, cause: BaseException | None) -> "Error":
        """The same error with another exception behind it."""
        return replace(self, cause=cause)

    @overload
    def get(self, key: str) -> Any: ...
    @overload
    def get(self, key: str, type_: type[T]) -> T | None: ...
    def get(self, key: str, type_: type = object) -> Any:
        """The metadata under `key`, in any case; None if there is none, or one of another type than `type_`."""
        value = self.metadata.get(key)
        return value if isinstance(value, type_) else None

    def to_json(self) -> dict[str, Any]:
        """The error in JSON's own types: `message`, and `code`, `cause` and `metadata` where there is one."""
        written: dict[str, Any] = to_json(self)["value"]
        return written

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Error":
        """The error `to_json` wrote; its cause, if any, is a `RestoredCause`."""
        return _read(from_json(dict(data)))

    @classmethod
    def from_exception(cls, exception: BaseException, code: str | None = None) -> "Error":
        """An error for an exception nobody expected, with its type and stack trace in the metadata."""
        details = {"exceptionType": type(exception).__qualname__, "stackTrace": stack_trace(exception)}
        return cls(str(exception), code or ErrorCode.EXCEPTION, exception, details)

    @classmethod
    def canceled(cls, message: str | None = None, token: "CancelToken | None" = None) -> "Error":
        """An error for an operation a token stopped; it carries the token's state, if the token is given."""
        details = {} if token is None else {"cancellationToken": {"cancelled": token.cancelled, "reason": token.reason}}
        return cls(message or "Operation was canceled.", ErrorCode.CANCELED, metadata=details)

    @classmethod
    def timeout(cls, seconds: float | None = None, message: str | None = None) -> "Error":
        """An error for an operation that took longer than `seconds`."""
        details = {} if seconds is None else {"duration": timedelta(seconds=seconds)}
        return cls(message or "The operation timed out.", ErrorCode.TIMEOUT, metadata=details)

    @classmethod
    def unspecified(cls, message: str | None = None) -> "Error":
        """An error about which nothing is known."""
        return cls(message or "An unspecified error occurred.", ErrorCode.UNSPECIFIED)

    @classmethod
    def aggregate(cls, message: str, *errors: "Error") -> "Error":
        """One error for several, which are the `errors` of its metadata; raises ValueError when there is none."""
        if not errors:
            raise ValueError("An aggregate needs at least one error.")
        return cls(message, ErrorCode.AGGREGATE, metadata={"errors": list(errors)})


class ResultError(Exception):
    """Raised where a failed result is asked for its value; `error` says why it failed."""

    def __init__(self, error: Error) -> None:
        super().__init__(str(error))
        self.error = error


def _known(code: str | None) -> Mapping[str, Any]:
    return ERROR_DESCRIPTORS[code].metadata() if code is not None and code in ERROR_DESCRIPTORS else {}


def _write(error: Error, inner: Any) -> dict[str, Any]:
    parts: dict[str, Any] = {"message": error.message}
    if error.code is not None:
        parts["code"] = error.code
    if error.cause is not None:
        parts["cause"] = exception_to_json(error.cause)
    if error.metadata:
        parts["metadata"] = inner(dict(error.metadata))
    return parts


def _read(parts: Mapping[str, Any]) -> Error:
    cause = parts.get("cause")
    return Error(
        parts["message"],
        parts.get("code"),
        None if cause is None else exception_from_json(cause),
        parts.get("metadata", {}),
    )


register(Error, "error", _write, _read)
