"""What is remembered of an effect: its value or its error."""

import json
from dataclasses import dataclass
from typing import Any, Self

from hugo.deterministic.codec import PayloadCodec
from hugo.errors import Error
from hugo.result.core import Result, err, ok
from hugo.result.failure import Err


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one attempt.

    `type_tag` names the type of the value. An outcome that is not `final` is a failure that may be tried again.
    """

    type_tag: str | None
    value: str | None
    error: dict[str, Any] | None
    final: bool

    @classmethod
    def of(cls, result: Result[object], codec: PayloadCodec, *, final: bool) -> Self:
        """What to remember of a result. An error leaves its exception and stack traces behind."""
        if isinstance(result, Err):
            details = {key: value for key, value in result.error.metadata.items() if key != "stackTrace"}
            error = Error(result.error.message, result.error.code, metadata=details)
            return cls(None, None, error.to_json(), final)
        return cls(codec.tag(type(result.value)), codec.encode(result.value), None, final)

    def result(self, codec: PayloadCodec) -> Result[Any]:
        """The remembered result."""
        if self.error is not None:
            return err(Error.from_json(self.error))
        return ok(codec.decode(self.type_tag or "", self.value or ""))

    def to_bytes(self) -> bytes:
        """The outcome as JSON."""
        parts = {"type": self.type_tag, "value": self.value, "error": self.error, "final": self.final}
        return json.dumps(parts, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The outcome that was written."""
        parts = json.loads(data)
        return cls(parts["type"], parts["value"], parts["error"], parts["final"])
