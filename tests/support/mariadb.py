"""Databases of a private MariaDB server: migrated once, then copied table by table."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pymysql
from pymysql.cursors import Cursor


class MariadbDatabases:
    """Makes and drops databases of one server.

    Args:
        server: its URL.
        migrate: runs all migrations on the database of a URL.
    """

    def __init__(self, server: str, migrate: Callable[[str], None]) -> None:
        self._server = urlsplit(server)
        self._migrate = migrate
        self._template: str | None = None
        self._made: list[str] = []

    def make(self) -> str:
        """The URL of a fresh, migrated database. Foreign keys are not copied."""
        if self._template is None:
            template = self._create()
            self._migrate(self._url(template))
            self._template = template
        name = self._create()
        with self._cursor() as cursor:
            cursor.execute(f"SHOW TABLES IN {self._template}")
            for (table,) in cursor.fetchall():
                cursor.execute(f"CREATE TABLE {name}.{table} LIKE {self._template}.{table}")
                cursor.execute(f"INSERT INTO {name}.{table} SELECT * FROM {self._template}.{table}")
        return self._url(name)

    def drop(self, name: str) -> None:
        """Removes a database."""
        with self._cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name}")
        self._made.remove(name)

    def close(self) -> None:
        """Removes what is left, the template included."""
        for name in list(self._made):
            self.drop(name)

    def _create(self) -> str:
        name = f"hugo_{uuid.uuid4().hex}"
        with self._cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        self._made.append(name)
        return name

    def _url(self, name: str) -> str:
        return self._server._replace(path=f"/{name}").geturl()

    @contextmanager
    def _cursor(self) -> Iterator[Cursor]:
        server = self._server
        with (
            pymysql.connect(
                host=server.hostname, port=server.port or 3306, user=server.username, password=server.password or ""
            ) as client,
            client.cursor() as cursor,
        ):
            yield cursor
            client.commit()
