"""The engine of this process, for callers that are not handed one: REST, admin, a site's own code.

In a server process it is the running one, so what they commit goes straight to waiting polls. Anywhere else it is one
that was never started: it applies changes inside the caller's transaction and hands nothing over. Rows are the truth,
and a server finds the tasks in them.
"""

import os
import threading
from collections.abc import Sequence
from typing import Any

from django.conf import settings as django_settings
from django.core.signals import setting_changed

from orchestrator.conf import hugo_settings
from orchestrator.services.composition import build_engine
from orchestrator.services.engine import Engine

_lock = threading.Lock()
_running: Engine | None = None
_detached: Engine | None = None


def current_engine() -> Engine:
    """The running engine of this process, or one that was never started.

    Raises:
        SchemaMismatch: the database was made for another version or other settings.
    """
    global _detached
    engine = _running
    if engine is not None:
        return engine
    with _lock:
        if _detached is None:
            _detached = _build_detached()
        return _detached


def set_running(engine: Engine) -> None:
    """Tells of an engine that has started."""
    global _running
    _running = engine


def clear_running(engine: Engine) -> None:
    """Tells that an engine stops; another one that started since then stays."""
    global _running
    if _running is engine:
        _running = None


def hint(queue: str, shards: Sequence[int]) -> None:
    """Tells the running engine, from any thread, that a queue of some shards is worth a look; of all, if none is named.

    Where no engine runs nothing happens: whoever owns the shards looks by itself before long.
    """
    engine = _running
    if engine is not None:
        engine.hinted(queue, shards)


def forget_detached() -> None:
    """Drops the engine that was never started; the next caller gets a new one, by the settings then in force."""
    global _detached, _lock
    _detached = None
    _lock = threading.Lock()


def _build_detached() -> Engine:
    engine = build_engine(hugo_settings(), django_settings.SECRET_KEY, role="site")
    # It has no polls: a note of a task would stay in memory for ever.
    engine.unit_of_work.dispatcher = None
    return engine


def _forget_all() -> None:
    """In the child of a fork: no thread of its parent is there, so what runs there does not run here."""
    global _running
    _running = None
    forget_detached()


def _changed(*, setting: str, **_: Any) -> None:
    if setting in ("HUGO", "DATABASES", "SECRET_KEY"):
        forget_detached()


setting_changed.connect(_changed)
# A child of a fork must neither wait for a lock of its parent nor share what the engine holds.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
