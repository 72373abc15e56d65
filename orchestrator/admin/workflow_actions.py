"""Signal, cancel and terminate chosen runs: a page asks for the particulars, then the services are called."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import OperationalError, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution
from temporalio.api.workflowservice.v1 import (
    RequestCancelWorkflowExecutionRequest,
    SignalWorkflowExecutionRequest,
    TerminateWorkflowExecutionRequest,
)

from orchestrator.errors import ServiceError
from orchestrator.models import VisibilityRecord
from orchestrator.services import change_workflow
from orchestrator.services.current import current_engine
from orchestrator.services.engine import Engine, Prepared
from orchestrator.services.namespace_registry import NamespaceEntry

MOST = 1000
"""Runs one action takes."""
ERRORS_SHOWN = 5


class ReasonForm(forms.Form):
    """Why; it is written into the history."""

    reason = forms.CharField(max_length=1000, required=False, label=gettext_lazy("Reason"))


class SignalForm(forms.Form):
    """Which signal, with which input."""

    signal_name = forms.CharField(max_length=1000, label=gettext_lazy("Signal name"))
    input = forms.JSONField(
        required=False,
        label=gettext_lazy("Input"),
        help_text=gettext_lazy('JSON; a list holds one value for each argument, such as [{"amount": 7}].'),
    )


@dataclass(frozen=True, slots=True)
class Verb:
    """What is done to each chosen run.

    Attributes:
        name: on the button.
        form: the particulars.
        prepare: calls the service.
        done: says for how many it was done.
    """

    name: Any
    form: type[forms.Form]
    prepare: Callable[[Engine, NamespaceEntry, WorkflowExecution, dict[str, Any]], Prepared[Any]]
    done: Callable[[int], str]


def _signal(
    engine: Engine, namespace: NamespaceEntry, execution: WorkflowExecution, values: dict[str, Any]
) -> Prepared[Any]:
    request = SignalWorkflowExecutionRequest(
        namespace=namespace.name,
        workflow_execution=execution,
        signal_name=values["signal_name"],
        input=_payloads(values["input"]),
        identity=values["identity"],
    )
    return change_workflow.signal_workflow_execution(engine, namespace, request)


def _cancel(
    engine: Engine, namespace: NamespaceEntry, execution: WorkflowExecution, values: dict[str, Any]
) -> Prepared[Any]:
    request = RequestCancelWorkflowExecutionRequest(
        namespace=namespace.name, workflow_execution=execution, reason=values["reason"], identity=values["identity"]
    )
    return change_workflow.request_cancel_workflow_execution(engine, namespace, request)


def _terminate(
    engine: Engine, namespace: NamespaceEntry, execution: WorkflowExecution, values: dict[str, Any]
) -> Prepared[Any]:
    request = TerminateWorkflowExecutionRequest(
        namespace=namespace.name, workflow_execution=execution, reason=values["reason"], identity=values["identity"]
    )
    return change_workflow.terminate_workflow_execution(engine, namespace, request)


SIGNAL = Verb(
    gettext_lazy("Signal"),
    SignalForm,
    _signal,
    lambda count: ngettext("%d workflow run was signaled.", "%d workflow runs were signaled.", count) % count,
)
CANCEL = Verb(
    gettext_lazy("Request cancellation"),
    ReasonForm,
    _cancel,
    lambda count: (
        ngettext(
            "%d workflow run was asked to cancel itself.", "%d workflow runs were asked to cancel themselves.", count
        )
        % count
    ),
)
TERMINATE = Verb(
    gettext_lazy("Terminate"),
    ReasonForm,
    _terminate,
    lambda count: ngettext("%d workflow run was terminated.", "%d workflow runs were terminated.", count) % count,
)


class WorkflowActions:
    """The actions of the list of runs, each with a permission of its own."""

    def has_signal_permission(self, request: HttpRequest) -> bool:
        """Whether the user may signal."""
        return request.user.has_perm("hugo_orchestrator.signal_workflow")

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """Whether the user may cancel."""
        return request.user.has_perm("hugo_orchestrator.cancel_workflow")

    def has_terminate_permission(self, request: HttpRequest) -> bool:
        """Whether the user may terminate."""
        return request.user.has_perm("hugo_orchestrator.terminate_workflow")

    @admin.action(permissions=["signal"], description=gettext_lazy("Signal selected workflow runs"))
    def signal(self, request: HttpRequest, queryset: QuerySet[VisibilityRecord]) -> HttpResponse | None:
        """Sends a signal."""
        return perform(self, request, queryset, SIGNAL)

    @admin.action(permissions=["cancel"], description=gettext_lazy("Request cancellation of selected workflow runs"))
    def cancel(self, request: HttpRequest, queryset: QuerySet[VisibilityRecord]) -> HttpResponse | None:
        """Asks runs to cancel themselves."""
        return perform(self, request, queryset, CANCEL)

    @admin.action(permissions=["terminate"], description=gettext_lazy("Terminate selected workflow runs"))
    def terminate(self, request: HttpRequest, queryset: QuerySet[VisibilityRecord]) -> HttpResponse | None:
        """Ends runs at once."""
        return perform(self, request, queryset, TERMINATE)


def perform(page: Any, request: HttpRequest, queryset: QuerySet[VisibilityRecord], verb: Verb) -> HttpResponse | None:
    """Asks for the particulars; once they are there, does it to each run in a transaction of its own."""
    rows = list(queryset[: MOST + 1])
    if len(rows) > MOST:
        messages.error(request, _("Choose at most %(count)d workflow runs.") % {"count": MOST})
        return None
    form = verb.form(request.POST if "confirmed" in request.POST else None)
    if not form.is_valid():
        return _ask(page, request, rows, form, verb)
    values = {**form.cleaned_data, "identity": f"admin:{request.user.get_username()}"}
    errors = []
    for row in rows:
        try:
            _do(row, values, verb)
        except (ServiceError, OperationalError) as error:
            errors.append(f"{row.workflow_id}: {error}")
            continue
        page.log_change(request, row, f"{verb.name}: {json.dumps(form.cleaned_data)}")
    if done := len(rows) - len(errors):
        messages.success(request, verb.done(done))
    for text in errors[:ERRORS_SHOWN]:
        messages.error(request, text)
    if more := len(errors[ERRORS_SHOWN:]):
        messages.error(request, ngettext("%d more failed.", "%d more failed.", more) % more)
    return None


def _ask(
    page: Any, request: HttpRequest, rows: list[VisibilityRecord], form: forms.Form, verb: Verb
) -> TemplateResponse:
    context = {
        **page.admin_site.each_context(request),
        "title": _("%(verb)s: are you sure?") % {"verb": verb.name},
        "opts": page.opts,
        "rows": rows,
        "form": form,
        "verb": verb.name,
        "action": request.POST["action"],
        "select_across": request.POST.get("select_across", "0"),
        "checkbox_name": ACTION_CHECKBOX_NAME,
        "media": page.media,
    }
    return TemplateResponse(request, "admin/hugo_orchestrator/confirm.html", context)


def _do(row: VisibilityRecord, values: dict[str, Any], verb: Verb) -> None:
    engine = current_engine()
    with transaction.atomic(using=engine.settings.database):
        namespace = engine.namespaces.by_id(str(row.namespace_id))
        execution = WorkflowExecution(workflow_id=row.workflow_id, run_id=str(row.run_id))
        engine.execute_joined(verb.prepare(engine, namespace, execution, values))


def _payloads(value: Any) -> Payloads | None:
    """The input of a signal: a list has one value for each argument, anything else is the one argument."""
    if value is None:
        return None
    values = value if isinstance(value, list) else [value]
    return Payloads(
        payloads=[
            Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(each, separators=(",", ":")).encode())
            for each in values
        ]
    )
