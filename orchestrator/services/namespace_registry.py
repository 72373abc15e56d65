"""The namespaces as every call needs them: by name, from memory."""

import dataclasses
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from types import MappingProxyType

from temporalio.api.enums.v1 import NamespaceState

from orchestrator.conf import hugo_settings
from orchestrator.errors import InvalidArgument, NamespaceInvalidState, NamespaceNotFound
from orchestrator.models import Namespace
from orchestrator.services.peers import Message

LIFETIME = 5.0


class NamespaceChanged(Message, frozen=True):
    """A namespace or its search attributes were changed."""

    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class NamespaceEntry:
    """What the server has to know about a namespace to serve a call.

    Attributes:
        id: a dashed UUID.
        name: its unique name.
        state: a number of temporal.api.enums.v1.NamespaceState.
        retention_ns: nanoseconds a closed execution is kept.
        search_attributes: the custom ones, name to number of temporal.api.enums.v1.IndexedValueType.
    """

    id: str
    name: str
    state: NamespaceState.ValueType
    retention_ns: int
    search_attributes: Mapping[str, int]

    def require(self, *allowed: NamespaceState.ValueType) -> None:
        """Raises NamespaceInvalidState unless the state is one of `allowed`."""
        if self.state not in allowed:
            raise NamespaceInvalidState(self.name, self.state, list(allowed))


class NamespaceRegistry:
    """A cache of namespaces, shared by the threads of a process.

    Changes are seen at once, because the services that make them call `invalidate`, which is told to the other
    processes too. In case that is lost, an entry lives for a few seconds only.

    Args:
        clock: seconds, never going back.
        lifetime: seconds an entry is used.
        tell_all: tells other processes.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        lifetime: float = LIFETIME,
        tell_all: Callable[[Message], None] = lambda message: None,
    ) -> None:
        self._clock = clock
        self._lifetime = lifetime
        self._tell_all = tell_all
        self._lock = threading.Lock()
        self._entries: dict[str, tuple[float, NamespaceEntry]] = {}
        self._names: dict[str, str] = {}

    def cached(self, name: str) -> NamespaceEntry | None:
        """The namespace if memory has it; never waits, never reads the database."""
        found = self._entries.get(name)
        return found[1] if found is not None and found[0] > self._clock() else None

    def load(self, name: str) -> NamespaceEntry:
        """The namespace, from memory or from the database.

        Raises:
            InvalidArgument: the name is empty.
            NamespaceNotFound: there is no such namespace.
        """
        if not name:
            raise InvalidArgument("Namespace is empty.")
        # The lock makes one thread read for all that miss at once, and keeps a row read before a change from being
        # stored after the change was announced.
        with self._lock:
            return self.cached(name) or self._read(name, name=name)

    def by_id(self, id: str) -> NamespaceEntry:
        """The namespace of this id, from memory or from the database; raises NamespaceNotFound."""
        entry = self.cached_by_id(id)
        if entry is not None:
            return entry
        try:
            key = str(uuid.UUID(id))
        except ValueError:
            raise NamespaceNotFound(id) from None
        with self._lock:
            return self.cached_by_id(key) or self._read(id, id=key)

    def invalidate(self, name: str) -> None:
        """A namespace was changed here: every process forgets it, so that the next look-up reads the database."""
        self.forget(name)
        self._tell_all(NamespaceChanged(name))

    def forget(self, name: str) -> None:
        """Forgets a namespace; waits for a thread that is reading one."""
        with self._lock:
            self._forget(name)

    def cached_by_id(self, id: str) -> NamespaceEntry | None:
        """As `cached`, by id."""
        name = self._names.get(id)
        return self.cached(name) if name is not None else None

    def _read(self, wanted: str, **lookup: str) -> NamespaceEntry:
        row = None
        if "\0" not in wanted:  # PostgreSQL has no text with NUL and would fail the query.
            rows = Namespace.objects.using(hugo_settings().database).prefetch_related("search_attributes")
            row = rows.filter(**lookup).first()
        if row is None:
            if "name" in lookup:
                self._forget(wanted)
            raise NamespaceNotFound(wanted)
        attributes = {attribute.name: attribute.type for attribute in row.search_attributes.all()}
        state = NamespaceState.ValueType(row.state)
        entry = NamespaceEntry(str(row.id), row.name, state, row.retention, MappingProxyType(attributes))
        self._entries[row.name] = (self._clock() + self._lifetime, entry)
        self._names[entry.id] = row.name
        return entry

    def _forget(self, name: str) -> None:
        found = self._entries.pop(name, None)
        if found is not None:
            self._names.pop(found[1].id, None)
