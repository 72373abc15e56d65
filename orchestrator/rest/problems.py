"""Errors as `application/problem+json` (RFC 9457), from the same table that makes gRPC statuses."""

import logging
import re
from typing import Any

from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404
from google.protobuf import json_format
from google.protobuf.any_pb2 import Any as AnyMessage
from rest_framework import exceptions
from rest_framework.response import Response

from orchestrator.errors import Code, Internal, ServiceError, Unavailable

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"

_CODES: dict[int, Code] = {
    400: Code.INVALID_ARGUMENT,
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.NOT_FOUND,
    405: Code.UNIMPLEMENTED,
    413: Code.RESOURCE_EXHAUSTED,
    429: Code.RESOURCE_EXHAUSTED,
}
"""What the statuses mean that come from the framework and not from a service."""


def handler(error: Exception, context: dict[str, Any]) -> Response:
    """The answer to whatever a view raised; see EXCEPTION_HANDLER of Django REST framework."""
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, DjangoPermissionDenied):
        error = exceptions.PermissionDenied()
    if isinstance(error, exceptions.APIException):
        return _of_framework(error)
    if isinstance(error, (OperationalError, InterfaceError)):
        logger.warning("the database failed a REST call: %s", error)
        error = Unavailable("the database does not answer; whether the call was done is unknown")
    elif not isinstance(error, ServiceError):
        logger.error("a REST call failed", exc_info=error)
        error = Internal("something went wrong, please retry")
    return _response(error.http_status, error.code, error.message, **_details(error))


def _of_framework(error: exceptions.APIException) -> Response:
    code = _CODES.get(error.status_code, Code.INVALID_ARGUMENT if error.status_code < 500 else Code.INTERNAL)
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait))
    return _response(error.status_code, code, str(error.detail), headers)


def _response(status: int, code: Code, text: str, headers: dict[str, str] | None = None, **more: Any) -> Response:
    kind = more.pop("kind", code.name)
    problem = {
        "type": f"urn:hugo:problem:{kind.lower().replace('_', '-')}",
        "title": code.name.replace("_", " ").capitalize(),
        "status": status,
        "detail": text,
        "code": code.name,
        **more,
    }
    return Response(problem, status=status, headers=headers, content_type=CONTENT_TYPE)


def _details(error: ServiceError) -> dict[str, Any]:
    """The detail message as proto JSON writes an Any; its type also names the problem."""
    if error.detail is None:
        return {}
    packed = AnyMessage()
    packed.Pack(error.detail)
    name = error.detail.DESCRIPTOR.name.removesuffix("Failure")
    kind = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name)
    return {"kind": kind, "details": [json_format.MessageToDict(packed)]}
