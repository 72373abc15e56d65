"""The programs of `go/`, `java/` and `typescript/`: workers and clients of unmodified SDKs against servers of ours.

`make test-sdks` runs them; they are not among the tests of `make test`, because they need the tools of their languages.
A program is built when one of its sources is newer than its last build. It is given the address of a server and prints
a line for each of its cases.
"""

import fcntl
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from tests.functional.conftest import new_database
from tests.functional.stored import check_stored
from tests.support.databases import Databases
from tests.support.processes import dying_with_parent
from tests.support.server import Server

HERE = Path(__file__).resolve().parent
PRODUCTS = frozenset({"build", "node_modules"})
BUILD_PATIENCE = 900
RUN_PATIENCE = 300
CASES = frozenset(
    {
        "activity-failure",
        "activity-retry",
        "already-started",
        "async-completion",
        "cancel",
        "child-workflow",
        "continue-as-new",
        "cron",
        "external-workflow",
        "hello",
        "local-activity",
        "long-local-activity",
        "query",
        "replay",
        "signal",
        "signal-with-start",
        "terminate",
        "timer",
        "update",
        "update-with-start",
        "versioning",
        "visibility",
        "workflow-retry",
    }
)

pytestmark = pytest.mark.timeout(BUILD_PATIENCE + RUN_PATIENCE)


@dataclass(frozen=True)
class Program:
    """The program of one SDK; its commands are run in its directory, which they are relative to.

    Attributes:
        name: of the directory.
        build: commands that build it.
        run: the command that runs it; the address of the server follows.
        cases: what it must report.
    """

    name: str
    build: Sequence[Sequence[str]]
    run: Sequence[str]
    cases: frozenset[str] = CASES

    @property
    def directory(self) -> Path:
        """Where its sources are."""
        return HERE / self.name

    def ensure_built(self) -> None:
        """Builds it unless it was built since its sources last changed, or while somebody else did."""
        products = self.directory / "build"
        products.mkdir(exist_ok=True)
        built = products / ".built"
        with (products / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if built.exists() and built.stat().st_mtime > max(path.stat().st_mtime for path in self._sources()):
                return
            for command in self.build:
                done = self._execute(command, BUILD_PATIENCE)
                assert done.returncode == 0, f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}"
            built.touch()

    def results(self, address: str) -> dict[str, str]:
        """Runs it against a server; what became of each case: `ok`, or why it failed."""
        done = self._execute([*self.run, address], RUN_PATIENCE)
        print(done.stdout, done.stderr)
        lines = [line.partition(" ") for line in done.stdout.splitlines()]
        passed = {rest: "ok" for word, _, rest in lines if word == "ok"}
        failed = {name: why for word, _, rest in lines if word == "FAILED" for name, _, why in [rest.partition(": ")]}
        assert done.returncode == (1 if failed else 0)
        return passed | failed

    def _sources(self) -> Iterator[Path]:
        for path in self.directory.rglob("*"):
            if not PRODUCTS.intersection(path.relative_to(self.directory).parts):
                yield path

    def _execute(self, command: Sequence[str], patience: float) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            dying_with_parent(command),
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=patience,
            check=False,
        )


PROGRAMS = [
    Program(
        "go",
        build=[["go", "build", "-buildvcs=false", "-o", "build/cases", "."]],
        run=["build/cases"],
        cases=CASES | {"session"},
    ),
    Program(
        "java",
        build=[["mvn", "-q", "-B", "compile"]],
        run=["java", "-cp", "build/classes:build/libraries/*", "hugo.functional.Main"],
    ),
    Program(
        "typescript",
        build=[["npm", "ci"], ["npm", "run", "build"]],
        run=["node", "build/main.js"],
    ),
]


@pytest.fixture(scope="session", params=PROGRAMS, ids=lambda each: each.name)
def program(request: pytest.FixtureRequest) -> Program:
    """The program of one SDK, built."""
    each: Program = request.param
    each.ensure_built()
    return each


@pytest.fixture(scope="session", params=[("sqlite", "envoy"), ("postgres", "aio")], ids="-".join)
def server(
    request: pytest.FixtureRequest,
    databases: Databases,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Server]:
    """A running server; between the two of them, two databases and both transports."""
    kind, transport = request.param
    url = new_database(databases, request, kind)
    with Server(tmp_path_factory.mktemp(kind), url, ("--transport", transport)) as running:
        yield running
    with django_db_blocker.unblock():
        check_stored(url)
    databases.drop(url)


def test_every_case_passes(program: Program, server: Server) -> None:
    assert program.results(server.grpc) == dict.fromkeys(program.cases, "ok")
