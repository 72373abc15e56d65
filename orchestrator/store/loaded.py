"""A run as one process knows it: its state, the latest of its history, and what else is worth remembering."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from temporalio.api.history.v1 import History, HistoryEvent

from orchestrator.core import state as states
from orchestrator.core.state import ExecutionState
from orchestrator.store.ports import Node, RunKey, Stored, WorkflowKey

NODES_KEPT = 256 * 1024
"""Bytes of history kept with a state, at most."""
TAIL_KEPT = 64 * 1024
"""Bytes of its end that stay when it gets longer; what is older is read from the database."""
REQUEST_ID_SIZE = 150
"""Bytes that a request id takes in memory, roughly."""

_first_event_id = attrgetter("first_event_id")


@dataclass(slots=True)
class Loaded:
    """A run as this process knows it.

    Attributes:
        state: its mutable state.
        version: the stored version it belongs to; 0 for a run no commit has stored.
        blob: of the state; None after a change that is not encoded yet.
        nodes: the latest of its history, without gaps. Replaced and appended to, never otherwise changed: other threads
            read it.
        size: bytes of nodes.
        stored_wake: the wake-up the database holds.
        opened: the node whose events were asked for last, and these.
        request_ids: of signals, in lots that are stored apart, oldest first; None when they are not at hand.
    """

    key: RunKey
    state: ExecutionState
    version: int
    blob: bytes | None
    nodes: list[Node] = field(default_factory=list)
    size: int = 0
    stored_wake: int = 0
    opened: tuple[Node, Sequence[HistoryEvent]] | None = None
    request_ids: dict[str, None] | None = None

    @property
    def workflow(self) -> WorkflowKey:
        """The workflow it is a run of."""
        return WorkflowKey(self.key.shard_id, self.state.namespace_id, self.state.workflow_id)

    @property
    def weight(self) -> int:
        """Bytes it takes in memory, roughly: the state costs a few times its blob."""
        opened = 4 * len(self.opened[0].events) if self.opened is not None else 0
        return self.size + 4 * len(self.blob or b"") + opened + REQUEST_ID_SIZE * len(self.request_ids or ())

    def snapshot(self) -> bytes:
        """The blob of the state as it is now."""
        if self.blob is None:
            self.blob = states.encode(self.state)
        return self.blob

    def append(self, nodes: Sequence[Node]) -> None:
        """Adds new history, and forgets the oldest when it gets too long."""
        self.nodes.extend(nodes)
        self.size += sum(len(node.events) for node in nodes)
        if self.size <= NODES_KEPT:
            return
        begin = 0
        while self.size > TAIL_KEPT:
            self.size -= len(self.nodes[begin].events)
            begin += 1
        self.nodes = self.nodes[begin:]

    def open(self, node: Node) -> None:
        """Parses the events of a node. What comes of one task is often asked for one by one."""
        self.opened = node, History.FromString(node.events).events

    def event(self, event_id: int) -> HistoryEvent | None:
        """An event of the node opened last, to be read only; None when it is not in it."""
        if self.opened is None:
            return None
        node, events = self.opened
        index = event_id - node.first_event_id
        return events[index] if 0 <= index < len(events) else None

    def kept(self, first: int, last: int) -> list[Node] | None:
        """The nodes that hold any event from `first` to `last`; None when they are not all at hand."""
        nodes = self.nodes
        if not nodes or first < nodes[0].first_event_id:
            return None
        begin = bisect_right(nodes, first, key=_first_event_id) - 1
        end = bisect_right(nodes, last, key=_first_event_id)
        return nodes[begin:end]


def load(stored: Stored, key: RunKey) -> Loaded:
    """A run from its stored blob."""
    assert stored.blob is not None
    blob = bytes(stored.blob)
    state = states.decode(blob)
    run = Loaded(key, state, stored.version, blob, stored_wake=state.wake_time)
    run.append(stored.nodes)
    return run
