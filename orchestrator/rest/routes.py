"""Which RPC a path means, by the google.api.http annotations of Temporal's API."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote

from google.api import annotations_pb2
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from temporalio.api.workflowservice.v1 import service_pb2

PREFIX = "/api/v1/"
"""Temporal binds each method twice, with and without it."""

_VARIABLE = re.compile(r"\{([a-z_.]+)\}")
_SERVICE = service_pb2.DESCRIPTOR.services_by_name["WorkflowService"]


@dataclass(frozen=True, slots=True)
class Route:
    """One method at one path.

    Attributes:
        rpc: the method's name.
        verb: GET or POST.
        template: the path as the annotation has it; `{a.b}` names a field of the request.
        has_body: whether the body is the request; otherwise the query is.
        request: its type.
    """

    rpc: str
    verb: str
    template: str
    has_body: bool
    request: type[Message]
    pattern: re.Pattern[str]

    def match(self, path: str) -> dict[str, str] | None:
        """The fields in a path that is still percent-encoded; None when it is another path."""
        found = self.pattern.fullmatch(path)
        if found is None:
            return None
        fields = _VARIABLE.findall(self.template)
        return {field: unquote(value) for field, value in zip(fields, found.groups(), strict=True)}


def routes_of(rpcs: Iterable[str]) -> list[Route]:
    """The routes of methods of WorkflowService."""
    return [route for rpc in rpcs for route in _routes(rpc)]


def _routes(rpc: str) -> Iterator[Route]:
    method = _SERVICE.methods_by_name[rpc]
    rule = method.GetOptions().Extensions[annotations_pb2.http]
    for binding in (rule, *rule.additional_bindings):
        verb = binding.WhichOneof("pattern")
        template = getattr(binding, verb)
        if template.startswith(PREFIX):
            parts = _VARIABLE.split(template)
            pattern = "".join("([^/]+)" if index % 2 else re.escape(part) for index, part in enumerate(parts))
            request = GetMessageClass(method.input_type)
            yield Route(rpc, verb.upper(), template, bool(binding.body), request, re.compile(pattern))


def encoded_path(meta: Mapping[str, object], scope: Mapping[str, object] | None, path: str) -> str:
    """The path of a request as it was sent, from the prefix on: an id may hold a slash, as `%2F`.

    Args:
        meta: of the Django request.
        scope: of ASGI; None under WSGI.
        path: the decoded path behind the prefix, for servers that tell no other.
    """
    raw = scope.get("raw_path") if scope is not None else meta.get("RAW_URI") or meta.get("REQUEST_URI")
    text = raw.decode("latin-1") if isinstance(raw, bytes) else str(raw or "")
    text = text.partition("?")[0]
    _, found, rest = text.partition(PREFIX)
    return PREFIX + (rest if found else quote(path, safe="/"))
