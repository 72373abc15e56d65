"""A Celery worker of the hugo.* queues is a process of the cluster, with an engine beside its pool."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster import Cluster
from tests.support.databases import Databases


@pytest.fixture
def cluster(tmp_path: Path, postgres_url: str, redis_server: str) -> Iterator[Cluster]:
    """Makes processes over a fresh database."""
    with Cluster(tmp_path, postgres_url, redis_server) as made:
        yield made


@pytest.mark.parametrize("pool", ["solo", "threads", "prefork"])
def test_warm_shutdown_ends_the_engine(cluster: Cluster, pool: str) -> None:
    worker = cluster.worker("worker", "--pool", pool, "--concurrency", "1").start()
    assert worker.stop() == 0
    assert "engine" not in worker.printed
    assert "Traceback" not in worker.printed


def test_cold_shutdown_ends_it_too(cluster: Cluster) -> None:
    worker = cluster.worker("worker").start()
    assert worker.stop(signal.SIGQUIT) in (0, 1)
    assert "engine" not in worker.printed


def test_worker_serves_without_redis(tmp_path: Path, postgres_url: str) -> None:
    with Cluster(tmp_path, postgres_url, "redis://127.0.0.1:1/0") as cluster:
        worker = cluster.worker("worker").launch()
        worker.until("Cannot connect to redis")
        worker.until("Redis does not answer")
        assert worker.stop() == 0


def test_worker_of_other_queues_has_no_engine(tmp_path: Path, sqlite_url: str, redis_server: str) -> None:
    with Cluster(tmp_path, sqlite_url, redis_server) as cluster:
        worker = cluster.worker("worker", "-Q", "orders").start()
        assert worker.stop() == 0


def test_sqlite_is_refused(tmp_path: Path, sqlite_url: str, redis_server: str) -> None:
    with Cluster(tmp_path, sqlite_url, redis_server) as cluster:
        worker = cluster.worker("worker").launch()
        assert worker.wait() == 2
        assert worker.printed.rstrip().endswith(
            ") is for the one process of `manage.py hugo dev`: set DATABASE_URL to a PostgreSQL, MySQL or MariaDB "
            "database, which the processes of a cluster share."
        )


def test_database_that_is_not_migrated_is_refused(
    tmp_path: Path, databases: Databases, postgres_server: str, redis_server: str
) -> None:
    url = databases.empty_postgres()
    with Cluster(tmp_path, url, redis_server) as cluster:
        worker = cluster.worker("worker").launch()
        assert worker.wait() == 2
        assert "The database lacks migrations (0001_initial, " in worker.printed
        assert worker.printed.rstrip().endswith(": run `manage.py migrate`.")
    databases.drop(url)


def test_greenlets_are_refused(tmp_path: Path, postgres_url: str, redis_server: str) -> None:
    green = {"CELERY_CUSTOM_WORKER_POOL": "tests.support.green_pool:GreenPool"}
    with Cluster(tmp_path, postgres_url, redis_server, green) as cluster:
        worker = cluster.worker("worker", "--pool", "custom").launch()
        assert worker.wait() == 2
        assert "use --pool prefork, threads or solo." in worker.printed


ENDING = """
import django
django.setup()
from celery.__main__ import main
from celery.signals import worker_ready
from orchestrator.worker import end_worker
worker_ready.connect(lambda **_: end_worker(), weak=False)
main()
"""


def test_dead_engine_ends_the_worker_with_a_status_that_says_so(cluster: Cluster) -> None:
    arguments = ("-A", "config", "worker", "-Q", "hugo.timer", "--pool", "solo")
    worker = cluster.process("worker", ["-W", "ignore", "-c", ENDING, *arguments], "")
    assert worker.launch().wait() == 1
    assert "Traceback" not in worker.printed
