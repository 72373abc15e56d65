"""DATABASE_URL leads to connections that are durable and cannot hang for ever."""

import os
import socket

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
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
        assert value(name, "SELECT @@tx_isolation") == "READ-COMMITTED"
        assert value(name, "SELECT @@sql_mode") == "STRICT_TRANS_TABLES"
        assert value(name, "SELECT @@innodb_lock_wait_timeout") == 10


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
