"""Private Redis servers of every kind that a URL can name: over TLS, over a socket, behind Sentinels, in a cluster."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.support.binaries import need
from tests.support.servers import PATIENCE_S, Redis, short_directory

SLOTS = 16384
MASTER = "main"


class Configured(Redis):
    """One with further options.

    Args:
        parent: where its directory is made.
        name: of that directory.
        options: as on the command line.
    """

    def __init__(self, parent: Path, name: str, *options: str) -> None:
        self.name = name  # type: ignore[misc]
        self.options: Sequence[str] = options
        super().__init__(parent)

    def service(self) -> list[str | Path]:
        """See Server."""
        return [*super().service(), *self.options]

    def client(self) -> "redis.Redis":
        """A client for preparations."""
        return redis.Redis(port=self.port, socket_timeout=5, decode_responses=True)


class Sentinel(Configured):
    """One that watches a master; alone it may decide that the master is gone."""

    def __init__(self, parent: Path, master: int) -> None:
        super().__init__(parent, "sentinel")
        self._master = master

    def service(self) -> list[str | Path]:
        """See Server."""
        file = self.directory / "sentinel.conf"
        lines = [
            f"port {self.port}",
            "bind 127.0.0.1",
            f"dir {self.directory}",
            f"sentinel monitor {MASTER} 127.0.0.1 {self._master} 1",
            f"sentinel down-after-milliseconds {MASTER} 300",
            f"sentinel failover-timeout {MASTER} 2000",
        ]
        file.write_text("\n".join(lines) + "\n")
        if self.account:
            shutil.chown(file, self.account.uid, self.account.gid)
        return [need("redis-server"), file, "--sentinel"]


class TlsRedis(Configured):
    """One that takes only clients with a certificate of its own authority."""

    def __init__(self, parent: Path) -> None:
        super().__init__(parent, "tls")
        self.ca = self.directory / "ca.pem"
        make_certificates(self.directory)
        for each in self.directory.iterdir():
            each.chmod(0o644)

    @property
    def url(self) -> str:
        """See Server."""
        files = f"ssl_certfile={self.directory}/one.pem&ssl_keyfile={self.directory}/one.key"
        return f"rediss://127.0.0.1:{self.port}/0?ssl_ca_certs={self.ca}&{files}"

    def service(self) -> list[str | Path]:
        """See Server."""
        files = ("--tls-cert-file", "one.pem", "--tls-key-file", "one.key", "--tls-ca-cert-file", "ca.pem")
        return [
            *(need("redis-server"), "--port", "0", "--tls-port", str(self.port), "--bind", "127.0.0.1"),
            *("--dir", self.directory, "--save", "", "--loglevel", "warning", *files),
        ]

    def answers(self) -> bool:
        """See Server."""
        try:
            with redis.Redis.from_url(self.url, retry=Retry(NoBackoff(), 0), socket_timeout=5) as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False


def make_certificates(directory: Path) -> None:
    """Writes an authority (`ca.pem`) and a certificate of it for 127.0.0.1 (`one.pem`, `one.key`)."""

    def openssl(*arguments: str) -> None:
        subprocess.run([need("openssl"), *arguments], cwd=directory, check=True, capture_output=True)

    request = ("req", "-newkey", "rsa:2048", "-nodes", "-subj")
    openssl(*request, "/CN=an authority of tests", "-x509", "-days", "2", "-keyout", "ca.key", "-out", "ca.pem")
    (directory / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    openssl(*request, "/CN=127.0.0.1", "-keyout", "one.key", "-out", "one.csr")
    signed = ("x509", "-req", "-in", "one.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2")
    openssl(*signed, "-extfile", "names", "-out", "one.pem")


@contextmanager
def serving() -> Iterator["Servers"]:
    """A place for servers of one test, which end with it."""
    parent = Path(tempfile.mkdtemp(prefix="hugo-redis-", dir=short_directory()))
    parent.chmod(0o755)
    try:
        with ExitStack() as ends:
            yield Servers(parent, ends)
    finally:
        shutil.rmtree(parent, ignore_errors=True)


class Servers:
    """Starts servers in one directory."""

    def __init__(self, parent: Path, ends: ExitStack) -> None:
        self.parent = parent
        self._ends = ends

    def start(self, server: Redis) -> None:
        """Starts one."""
        self._ends.callback(server.stop)
        server.serve()
        server.wait()

    def plain(self, name: str, *options: str) -> Configured:
        """A plain one with these options."""
        server = Configured(self.parent, name, *options)
        self.start(server)
        return server

    def tls(self) -> TlsRedis:
        """One over TLS."""
        server = TlsRedis(self.parent)
        self.start(server)
        return server

    def replica(self, master: Configured) -> Configured:
        """A replica of a master, in step with it."""
        replica = self.plain("replica", "--replicaof", f"127.0.0.1 {master.port}")
        with replica.client() as client:
            _until(lambda: client.info("replication").get("master_link_status") == "up")
        return replica

    def watched(self) -> tuple[Configured, str]:
        """A master with a replica and a Sentinel, and the URL that leads to whichever is the master."""
        master = self.plain("master")
        self.replica(master)
        sentinel = Sentinel(self.parent, master.port)
        self.start(sentinel)
        with sentinel.client() as client:
            _until(lambda: client.sentinel_master(MASTER)["num-slaves"] == 1)
        return master, f"redis+sentinel://127.0.0.1:{sentinel.port}/{MASTER}/0"

    def cluster(self) -> tuple[list[Configured], str]:
        """Three masters, and the URL of their cluster."""
        nodes = [self.plain(f"node-{number}", "--cluster-enabled", "yes") for number in range(3)]
        each = SLOTS // len(nodes) + 1
        for number, node in enumerate(nodes):
            with node.client() as client:
                last = min((number + 1) * each, SLOTS) - 1
                client.execute_command("CLUSTER", "ADDSLOTSRANGE", number * each, last)
                client.execute_command("CLUSTER", "MEET", "127.0.0.1", nodes[0].port)
        for node in nodes:
            with node.client() as client:
                _until(partial(_complete, client, len(nodes)))
        return nodes, "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in nodes)


def _complete(client: "redis.Redis", nodes: int) -> bool:
    told = str(client.execute_command("CLUSTER", "INFO"))  # type: ignore[no-untyped-call]
    return "cluster_state:ok" in told and f"cluster_known_nodes:{nodes}" in told


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError("a private Redis did not become what it was to be")
        time.sleep(0.02)
