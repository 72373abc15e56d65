"""What a Redis URL names: one server, the master that Sentinels know, or any node of a cluster.

    redis://[USER:PASSWORD@]HOST[:PORT][/DB]              one server
    rediss://...                                          the same over TLS
    unix:///PATH[?db=DB]                                  one server, over a socket
    redis+sentinel://HOST[:PORT],HOST[:PORT].../SERVICE[/DB]
    redis+cluster://HOST[:PORT],HOST[:PORT]...

`rediss+sentinel` and `rediss+cluster` are the last two over TLS. A query holds further options of redis-py, such as
`ssl_ca_certs=PATH`, `ssl_certfile=PATH`, `ssl_keyfile=PATH` and `ssl_cert_reqs=none`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

PORTS = {"server": 6379, "sentinel": 26379, "cluster": 6379}

READERS: dict[str, Callable[[str], Any]] = {"db": int, "ssl_check_hostname": lambda text: text.lower() in ("1", "true")}
"""How those options are read that are no text."""


@dataclass(frozen=True)
class RedisPlace:
    """What a URL names.

    Attributes:
        kind: `server`, `sentinel` or `cluster`.
        tls: whether it is reached over TLS.
        nodes: hosts and ports: of the server, the Sentinels, or nodes of the cluster; none of a socket.
        service: the name under which Sentinels know the master; else empty.
        options: of a connection, as redis-py names them, without host and port.
    """

    kind: str
    tls: bool
    nodes: tuple[tuple[str, int], ...]
    service: str
    options: dict[str, Any]

    def tls_options(self) -> dict[str, Any]:
        """Those that begin with `ssl_`."""
        return {name: value for name, value in self.options.items() if name.startswith("ssl_")}


def parse_redis_url(url: str) -> RedisPlace:
    """Reads a URL; raises ValueError with one sentence when it is none of Redis."""
    parts = urlsplit(url)
    scheme, _, kind = parts.scheme.partition("+")
    kind = kind or "server"
    if kind not in PORTS or scheme not in ("redis", "rediss", "unix") or (scheme == "unix" and kind != "server"):
        raise ValueError(
            "A Redis URL begins with redis, rediss, unix, redis+sentinel, rediss+sentinel, redis+cluster or "
            f"rediss+cluster, and this one with {parts.scheme!r}."
        )
    service, database = "", parts.path.strip("/")
    if kind == "sentinel":
        service, _, database = database.partition("/")
        if not service:
            raise ValueError(
                "The URL of Sentinels lacks the name of their service: redis+sentinel://HOST:PORT/SERVICE."
            )
    if kind == "cluster" and database not in ("", "0"):
        raise ValueError("A Redis cluster has one database, so its URL names none.")
    user, _, hosts = parts.netloc.rpartition("@")
    username, _, password = user.partition(":")
    options: dict[str, Any] = {"username": unquote(username), "password": unquote(password)}
    if scheme == "unix":
        options["path"] = unquote(parts.path)
    elif database:
        options["db"] = database
    options |= dict(parse_qsl(parts.query))
    options = {name: READERS.get(name, str)(value) for name, value in options.items() if value != ""}
    nodes = () if scheme == "unix" else tuple(_node(host, PORTS[kind]) for host in hosts.split(","))
    return RedisPlace(kind, scheme == "rediss", nodes, service, options)


def _node(text: str, port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    return parts.hostname or "localhost", parts.port or port
