"""Databases for tests: migrated once per test process, then copied for each test that wants a fresh one."""

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from django.db import connections
from psycopg import sql

from config import databases
from tests.support.mariadb import MariadbDatabases

ROOT = Path(__file__).resolve().parent.parent.parent


class Databases:
    """Makes migrated databases and removes them; one object lives as long as the test process."""

    def __init__(self, directory: Path, postgres_server: str | None, mariadb_server: str | None) -> None:
        self.directory = directory
        self.postgres_server = postgres_server
        self._mariadb = MariadbDatabases(mariadb_server, migrate) if mariadb_server is not None else None
        self._sqlite_template: Path | None = None
        self._postgres_template: str | None = None
        self._made: list[str] = []

    def sqlite(self) -> str:
        """The URL of a fresh, migrated SQLite file."""
        if self._sqlite_template is None:
            template = self.directory / "template.sqlite3"
            migrate(databases.sqlite_url(template))
            self._sqlite_template = template
        path = self.directory / f"{uuid.uuid4().hex}.sqlite3"
        shutil.copyfile(self._sqlite_template, path)
        return databases.sqlite_url(path)

    def postgres(self) -> str:
        """The URL of a fresh, migrated PostgreSQL database."""
        if self._postgres_template is None:
            template = self._create()
            migrate(self._url(template))
            self._postgres_template = template
        return self._url(self._create(self._postgres_template))

    def empty_postgres(self) -> str:
        """The URL of a fresh PostgreSQL database that nobody has migrated."""
        return self._url(self._create())

    def mariadb(self) -> str:
        """The URL of a fresh, migrated MariaDB database."""
        if self._mariadb is None:
            raise LookupError("There is no MariaDB server.")
        return self._mariadb.make()

    def drop(self, url: str) -> None:
        """Removes a database, whoever is still connected to it."""
        parts = urlsplit(url)
        if parts.scheme == "sqlite":
            for suffix in ("", "-wal", "-shm", "-journal"):
                Path(parts.path + suffix).unlink(missing_ok=True)
        elif self._mariadb is not None and parts.scheme == "mysql":
            self._mariadb.drop(parts.path.lstrip("/"))
        else:
            self._drop(parts.path.lstrip("/"))

    def close(self) -> None:
        """Removes what is left, templates included."""
        for name in list(self._made):
            self._drop(name)
        if self._mariadb is not None:
            self._mariadb.close()

    def _create(self, template: str | None = None) -> str:
        name = f"hugo_{uuid.uuid4().hex}"
        statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template:
            statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
        self._execute(statement)
        self._made.append(name)
        return name

    def _drop(self, name: str) -> None:
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        self._made.remove(name)

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self._server(), autocommit=True) as client:
            client.execute(statement)

    def _url(self, name: str) -> str:
        return urlsplit(self._server())._replace(path=f"/{name}").geturl()

    def _server(self) -> str:
        if self.postgres_server is None:
            raise LookupError("There is no PostgreSQL server.")
        return self.postgres_server


def migrate(url: str) -> None:
    """Runs all migrations, in a process of its own, as an operator does."""
    done = subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        cwd=ROOT,
        env=os.environ | server_environment(url),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"The migrations failed:\n{done.stdout}{done.stderr}")


def server_environment(url: str | None) -> dict[str, str]:
    """The environment variables with which a `manage.py` of its own works on a database."""
    fixed = {
        "DJANGO_SETTINGS_MODULE": "config.settings.dev",
        "DJANGO_SECRET_KEY": "a key for servers that tests start",
    }
    return fixed | ({"DATABASE_URL": url} if url else {})


@contextmanager
def alias(url: str, name: str | None = None) -> Iterator[str]:
    """A Django connection alias for `url`, in every thread; `name="default"` stands in for the default database."""
    name = name or f"test_{uuid.uuid4().hex[:8]}"
    settings = connections.settings
    before = settings.get(name)
    _forget(name)
    settings[name] = connections.configure_settings({"default": databases.from_url(url)})["default"]
    try:
        yield name
    finally:
        _forget(name)
        if before is None:
            del settings[name]
        else:
            settings[name] = before


def _forget(name: str) -> None:
    """Closes this thread's connection and forgets it: the next use makes one from the settings then in force."""
    connection = getattr(connections._connections, name, None)  # type: ignore[attr-defined]
    if connection is not None:
        connection.close()
        del connections[name]
