"""DATABASE_URL leads to connections that are durable and cannot hang for ever."""

import os
import socket

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import DataError, OperationalError, connections
from pytest_django import DjangoDbBlocker

from config import databases
from tests.support.databases import alias


def value(alias: str, query: str) -> object:
    with connections[alias].cursor() as cursor:
        cursor.execute(query)
        row = cursor.fetchone()
    assert row is not None
    return row[0]


def test_sqlite_syncs_every_commit(sqlite_url: str, django_db_blocker: DjangoDbBlocker) -> None:
    with django_db_blocker.unblock(), alias(sqlite_url) as name:
        assert value(name, "PRAGMA journal_mode") == "wal"
        assert value(name, "PRAGMA synchronous") == 2
        assert value(name, "PRAGMA busy_timeout") == 5000
        assert connections[name].transaction_mode == "IMMEDIATE"


def test_postgres_is_bounded(postgres_url: str, django_db_blocker: DjangoDbBlocker) -> None:
    with django_db_blocker.unblock(), alias(postgres_url) as name:
        assert value(name, "SHOW transaction_isolation") == "read committed"
        assert value(name, "SHOW statement_timeout") == "30s"
        assert value(name, "SHOW lock_timeout") == "10s"
        assert value(name, "SHOW idle_in_transaction_session_timeout") == "1min"
        assert value(name, "SHOW application_name") == "hugo"


def test_mariadb_reads_committed(mariadb_server: str, django_db_blocker: DjangoDbBlocker) -> None:
    with django_db_blocker.unblock(), alias(mariadb_server) as name:
        isolation = "tx_isolation" if connections[name].mysql_is_mariadb else "transaction_isolation"
        assert value(name, f"SELECT @@{isolation}") == "READ-COMMITTED"
        assert value(name, "SELECT @@sql_mode") == "STRICT_TRANS_TABLES"
        assert value(name, "SELECT @@innodb_lock_wait_timeout") == 10
        assert value(name, "SELECT @@lock_wait_timeout") == 30


@pytest.mark.usefixtures("mariadb_server")
def test_mariadb_ends_statements(django_db_blocker: DjangoDbBlocker) -> None:
    with django_db_blocker.unblock(), alias(os.environ["HUGO_TEST_MARIADB_URL"]) as name:
        assert value(name, "SELECT @@max_statement_time") == 30
        connections[name].close()
        connections[name].settings_dict["OPTIONS"]["init_command"] += "/*M! , max_statement_time=0.05 */"
        with pytest.raises(OperationalError, match="max_statement_time exceeded"):
            value(name, "SELECT count(*) FROM seq_1_to_99999 a JOIN seq_1_to_99999 b ON a.seq + b.seq < 0")


def test_mariadb_refuses_what_does_not_fit(mariadb_server: str, django_db_blocker: DjangoDbBlocker) -> None:
    with django_db_blocker.unblock(), alias(mariadb_server) as name, connections[name].cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE narrow (text varchar(3), bytes varbinary(3), number smallint)")
        for column, wide in (("text", "four"), ("bytes", "\U0001f600"), ("number", 40_000)):
            with pytest.raises(DataError):
                cursor.execute(f"INSERT INTO narrow ({column}) VALUES (%s)", (wide,))


def test_postgres_notices_a_silent_network(postgres_url: str, django_db_blocker: DjangoDbBlocker) -> None:
    with django_db_blocker.unblock(), alias(postgres_url) as name:
        connections[name].ensure_connection()
        with socket.socket(fileno=os.dup(connections[name].connection.fileno())) as connected:
            assert connected.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 10
            assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 20_000


def test_the_url_wins() -> None:
    config = databases.from_url("postgresql://user@host/name?application_name=mine&sslmode=require")
    assert config["OPTIONS"]["application_name"] == "mine"
    assert config["OPTIONS"]["sslmode"] == "require"
    assert config["OPTIONS"]["connect_timeout"] == 5


def test_a_pooler_in_transaction_mode() -> None:
    config = databases.from_url("postgresql://user@host/name?pooling=transaction")
    assert config["DISABLE_SERVER_SIDE_CURSORS"]
    assert not {"options", "pooling"} & set(config["OPTIONS"])
    direct = databases.from_url("postgresql://user@host/name?pooling=session")
    assert "DISABLE_SERVER_SIDE_CURSORS" not in direct
    assert "statement_timeout=30000" in direct["OPTIONS"]["options"]
    with pytest.raises(ImproperlyConfigured, match="pooling=statement; there are session and transaction"):
        databases.from_url("postgresql://user@host/name?pooling=statement")


def test_other_databases_are_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match="'oracle'; sqlite, postgresql and mysql are supported"):
        databases.from_url("oracle://user@host/name")
