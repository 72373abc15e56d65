"""The page of a run's history: some events at a time, read when it is opened."""

import base64
import binascii
from typing import TYPE_CHECKING

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryResponse,
    GetWorkflowExecutionHistoryReverseRequest,
    GetWorkflowExecutionHistoryReverseResponse,
)

from orchestrator.admin.read_only import moment
from orchestrator.admin.readable import pretty, readable
from orchestrator.core.wire import time_ns
from orchestrator.errors import ServiceError
from orchestrator.services.current import current_engine
from orchestrator.services.engine import Engine
from orchestrator.services.history_pages import history_as_it_is, history_backwards_as_it_is
from orchestrator.services.namespace_registry import NamespaceEntry

if TYPE_CHECKING:
    from orchestrator.admin.workflows import WorkflowAdmin

NODES = 50
"""History nodes on a page; each holds the events of one transition."""


def events_view(page: "WorkflowAdmin", request: HttpRequest, pk: int) -> HttpResponse:
    """The events from the start, or with `newest=1` from the end."""
    row = page.get_object(request, str(pk))
    if not page.has_view_permission(request, row):
        raise PermissionDenied
    if row is None:
        raise Http404
    engine = current_engine()
    newest = request.GET.get("newest") == "1"
    try:
        namespace = engine.namespaces.by_id(str(row.namespace_id))
        execution = WorkflowExecution(workflow_id=row.workflow_id, run_id=str(row.run_id))
        token = base64.urlsafe_b64decode(request.GET.get("token", ""))
        reply = _read(engine, namespace, execution, token, newest)
    except (ServiceError, binascii.Error) as error:
        messages.error(request, str(error))
        return HttpResponseRedirect(reverse(f"admin:{page.opts.app_label}_{page.opts.model_name}_changelist"))
    context = {
        **page.admin_site.each_context(request),
        "title": _("Events of %(workflow)s") % {"workflow": row.workflow_id},
        "opts": page.opts,
        "original": row,
        "events": [_shown(event) for event in reply.history.events],
        "next_token": base64.urlsafe_b64encode(reply.next_page_token).decode(),
        "newest": newest,
    }
    return TemplateResponse(request, "admin/hugo_orchestrator/events.html", context)


def _read(
    engine: Engine, namespace: NamespaceEntry, execution: WorkflowExecution, token: bytes, newest: bool
) -> GetWorkflowExecutionHistoryResponse | GetWorkflowExecutionHistoryReverseResponse:
    if newest:
        backwards = GetWorkflowExecutionHistoryReverseRequest(
            namespace=namespace.name, execution=execution, maximum_page_size=NODES, next_page_token=token
        )
        return history_backwards_as_it_is(engine, namespace, backwards)
    forwards = GetWorkflowExecutionHistoryRequest(
        namespace=namespace.name, execution=execution, maximum_page_size=NODES, next_page_token=token
    )
    return history_as_it_is(engine, namespace, forwards)


def _shown(event: HistoryEvent) -> dict[str, object]:
    attributes = event.WhichOneof("attributes")
    name = EventType.Name(event.event_type).removeprefix("EVENT_TYPE_").replace("_", " ").capitalize()
    return {
        "id": event.event_id,
        "time": moment(time_ns(event.event_time)),
        "type": name,
        "attributes": pretty(readable(getattr(event, attributes))) if attributes else "",
    }
