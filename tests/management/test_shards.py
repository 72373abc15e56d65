"""`hugo shard`: who owns which shard, what waits in one, and moving shards, through the command line."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import DjangoDbBlocker

from orchestrator.services.composition import store_of
from orchestrator.services.shard_assignment import assign
from orchestrator.store.members import Identity
from orchestrator.store.members_sql import SqlClusterStore
from tests.management.command import environment
from tests.services.leased_members import Member, shared
from tests.store.process import ALIAS, until
from tests.store.rows import creation, run_key, transfer
from tests.support.databases import ROOT, Databases, alias

LONG = 3600 * 10**9
SHARDS = 512


@pytest.fixture(scope="module")
def url(databases: Databases, postgres_server: str, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """A database in place of the default one, that the tests of this module use one after the other."""
    made = databases.postgres()
    with django_db_blocker.unblock(), alias(made, ALIAS):
        yield made
    databases.drop(made)


@pytest.fixture
def members(url: str) -> Iterator[SqlClusterStore]:
    """Two members that own shards, a frontend, and one that has died."""
    store = SqlClusterStore(ALIAS)
    for role, name in (("worker", "worker-a"), ("worker", "worker-b"), ("frontend", "frontend-f")):
        store.join(Identity(name, role, "host", 1, "0.1.0", role == "worker"), LONG)
    store.join(Identity("worker-dead", "worker", "host", 1, "0.1.0", True), -1)
    store.claim("worker-dead", range(1, SHARDS + 1))
    due = assign(range(1, SHARDS + 1), ["worker-a", "worker-b"])
    for shard in range(3, 20):
        store.claim(due[shard], [shard])
    yield store
    for name in ("worker-a", "worker-b", "frontend-f", "worker-dead"):
        store.leave(name)


def hugo(url: str | None, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs `hugo shard` to its end."""
    return subprocess.run(
        [sys.executable, "manage.py", "hugo", "shard", *arguments],
        cwd=ROOT,
        env=environment(url, {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def said(url: str, *arguments: str) -> str:
    done = hugo(url, *arguments)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def answer(url: str, *arguments: str) -> Any:
    return json.loads(said(url, *arguments, "--json"))


def refused(url: str | None, *arguments: str) -> str:
    """The sentence of a refusal."""
    done = hugo(url, *arguments)
    assert (done.returncode, done.stdout) == (2, ""), done
    return done.stderr.strip()


def test_the_owners_of_all_shards(members: SqlClusterStore, url: str) -> None:
    found = answer(url, "list")
    due = assign(range(1, SHARDS + 1), ["worker-a", "worker-b"])
    assert [each["shard"] for each in found] == list(range(1, SHARDS + 1))
    assert found[0] | {"range_id": 0} == {
        "shard": 1,
        "owner": "worker-dead",
        "live": False,
        "range_id": 0,
        "due": due[1],
        "moved": False,
    }
    assert (found[5]["owner"], found[5]["live"]) == (due[6], True)
    lines = said(url, "list").splitlines()
    assert lines[0].split() == ["SHARD", "RANGE", "OWNER"]
    assert lines[1].split()[2:] == ["worker-dead", "dead"]
    assert lines[6].split()[2:] == [due[6]]
    some = said(url, "list", "--owner", "worker-dead").splitlines()
    assert len(some) == 1 + sum(each["owner"] == "worker-dead" for each in found)


def test_what_waits_in_a_shard(members: SqlClusterStore, url: str) -> None:
    run = run_key(7)
    changes = creation(run)
    changes.transfers.append(transfer(run, 5))
    store = store_of(ALIAS, SHARDS)
    with store.transaction() as session:
        session.write(changes)
    found = answer(url, "describe", "7")
    assert (found["runs"], found["timers"], found["debts"]) == (1, 1, 1)
    assert found["next_timer_s"] < 0 < found["oldest_debt_s"]
    lines = dict(line.split(maxsplit=1) for line in said(url, "describe", "7").splitlines())
    assert lines["owner"] == found["owner"]
    assert lines["timers"].startswith("1, the next in -")
    assert answer(url, "describe", "8")["next_timer_s"] is None


def test_what_cannot_be_moved_is_said(members: SqlClusterStore, url: str) -> None:
    assert refused(url, "describe", "513") == "hugo: There is no shard 513: this database has 512, from 1 to 512."
    assert refused(url, "move", "5", "600", "--to", "worker-a").startswith("hugo: There is no shard 600:")
    both = "worker-a, worker-b"
    assert refused(url, "move", "5", "--to", "nobody") == (
        f"hugo: No live member is called nobody; those that own shards: {both}."
    )
    assert refused(url, "move", "5", "--to", "worker-dead").startswith("hugo: No live member is called worker-dead;")
    assert refused(url, "move", "5", "--to", "worker-") == (
        f"hugo: worker- may be any of {both}: say more of its name."
    )
    assert refused(url, "move", "5", "--to", "front").startswith(
        "hugo: front owns no shards, it is there for calls only;"
    )
    assert "Say where the shards go: --to MEMBER, or --back." in refused(url, "move", "5")
    assert "Say where the shards go" in refused(url, "move", "5", "--back", "--to", "worker-a")


def test_a_move_is_noted_for_whoever_lives(members: SqlClusterStore, url: str) -> None:
    assert said(url, "move", "5", "6", "--to", "worker-b", "--no-wait") == "2 shards: moved to worker-b.\n"
    found = {each["shard"]: each for each in answer(url, "list")}
    assert [(found[shard]["due"], found[shard]["moved"]) for shard in (5, 6)] == [("worker-b", True)] * 2
    assert said(url, "move", "5", "--back", "--no-wait") == "Shard 5: back with whoever is due.\n"
    assert not answer(url, "describe", "5")["moved"]


def test_a_sqlite_file_has_nothing_to_move(sqlite_url: str) -> None:
    assert refused(sqlite_url, "list").startswith("hugo: A SQLite file (")


def test_a_move_takes_place(url: str) -> None:
    with Member(url) as first, Member(url) as second:
        until(lambda: shared(first, second), "two shares")
        shard = str(second.owned()[0])
        assert said(url, "move", shard, "--to", first.name) == f"Shard {shard}: moved to {first.name}.\n"
        assert int(shard) in first.owned()
        assert int(shard) not in second.owned()
        assert answer(url, "describe", shard)["owner"] == first.name
        assert said(url, "move", shard, "--back") == f"Shard {shard}: back with whoever is due.\n"
        assert int(shard) in second.owned()
