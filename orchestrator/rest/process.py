"""What the process that answers holds."""

from typing import Any

from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from orchestrator.rest import permissions
from orchestrator.services.current import current_engine
from orchestrator.services.engine import DATABASE_THREADS, Engine
from orchestrator.store.held import held_connections


class ProcessView(APIView):
    """`GET /api/v1/process`: who answers, its database connections and their bound, and whether others hear it."""

    authentication_classes = [SessionAuthentication]
    renderer_classes = [JSONRenderer]

    def get_permissions(self) -> list[BasePermission]:
        """The one permission the settings name."""
        return [permissions.configured()]

    def get(self, request: Request) -> Response:
        """Answers."""
        return Response(process_of(current_engine()))


def process_of(engine: Engine) -> dict[str, Any]:
    """What an engine's process holds."""
    return {
        "member": engine.peers.member,
        "databaseConnections": held_connections(engine.settings.database),
        "databaseConnectionsLimit": connection_bound(engine),
        "peersConnected": engine.peers.connected,
    }


def connection_bound(engine: Engine) -> int:
    """How many database connections a server process may hold: those that commit, that read, and that answer HTTP."""
    return engine.unit_of_work.lanes + DATABASE_THREADS + engine.settings.http_threads
