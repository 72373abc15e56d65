"""`hugo dlq` and `hugo scavenge`: what they print, what they do, and what they refuse."""

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result
from pytest_django import DjangoDbBlocker

from orchestrator.core.transfers import TransferKind
from orchestrator.management.cli import hugo
from orchestrator.models import DeadLetter, DispatchTask, TimerTask, TransferTask
from orchestrator.services.current import forget_detached
from tests.services.paying import Paying
from tests.store.process import ALIAS
from tests.support.databases import alias


@pytest.fixture(autouse=True)
def _database(sqlite_url: str, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """A database of its own, without a server."""
    with django_db_blocker.unblock(), alias(sqlite_url, ALIAS):
        forget_detached()
        yield
        forget_detached()


@pytest.fixture
def letters() -> list[int]:
    """A dead wake-up and two dead debts of runs that nobody knows."""
    with Paying(pays=False) as process:
        namespace_id = process.namespace.id
    made = []
    for number, (queue, kind) in enumerate(
        [("timer", 0), ("transfer", TransferKind.CLOSE), ("transfer", TransferKind.START_CHILD)]
    ):
        letter = DeadLetter.objects.create(
            shard_id=number + 1,
            queue=queue,
            namespace_id=namespace_id,
            workflow_id=f"order-{number}",
            run_id=f"00000000-0000-0000-0000-00000000000{number}",
            kind=kind,
            payload={"fire_time": 7} if queue == "timer" else {"created_time": 7},
            error=f"ValueError: number {number}\n\nTraceback of {number}\n",
            attempts=12,
            first_failure=10**18,
            last_failure=10**18 + 10**9,
        )
        made.append(letter.id)
    return made


def run(*arguments: str, answer: str = "") -> Result:
    """A command line."""
    return CliRunner().invoke(hugo, arguments, input=answer)


def test_the_list_has_a_line_for_each(letters: list[int]) -> None:
    lines = run("dlq", "list").output.splitlines()
    assert lines[0].split() == ["ID", "QUEUE", "KIND", "WORKFLOW", "ATTEMPTS", "LAST", "FAILURE", "ERROR"]
    assert lines[1].split() == [
        str(letters[2]),
        *("transfer", "start-child", "order-2", "12", "2001-09-09T01:46:41Z", "ValueError:", "number", "2"),
    ]
    assert lines[3].split()[1:4] == ["timer", "wake-up", "order-0"]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (("--queue", "timer"), [0]),
        (("--kind", "close"), [1]),
        (("--namespace", "default"), [2, 1, 0]),
        (("--workflow-id", "order-1"), [1]),
        (("--run-id", "00000000-0000-0000-0000-000000000002"), [2]),
        (("--shard", "1"), [0]),
        (("--error", "number 2"), [2]),
        (("--queue", "transfer", "--shard", "1"), []),
        (("--limit", "1"), [2]),
    ],
)
def test_options_choose_letters(letters: list[int], options: tuple[str, ...], found: list[int]) -> None:
    shown = json.loads(run("dlq", "list", "--json", *options).output)
    assert [each["id"] for each in shown] == [letters[number] for number in found]


def test_one_is_shown_with_its_trace(letters: list[int]) -> None:
    said = run("dlq", "show", str(letters[1])).output
    assert "workflow_id    order-1\n" in said
    assert said.endswith("\nValueError: number 1\n\nTraceback of 1\n")
    described = json.loads(run("dlq", "show", "--json", str(letters[1])).output)
    assert (described["namespace"], described["kind"], described["payload"]) == (
        "default",
        "close",
        {"created_time": 7},
    )


def test_redriven_work_waits_where_it_did(letters: list[int]) -> None:
    assert run("dlq", "redrive", str(letters[0]), str(letters[1])).output == "2 redriven.\n"
    assert TimerTask.objects.get().workflow_id == "order-0"
    assert TransferTask.objects.get().workflow_id == "order-1"
    assert run("dlq", "redrive", "--all").output == "1 redriven.\n"
    assert not DeadLetter.objects.exists()


def test_what_is_deleted_is_asked_for(letters: list[int]) -> None:
    assert run("dlq", "delete", "--queue", "transfer", answer="n\n").exit_code == 1
    assert DeadLetter.objects.count() == 3
    assert run("dlq", "delete", "--queue", "transfer", answer="y\n").output.endswith("2 deleted.\n")
    assert run("dlq", "delete", "--all", "--yes").output == "1 deleted.\n"


@pytest.mark.parametrize("arguments", [(), ("1", "--all"), ("1", "--queue", "timer"), ("--all", "--shard", "2")])
def test_all_letters_are_meant_only_when_that_is_said(letters: list[int], arguments: tuple[str, ...]) -> None:
    done = run("dlq", "redrive", *arguments)
    assert done.exit_code == 2
    assert "Name the letters by their ids, or choose them with options, or say --all." in done.output
    assert DeadLetter.objects.count() == 3


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("show", "99"), "There is no dead letter 99: `manage.py hugo dlq list` shows those there are."),
        (("redrive", "99"), "There is no dead letter 99: `manage.py hugo dlq list` shows those there are."),
        (("list", "--namespace", "x"), "There is no namespace x: known are default."),
    ],
)
def test_what_does_not_exist_is_refused(letters: list[int], arguments: tuple[str, ...], sentence: str) -> None:
    done = run("dlq", *arguments)
    assert (done.exit_code, done.output) == (2, f"hugo: {sentence}\n")


def test_scavenge_mends_and_says_what() -> None:
    with Paying(pays=False) as process:
        run_id = process.begin_workflow("order")
    assert run("scavenge").output == "Runs looked at: 1, in 1 shards with any.\nNothing is damaged.\n"
    DispatchTask.objects.all().delete()
    shard = process.engine.key(process.namespace, "order").shard_id
    dry = run("scavenge", "--dry-run", "--json")
    assert dry.exit_code == 1
    assert json.loads(dry.output) == {
        "shards": 1,
        "runs": 1,
        "found": {"lost task": 1},
        "mended": {},
        "damaged": [{"shard": shard, "workflow_id": "order", "run_id": run_id, "damage": ["lost task"]}],
    }
    done = run("scavenge", "--shard", str(shard))
    assert done.exit_code == 0
    assert done.output.splitlines()[1:] == [
        "DAMAGE     FOUND  MENDED",
        "lost task  1      1",
        f"shard {shard}: order {run_id}: lost task",
    ]
    assert DispatchTask.objects.count() == 1


def test_a_shard_that_does_not_exist_is_refused() -> None:
    done = run("scavenge", "--shard", "999")
    assert (done.exit_code, done.output) == (
        2,
        "hugo: There is no shard 999: this database has the shards 1 to 4.\n",
    )
