"""What is remembered of a decision or an effect, so that it happens once."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

EFFECT = "hugo.effect"
VERSION = "hugo.version"


@dataclass(frozen=True, slots=True)
class DeterministicRecord:
    """One remembered thing.

    `kind` is `hugo.effect` or `hugo.version`. `version` is the number of the attempt whose outcome is remembered, or
    the version that was decided on. `payload` is the outcome, in bytes only its writer reads. `recorded_at` is in UTC.
    """

    kind: str
    version: int
    payload: bytes
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class RunScope:
    """The run a record belongs to: another run of the same workflow remembers nothing of it."""

    namespace: str
    workflow_id: str
    run_id: str

    def key(self, kind: str, id_: str) -> str:
        """The key of a record: no two different scopes, kinds and ids have the same."""
        return "/".join(quote(part, safe="") for part in (self.namespace, self.workflow_id, self.run_id, kind, id_))
