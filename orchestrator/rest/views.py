"""One view for all methods: it finds the route, reads the request, calls the service and writes the reply."""

from collections.abc import Callable
from typing import Any, NoReturn

from django.db import transaction
from google.protobuf.message import Message
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import APIException, MethodNotAllowed, NotFound, PermissionDenied
from rest_framework.parsers import JSONParser
from rest_framework.permissions import BasePermission
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from orchestrator.rest import messages, permissions, problems
from orchestrator.rest.routes import Route, encoded_path, routes_of
from orchestrator.services import change_workflow, namespaces, start_workflow, visibility
from orchestrator.services.current import current_engine
from orchestrator.services.describe_workflow import describe_workflow_execution
from orchestrator.services.engine import Engine
from orchestrator.services.history_pages import history_as_it_is, history_backwards_as_it_is

Answer = Callable[[Engine, Any], Message]


def joined(service: Callable[..., Any]) -> Answer:
    """For a service that prepares one change of one workflow."""

    def answer(engine: Engine, request: Any) -> Message:
        with transaction.atomic(using=engine.settings.database):
            prepared = service(engine, engine.namespaces.load(request.namespace), request)
            reply: Message = engine.execute_joined(prepared)
        return reply

    return answer


def read(service: Callable[..., Any]) -> Answer:
    """For a service that reads one workflow."""

    def answer(engine: Engine, request: Any) -> Message:
        reply: Message = service(engine, engine.namespaces.load(request.namespace), request)
        return reply

    return answer


def _start(engine: Engine, request: Any) -> Message:
    # An eager task would be for a worker that made this call; there is none.
    request.request_eager_execution = False
    with transaction.atomic(using=engine.settings.database):
        namespace = engine.namespaces.load(request.namespace)
        result = engine.execute_joined(start_workflow.start_workflow_execution(engine, namespace, request))
    return result.response


ANSWERS: dict[str, Answer] = {
    "StartWorkflowExecution": _start,
    "SignalWithStartWorkflowExecution": joined(start_workflow.signal_with_start_workflow_execution),
    "SignalWorkflowExecution": joined(change_workflow.signal_workflow_execution),
    "RequestCancelWorkflowExecution": joined(change_workflow.request_cancel_workflow_execution),
    "TerminateWorkflowExecution": joined(change_workflow.terminate_workflow_execution),
    "DescribeWorkflowExecution": joined(describe_workflow_execution),
    "GetWorkflowExecutionHistory": read(history_as_it_is),
    "GetWorkflowExecutionHistoryReverse": read(history_backwards_as_it_is),
    "ListWorkflowExecutions": lambda engine, request: visibility.list_workflow_executions(
        request, registry=engine.namespaces, settings=engine.settings
    ),
    "CountWorkflowExecutions": lambda engine, request: visibility.count_workflow_executions(
        request, registry=engine.namespaces, settings=engine.settings
    ),
    "ListNamespaces": lambda engine, request: namespaces.list_namespaces(request, settings=engine.settings),
    "DescribeNamespace": lambda engine, request: namespaces.describe_namespace(request, settings=engine.settings),
}
ROUTES = routes_of(ANSWERS)


class TooLarge(APIException):
    """The body is larger than any request may be."""

    status_code = 413
    default_detail = "The body is too large."


class RpcView(APIView):
    """Every path under /api/v1/."""

    authentication_classes = [SessionAuthentication]
    parser_classes = [JSONParser]
    renderer_classes = [JSONRenderer]

    def get_permissions(self) -> list[BasePermission]:
        """The one permission the settings name."""
        return [permissions.configured()]

    def get_exception_handler(self) -> Callable[..., Response]:
        """Problems, whatever the project's other views answer."""
        return problems.handler

    def permission_denied(self, request: Request, message: str | None = None, code: str | None = None) -> NoReturn:
        """Says why, to strangers too."""
        raise PermissionDenied(message, code)

    def get(self, request: Request, path: str) -> Response:
        """Answers a read."""
        return self._answer(request, path)

    def post(self, request: Request, path: str) -> Response:
        """Answers a change."""
        return self._answer(request, path)

    def _answer(self, request: Request, path: str) -> Response:
        engine = current_engine()
        route, fields = self._route(request, path)
        if int(request.META.get("CONTENT_LENGTH") or 0) > engine.settings.limit_request_size:
            raise TooLarge
        if route.has_body:
            message = messages.from_body(route.request, request.data, fields)
        else:
            message = messages.from_query(route.request, dict(request.query_params.lists()), fields)
        return Response(messages.to_json(ANSWERS[route.rpc](engine, message)))

    @staticmethod
    def _route(request: Request, path: str) -> tuple[Route, dict[str, str]]:
        sent = encoded_path(request.META, getattr(request._request, "scope", None), path)
        known = [(route, fields) for route in ROUTES if (fields := route.match(sent)) is not None]
        if not known:
            raise NotFound("There is nothing at this path.")
        for route, fields in known:
            if route.verb == request.method:
                return route, fields
        raise MethodNotAllowed(str(request.method))
