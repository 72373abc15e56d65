"""The database fixtures give each test a migrated database of its own."""

import threading

import pytest
from django.contrib.auth.models import Group
from django.db import connection, connections

from tests.support.databases import Databases

SEEN: set[str] = set()


@pytest.mark.parametrize("turn", [1, 2])
def test_every_test_has_a_fresh_database(database_alias: str, database_url: str, turn: int) -> None:
    assert database_url not in SEEN
    SEEN.add(database_url)
    assert not Group.objects.using(database_alias).exists()
    Group.objects.using(database_alias).create(name="left behind")


def test_other_threads_see_what_was_committed(database_alias: str) -> None:
    seen: list[int] = []

    def count() -> None:
        try:
            seen.append(Group.objects.using(database_alias).count())
        finally:
            connections[database_alias].close()

    Group.objects.using(database_alias).create(name="one")
    thread = threading.Thread(target=count)
    thread.start()
    thread.join()
    assert seen == [1]


def test_default_database_is_replaced(default_database: str) -> None:
    assert Group.objects.count() == 0
    Group.objects.create(name="here")
    assert connection.vendor in default_database
    assert connection.settings_dict["NAME"] in default_database


@pytest.mark.django_db
def test_and_comes_back() -> None:
    assert connection.vendor == "sqlite"
    assert "test.sqlite3" in str(connection.settings_dict["NAME"])
    assert Group.objects.count() == 0


def test_dropped_database_is_gone(databases: Databases, postgres_server: str) -> None:
    import psycopg

    url = databases.postgres()
    databases.drop(url)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(url)
