"""The private servers of the test run are there, and are what they say."""

import os
import socket
from urllib.parse import urlsplit

import psycopg
import pymysql
import pytest
import redis


def test_postgres_answers(postgres_server: str) -> None:
    with psycopg.connect(postgres_server) as client:
        assert client.execute("SHOW fsync").fetchone() == ("off",)
        version = client.info.server_version
    assert version >= 140000


@pytest.mark.usefixtures("mariadb_server")
def test_mariadb_answers() -> None:
    parts = urlsplit(os.environ["HUGO_TEST_MARIADB_URL"])
    with (
        pymysql.connect(host=parts.hostname, port=parts.port or 0, user=parts.username, database="hugo") as client,
        client.cursor() as cursor,
    ):
        cursor.execute("SELECT version(), @@character_set_database")
        row = cursor.fetchone()
    assert row is not None
    version, charset = row
    assert "MariaDB" in version
    assert charset == "utf8mb4"


def test_redis_answers(redis_server: str) -> None:
    with redis.Redis.from_url(redis_server, socket_timeout=5, socket_connect_timeout=5) as client:
        assert client.ping()


def test_servers_listen_on_loopback_only(postgres_server: str, mariadb_server: str, redis_server: str) -> None:
    for url in (postgres_server, mariadb_server, redis_server):
        parts = urlsplit(url)
        assert parts.hostname == "127.0.0.1"
        with socket.create_connection((parts.hostname, parts.port or 0), timeout=5):
            pass
