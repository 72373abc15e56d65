"""grpc.health.v1.Health beside the methods of the server, as both transports serve it."""

from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from orchestrator.errors import Code, ServiceError, Unimplemented
from orchestrator.grpc.call import Call, Handler, Handlers

SERVICE = "grpc.health.v1.Health"

WATCHED = frozenset(
    [
        "",
        "temporal.api.workflowservice.v1.WorkflowService",
        "temporal.api.operatorservice.v1.OperatorService",
    ]
)
"""The services whose health may be asked for; the empty name is the whole server."""


class UnknownService(ServiceError):
    """The health of something this server does not have."""

    code = Code.NOT_FOUND

    def __init__(self) -> None:
        super().__init__("unknown service")


class WithHealth:
    """A table of handlers, and the health check in front of it.

    Serving from `start` to `drain`; not serving while the server drains.
    """

    def __init__(self, handlers: Handlers) -> None:
        self._handlers = handlers
        self._serving = False

    def find(self, method: str) -> Handler:
        """The handler of a full method.

        Raises:
            Unimplemented: neither the health service nor the table behind it has the method.
        """
        service, _, name = method[1:].rpartition("/")
        if service != SERVICE:
            return self._handlers.find(method)
        if name != "Check":
            raise Unimplemented(f"unknown method {name} for service {SERVICE}")
        return self._check

    async def start(self) -> None:
        """Starts the handlers; from then on the server says it serves."""
        await self._handlers.start()
        self._serving = True

    async def drain(self) -> None:
        """Stops saying that the server serves, and ends the waiting polls."""
        self._serving = False
        await self._handlers.drain()

    async def stop(self) -> None:
        """Stops the handlers."""
        await self._handlers.stop()

    async def _check(self, call: Call, request: bytes) -> bytes:
        if HealthCheckRequest.FromString(request).service not in WATCHED:
            raise UnknownService
        status = HealthCheckResponse.SERVING if self._serving else HealthCheckResponse.NOT_SERVING
        reply: bytes = HealthCheckResponse(status=status).SerializeToString()
        return reply
