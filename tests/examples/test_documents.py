"""The programs in README.md and in the tutorial do what the text says."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.databases import ROOT
from tests.support.processes import dying_with_parent
from tests.support.server import Server

ADDRESS = "127.0.0.1:7233"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server."""
    with Server(tmp_path_factory.mktemp("documents")) as running:
        yield running


def program(document: str, server: Server, directory: Path) -> Path:
    """The Python program of a document, for this server."""
    blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / document).read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1
    assert ADDRESS in blocks[0]
    path = directory / "program.py"
    path.write_text(blocks[0].replace(ADDRESS, server.grpc))
    return path


def start(path: Path, *arguments: str) -> subprocess.Popen[str]:
    """Starts it as the document says."""
    return subprocess.Popen(
        dying_with_parent([sys.executable, "-u", path.name, *arguments]),
        cwd=path.parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )


def printed(path: Path, *arguments: str) -> str:
    """What it prints until it ends."""
    return start(path, *arguments).communicate(timeout=60)[0]


def test_greeting_of_the_readme(server: Server, tmp_path: Path) -> None:
    path = program("README.md", server, tmp_path)
    assert printed(path) == "Hello, World!\n"
    assert printed(path) == "Hello, World!\n"


@pytest.mark.slow
def test_signup_of_the_tutorial(server: Server, tmp_path: Path) -> None:
    path = program("docs/tutorial/first-workflow.md", server, tmp_path)
    worker = start(path, "worker")
    try:
        assert worker.stdout is not None
        printed(path, "start", "ada@example.com")
        assert worker.stdout.readline() == "to ada@example.com: please confirm your address\n"
        assert printed(path, "status", "ada@example.com") == "0 reminders so far\n"
        assert worker.stdout.readline() == "to ada@example.com: reminder 1: please confirm your address\n"
        worker.kill()
        worker.communicate()
        server.kill()
        address = server.grpc
        server.start()
        path.write_text(path.read_text().replace(address, server.grpc))
        worker = start(path, "worker")
        assert printed(path, "confirm", "ada@example.com") == "ada@example.com has joined after 1 reminders\n"
    finally:
        worker.kill()
        worker.communicate()
