"""The workflow task a list of commands came with."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from temporalio.api.protocol.v1 import Message

from orchestrator.core.state import Activity


@dataclass(slots=True)
class Completion:
    """The workflow task a list of commands came with.

    Attributes:
        event_id: of its COMPLETED event.
        identity: of the worker.
        namespace: its name, for texts.
        search_attribute_types: the namespace's own attributes, by name.
        allow_eager: whether activities that ask for it are started here and now.
        eager: the activities to start so.
        messages: what the worker says of updates; those a command stands for are taken out by it.
        cancelled: how many activities no worker had were cancelled; each left an event in the buffer.
    """

    event_id: int
    identity: str
    namespace: str
    search_attribute_types: Mapping[str, int]
    allow_eager: bool = True
    eager: list[Activity] = field(default_factory=list)
    cancelled: int = 0
    messages: list[Message] = field(default_factory=list)

    @property
    def wake(self) -> bool:
        """Whether the commands made a next workflow task necessary."""
        return self.cancelled > 0
