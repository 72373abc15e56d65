"""Connections to PostgreSQL that break: a proxy loses requests and answers, sessions are ended, the server restarts."""

from collections.abc import Iterator
from functools import partial

import psycopg
import pytest
from django.db import connections
from pytest_django import DjangoDbBlocker

from orchestrator.errors import Unavailable
from orchestrator.models import DispatchTask
from orchestrator.services.bootstrap import check_database
from orchestrator.store import lane
from orchestrator.store.ports import RunKey
from orchestrator.store.postgres import PostgresStore
from tests.store import consistency
from tests.store.faults import FaultyPostgres
from tests.store.process import ALIAS, Process, until
from tests.store.rows import TABLES
from tests.support.databases import Databases, alias, migrate
from tests.support.proxy import Cut, Proxy
from tests.support.restartable import Restartable, restartable
from tests.support.servers import PostgreSQL

OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
END_OTHERS = f"SELECT pg_terminate_backend(pid, 10000) {OTHERS}"
NOBODY = RunKey(1, "00000000-0000-4000-8000-000000000000")
WAITING = f"SELECT count(*) {OTHERS} AND wait_event_type = 'Lock'"


@pytest.fixture(scope="module")
def url(databases: Databases, postgres_server: str) -> Iterator[str]:
    """A database that the tests of this module use one after the other."""
    made = databases.postgres()
    yield made
    databases.drop(made)


@pytest.fixture
def proxy(url: str) -> Iterator[Proxy]:
    """The way from the server process to its database."""
    with Proxy(url) as running:
        yield running


@pytest.fixture
def store(proxy: Proxy, django_db_blocker: DjangoDbBlocker) -> Iterator[FaultyPostgres]:
    """The store over the proxy, with no runs in it."""
    with django_db_blocker.unblock(), alias(proxy.url, ALIAS):
        for model in TABLES:
            model._default_manager.all().delete()
        yield FaultyPostgres(ALIAS, check_database(ALIAS).shard_count)


@pytest.fixture
def process(store: FaultyPostgres) -> Iterator[Process]:
    """The server process; in the end all is well with it."""
    with Process(store) as running:
        yield running
        running.do(running.start("afterwards"))
        running.do(running.signal("afterwards"))
        consistency.check_database()
        consistency.check_memory(running)


@pytest.fixture
def admin(url: str) -> Iterator["psycopg.Connection[tuple[int, ...]]"]:
    """A session of somebody else, past the proxy."""
    with psycopg.connect(url, autocommit=True) as client:
        yield client


def arm(proxy: Proxy, store: FaultyPostgres, cut: Cut) -> None:
    """The next commit is cut."""
    store.before_write = partial(proxy.arm, cut)


@pytest.mark.parametrize("cut", list(Cut), ids=lambda cut: cut.name.lower())
def test_a_cut_commit_is_applied_once(process: Process, store: FaultyPostgres, proxy: Proxy, cut: Cut) -> None:
    process.do(process.start("w"))
    polling = process.begin_poll("other")
    arm(proxy, store, cut)
    results = process.together(process.signal("w", "a"), process.start("v", "other"), process.signal("w", "b"))
    assert [result for result in results if isinstance(result, BaseException)] == []
    assert (proxy.cuts, store.asked) == (1, 1)
    assert process.engine.unit_of_work.counters.retried == (cut is not Cut.ANSWER)
    assert polling.result(30).workflow_execution.workflow_id == "v"
    assert consistency.signals("w") == ["a", "b"]
    assert consistency.event_types("v").count("workflow_task_started") == 1


@pytest.mark.parametrize("first", [True, False], ids=["unprepared", "prepared"])
def test_a_first_run_is_started_once(process: Process, store: FaultyPostgres, proxy: Proxy, first: bool) -> None:
    if not first:
        process.do(process.start("before"))
    for index, cut in enumerate(Cut):
        arm(proxy, store, cut)
        process.do(process.start(f"w-{index}"))
    assert proxy.cuts == len(Cut)


def test_a_commit_that_arrives_after_the_question_is_not_applied(
    process: Process, store: FaultyPostgres, proxy: Proxy
) -> None:
    """The statement waits in the network while its writer, cut off, asks, hears "no" and is about to repeat it."""
    process.do(process.start("w"))

    def deliver() -> None:
        proxy.release()
        assert proxy.delivered.wait(30)

    arm(proxy, store, Cut.LATE)
    store.after_asking = deliver
    process.do(process.signal("w", "once"))
    assert consistency.signals("w") == ["once"]


@pytest.mark.parametrize("cut", [Cut.REQUEST, Cut.ANSWER], ids=["request", "answer"])
def test_a_stored_task_is_started_once(process: Process, store: FaultyPostgres, proxy: Proxy, cut: Cut) -> None:
    process.do(process.start("w"))
    arm(proxy, store, cut)
    polled = process.poll()
    process.complete(polled.task_token)
    assert consistency.event_types("w").count("workflow_task_started") == 1
    assert not DispatchTask.objects.exists()


def test_ended_sessions_are_replaced(process: Process, admin: "psycopg.Connection[tuple[int, ...]]") -> None:
    """Of the committing thread, and of the threads that read: timers, stored tasks, histories."""
    process.do(process.start("w"))
    for attempt in range(3):
        admin.execute(END_OTHERS)
        process.do(process.signal("w", str(attempt)))
        admin.execute(END_OTHERS)
        reads = [
            partial(process.engine.store.due, 2**62, 10),
            partial(process.engine.store.waiting_tasks, process.namespace.id, "orders", 1, 10),
            partial(process.engine.store.stored_queues, [(process.namespace.id, "orders", 1)]),
            partial(process.engine.store.read_nodes, NOBODY, 1, 10),
            partial(process.engine.store.read_nodes_backwards, NOBODY, 10, 10),
            partial(process.engine.store.transfers, 2**62, 10),
        ]
        for read in reads:
            process.run(process.engine.run_db(read))
    connections[ALIAS].close()
    assert consistency.signals("w") == ["0", "1", "2"]
    assert process.poll().workflow_execution.workflow_id == "w"


def test_a_session_ended_while_it_commits(
    process: Process, url: str, admin: "psycopg.Connection[tuple[int, ...]]"
) -> None:
    process.do(process.start("w"))
    with psycopg.connect(url) as holder:
        holder.execute("SELECT 1 FROM execution FOR UPDATE")
        running = process.begin(process.engine.execute(process.signal("w", "once")))
        until(lambda: admin.execute(WAITING).fetchone() == (1,))
        admin.execute(f"SELECT pg_terminate_backend(pid, 10000) {OTHERS} AND wait_event_type = 'Lock'")
    running.result(30)
    connections[ALIAS].close()
    assert consistency.signals("w") == ["once"]


@pytest.fixture
def own_server(postgres_server: str) -> Iterator[Restartable]:
    """A server with a migrated database; the other fixture says whether there are servers at all."""
    with restartable(PostgreSQL) as running:
        migrate(running.url)
        yield running


def test_a_server_that_restarts(
    own_server: Restartable, django_db_blocker: DjangoDbBlocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "LONGEST_PAUSE", 0.05)
    with django_db_blocker.unblock(), alias(own_server.url, ALIAS):
        store = PostgresStore(ALIAS, check_database(ALIAS).shard_count)
        with Process(store, lanes=2) as process:
            process.do(process.start("w"))
            polling = process.begin_poll("other")
            own_server.stop()
            counters = process.engine.unit_of_work.counters
            running = process.begin_together(process.signal("w", "held"), process.start("v", "other"))
            until(lambda: counters.retried > 2)
            own_server.start()
            until(own_server.server.answers)
            assert [result for result in running.result(30) if isinstance(result, BaseException)] == []
            assert polling.result(30).workflow_execution.workflow_id == "v"

            own_server.stop()
            monkeypatch.setattr(lane, "PATIENCE", 0.0)
            with pytest.raises(Unavailable):
                process.do(process.signal("w", "lost"))
            with pytest.raises(Unavailable):
                process.run(process.engine.run_db(store.due, 0, 1))
            own_server.start()
            until(own_server.server.answers)
            connections[ALIAS].close()
            process.do(process.signal("w", "after"))
            assert consistency.signals("w") == ["held", "after"]
            assert process.poll().workflow_execution.workflow_id == "w"
            consistency.check_database()
            consistency.check_memory(process)
