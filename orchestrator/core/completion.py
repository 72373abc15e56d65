"""The workflow task a list of commands came with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from temporalio.api.protocol.v1 import Message

from orchestrator.core.state import Activity


class Target(NamedTuple):
    """A namespace that commands reach into."""

    id: str
    name: str
    search_attribute_types: Mapping[str, int]


@dataclass(slots=True)
class Completion:
    """The workflow task a list of commands came with.

    Attributes:
        event_id: of its COMPLETED event.
        identity: of the worker.
        namespace: its name, for texts.
        search_attribute_types: the namespace's own attributes, by name.
        targets: the other namespaces that commands name, by name.
        allow_eager: whether activities that ask for it are started here and now.
        eager: the activities to start so.
        messages: what the worker says of updates; those a command stands for are taken out by it.
        cancelled: how many activities no worker had were cancelled; each left an event in the buffer.
        children: the workflow ids of the children initiated so far.
        activity_ids: all that were pending at any time of it; None before it is known.
    """

    event_id: int
    identity: str
    namespace: str
    search_attribute_types: Mapping[str, int]
    targets: Mapping[str, Target] = field(default_factory=dict)
    allow_eager: bool = True
    eager: list[Activity] = field(default_factory=list)
    cancelled: int = 0
    messages: list[Message] = field(default_factory=list)
    children: set[str] = field(default_factory=set)
    activity_ids: set[str] | None = None

    @property
    def wake(self) -> bool:
        """Whether the commands made a next workflow task necessary."""
        return self.cancelled > 0

    def target(self, namespace: str, own_id: str) -> Target:
        """The namespace a command names; the run's own one, whose id is given, when it names none."""
        if namespace in ("", self.namespace):
            return Target(own_id, self.namespace, self.search_attribute_types)
        return self.targets[namespace]
