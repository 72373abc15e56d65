"""A private PgBouncer in transaction mode, in front of every database of one PostgreSQL server."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from tests.support.binaries import need
from tests.support.servers import Server, short_directory

POOL = 4
"""Sessions of the server that all clients of a database share."""


class PgBouncer(Server):
    """One that lends a session for a transaction."""

    name = "PgBouncer"
    users = ("postgres", "nobody")

    def __init__(self, parent: Path, server: str) -> None:
        super().__init__(parent)
        self._server = urlsplit(server)

    def url_of(self, url: str) -> str:
        """The URL of a database, through the pooler."""
        netloc = f"{self._server.username}@127.0.0.1:{self.port}"
        return urlsplit(url)._replace(netloc=netloc, query="pooling=transaction").geturl()

    def service(self) -> list[str | Path]:
        """See Server."""
        options = {
            "listen_addr": "127.0.0.1",
            "listen_port": self.port,
            "unix_socket_dir": "",
            "auth_type": "any",
            "pool_mode": "transaction",
            "default_pool_size": POOL,
            "max_client_conn": 300,
        }
        parts = self._server
        server = f"* = host={parts.hostname} port={parts.port} user={parts.username}"
        lines = ["[databases]", server, "[pgbouncer]", *(f"{name} = {value}" for name, value in options.items())]
        file = self.directory / "pgbouncer.ini"
        file.write_text("\n".join(lines) + "\n")
        return [need("pgbouncer"), "-q", file]

    def answers(self) -> bool:
        """See Server."""
        try:
            psycopg.connect(
                host="127.0.0.1", port=self.port, user=self._server.username, dbname="postgres", connect_timeout=5
            ).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def pooler(server: str) -> Iterator[PgBouncer]:
    """One in front of the server of a URL."""
    directory = Path(tempfile.mkdtemp(prefix="hugo-pooler-", dir=short_directory()))
    directory.chmod(0o755)
    running = PgBouncer(directory, server)
    try:
        running.serve()
        running.wait()
        yield running
    finally:
        running.stop()
        shutil.rmtree(directory, ignore_errors=True)
