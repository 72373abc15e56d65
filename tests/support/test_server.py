"""The runner of our servers: it waits for READY, says why there was none, and can start again on the same data."""

import signal
import sys
from pathlib import Path

import pytest

from tests.support.server import Server, StartError

SERVING = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("a line before", flush=True)
print(f"READY grpc=127.0.0.1:{os.getpid()} http=127.0.0.1:2", flush=True)
time.sleep(60)
"""


class Script(Server):
    """A stand-in for `hugo dev`."""

    def command(self) -> list[str]:
        return [sys.executable, "-c", *self.arguments]


def test_addresses_are_read_and_sigterm_drains(tmp_path: Path) -> None:
    with Script(tmp_path, arguments=(SERVING,)) as server:
        assert server.process is not None
        assert server.grpc == f"127.0.0.1:{server.process.pid}"
        assert server.http == "127.0.0.1:2"
        assert server.stop() == 0


def test_second_start_waits_for_its_own_ready(tmp_path: Path) -> None:
    server = Script(tmp_path, arguments=(SERVING,)).start()
    first = server.grpc
    server.kill()
    assert server.process is not None
    assert server.process.returncode == -signal.SIGKILL
    server.start()
    assert server.grpc != first
    assert server.stop() == 0


def test_an_early_end_shows_the_log(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"ended with status 3:\nno luck"):
        Script(tmp_path, arguments=("import sys; print('no luck'); sys.exit(3)",)).start()


def test_silence_is_bounded(tmp_path: Path) -> None:
    server = Script(tmp_path, arguments=("import time; time.sleep(60)",))
    with pytest.raises(StartError, match="was not ready after 0 s"):
        server.start(patience=0.3)
    assert server.process is not None
    assert server.process.poll() is not None
