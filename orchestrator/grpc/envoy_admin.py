"""Asking Envoy's administration interface, which listens on a socket in a private directory."""

import asyncio
import http.client
import json
import socket
from contextlib import suppress
from typing import Any

_ACTIVE = "/stats?format=json&filter=^http.hugo.downstream_rq_active$"


class EnvoyAdmin:
    """Envoy's administration interface.

    Args:
        path: the path of its socket.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    async def ports(self) -> list[int]:
        """The ports Envoy accepts on, in the order they were configured; empty as long as it does not."""
        with suppress(OSError, http.client.HTTPException):
            if (await self._ask("GET", "/ready")).strip() == b"LIVE":
                return listening(json.loads(await self._ask("GET", "/listeners?format=json")))
        return []

    async def refuse_newcomers(self) -> None:
        """Makes every response tell its connection to go elsewhere, and closes the listening sockets."""
        with suppress(OSError, http.client.HTTPException):
            await self._ask("POST", "/healthcheck/fail")
            await self._ask("POST", "/drain_listeners")

    async def active(self) -> int:
        """How many requests Envoy has not answered to the last byte; 0 when it does not say."""
        with suppress(OSError, http.client.HTTPException):
            answer = json.loads(await self._ask("GET", _ACTIVE))
            return sum(stat["value"] for stat in answer["stats"] if "value" in stat)
        return 0

    async def _ask(self, method: str, path: str) -> bytes:
        return await asyncio.to_thread(_ask, self._path, method, path)


def listening(answer: dict[str, Any]) -> list[int]:
    """The ports of the first listener of an answer, in the order they were configured; empty when one is missing."""
    for status in answer.get("listener_statuses", ()):
        addresses = [status["local_address"], *status.get("additional_local_addresses", ())]
        ports = [address["socket_address"].get("port_value", 0) for address in addresses]
        return ports if all(ports) else []
    return []


class _Connection(http.client.HTTPConnection):
    """HTTP over a socket of the file system; the host is its path."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.host)


def _ask(socket_path: str, method: str, path: str) -> bytes:
    """One request; blocks, at most two seconds."""
    connection = _Connection(socket_path, timeout=2)
    try:
        connection.request(method, path, headers={"Host": "admin"})
        return connection.getresponse().read()
    finally:
        connection.close()
