"""What a driver process can be told to do: a load is opened, run once and closed."""

from __future__ import annotations

import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Self

import grpc
import grpc.aio
from temporalio.api.workflowservice.v1 import service_pb2_grpc

from benchmarks.sample import Sample


@dataclass(frozen=True)
class LoadOptions:
    """Knobs of a run, the same as those of other drivers of this kind, so figures can be compared.

    `count` units in all, at most `concurrency` of them in flight, over `channels` HTTP/2 connections; `timeout` in
    seconds bounds the run. `pollers` is for each kind of task.
    """

    count: int = 1000
    concurrency: int = 64
    pollers: int = 16
    activities: int = 1
    eager: bool = False
    channels: int = 4
    timeout: float = 300.0
    namespace: str = "default"

    def share(self, index: int, of: int) -> Self:
        """The part of driver process `index` when `of` processes divide the load."""

        def part(total: int) -> int:
            return total // of + (index < total % of)

        return replace(
            self,
            count=part(self.count),
            concurrency=max(1, part(self.concurrency)),
            pollers=max(1, part(self.pollers)),
            channels=max(1, part(self.channels)),
        )


class Load:
    """Base of the loads: connections, timed calls, the sample."""

    def __init__(self, address: str, options: LoadOptions) -> None:
        self.address = address
        self.options = options
        self.sample = Sample(wanted=options.count)
        self.run_name = uuid.uuid4().hex[:8]
        self.metadata = (
            ("client-name", "benchmark"),
            ("client-version", "1.0.0"),
            ("temporal-namespace", options.namespace),
        )
        self._channels: list[grpc.aio.Channel] = []
        self._stubs: list[Any] = []

    async def open(self) -> None:
        """Connect; what is done here is not measured."""
        for _ in range(self.options.channels):
            # Without its own pool gRPC would put all channels to one address on one connection.
            channel = grpc.aio.insecure_channel(self.address, options=[("grpc.use_local_subchannel_pool", 1)])
            await channel.channel_ready()
            self._channels.append(channel)
            self._stubs.append(service_pb2_grpc.WorkflowServiceStub(channel))

    async def run(self) -> None:
        """The measured part; fills `sample`."""
        raise NotImplementedError

    async def close(self) -> None:
        """Hang up; not measured."""
        for channel in self._channels:
            await channel.close()

    def stub(self, index: int) -> Any:
        """The stub of one of the channels, round robin."""
        return self._stubs[index % len(self._stubs)]

    async def call(self, method: str, index: int, request: Any, deadline: float = 30.0) -> Any | None:
        """Make one call and time it; None when it failed, which is counted by method and status code."""
        rpc: Callable[..., Awaitable[Any]] = getattr(self.stub(index), method)
        began = time.perf_counter()
        try:
            reply = await rpc(request, timeout=deadline, metadata=self.metadata)
        except grpc.aio.AioRpcError as error:
            self.sample.errors[f"{method} {error.code().name}"] += 1
            return None
        if method.startswith("Poll") and not reply.task_token:
            self.sample.events["empty polls"] += 1
        else:
            self.sample.methods[method].append(time.perf_counter() - began)
        return reply
