"""What the clients of a cluster under chaos know for certain, and what must hold of its database because of it."""

from collections import Counter
from pathlib import Path

import msgspec

from tests.chaos.register import Attempt


class Queried(msgspec.Struct, frozen=True):
    """A query for the number of signals a workflow has seen.

    Attributes:
        workflow_id: of whom.
        before: how many were acknowledged when it was asked.
        answer: what it said.
        after: how many had been sent when it was answered.
    """

    workflow_id: str
    before: int
    answer: int
    after: int


class Journal(msgspec.Struct):
    """The log of all clients.

    Attributes:
        started: acknowledged starts: run id by workflow id; empty where only the id was acknowledged.
        results: what a workflow was told to have returned, by workflow id.
        signals: acknowledged signals in the order they were sent, by workflow id and sender.
        updates: outcomes by workflow id and update id; None for a rejection.
        reported: results that activities were completed with, acknowledged or not, by workflow id and activity id.
        completed: those of them that were acknowledged.
        queried: answers of a query for the number of signals, with how many were acknowledged before and sent after it.
        contested: what was seen of ids that many start and terminate.
        broken: what clients were told that they should not have been told.
        answers: how many calls were answered, by kind.
        unanswered: how many were not.
    """

    started: dict[str, str] = {}
    results: dict[str, list[str]] = {}
    signals: dict[str, dict[str, list[str]]] = {}
    updates: dict[str, dict[str, str | None]] = {}
    reported: dict[str, dict[str, list[str]]] = {}
    completed: dict[str, dict[str, list[str]]] = {}
    queried: list[Queried] = []
    contested: dict[str, list[Attempt]] = {}
    broken: list[str] = []
    answers: Counter[str] = msgspec.field(default_factory=Counter)
    unanswered: Counter[str] = msgspec.field(default_factory=Counter)

    def save(self, path: Path) -> None:
        """Writes it to a file, for whoever looks into a failure."""
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self)))
