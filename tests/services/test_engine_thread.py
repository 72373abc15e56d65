"""An engine in a thread: it starts and ends with its owner, and its owner hears when it dies."""

import asyncio
import threading
from functools import partial

import pytest

from orchestrator.services import current
from orchestrator.services.composition import engine_of_process
from orchestrator.services.engine import Engine
from orchestrator.services.engine_thread import EngineThread


def running() -> bool:
    """Whether there is such a thread."""
    return any(each.name == "hugo-engine" for each in threading.enumerate())


def test_engine_runs_until_it_is_stopped(default_database: str) -> None:
    died = threading.Event()
    thread = EngineThread(partial(engine_of_process, "dev"), died.set, 10.0)
    thread.start()
    engine = current.current_engine()
    future = asyncio.run_coroutine_threadsafe(engine.namespace("default"), engine._loop)  # type: ignore[arg-type]
    assert future.result(30).name == "default"
    thread.stop()
    assert not running()
    assert not died.is_set()


def test_engine_that_cannot_start_says_so_to_its_owner() -> None:
    def fail() -> Engine:
        raise LookupError("no database")

    died = threading.Event()
    thread = EngineThread(fail, died.set, 10.0)
    with pytest.raises(LookupError, match="no database"):
        thread.start()
    thread.stop()
    assert not died.is_set()


def test_death_of_the_engine_is_told(default_database: str, caplog: pytest.LogCaptureFixture) -> None:
    died = threading.Event()
    thread = EngineThread(partial(engine_of_process, "dev"), died.set, 10.0)
    thread.start()
    loop = current.current_engine()._loop
    assert loop is not None
    loop.call_soon_threadsafe(loop.stop)
    assert died.wait(30)
    assert "the engine of this process has died" in caplog.text
    thread.stop()
