"""The database connections that the threads of this process hold."""

import threading
import weakref
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

_lock = threading.Lock()
_seen: "weakref.WeakSet[BaseDatabaseWrapper]" = weakref.WeakSet()


def watch_connections() -> None:
    """Begins to count; to be called before any connection is opened."""
    connection_created.connect(_note)


def held_connections(alias: str) -> int:
    """How many connections of a Django alias are open; one that a thread took with it into its end is not."""
    with _lock:
        return sum(each.alias == alias and each.connection is not None for each in _seen)


def _note(*, connection: BaseDatabaseWrapper, **_: Any) -> None:
    with _lock:
        _seen.add(connection)
