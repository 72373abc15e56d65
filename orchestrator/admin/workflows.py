"""Runs: the list, a page of each with its state, and its history."""

import json
import uuid
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from temporalio.api.common.v1 import Memo

from orchestrator.admin import workflow_actions
from orchestrator.admin.events import events_view
from orchestrator.admin.filters import NamespaceFilter, StartedFilter, StatusFilter
from orchestrator.admin.read_only import ReadOnlyAdmin, length, list_link, moment
from orchestrator.admin.readable import pretty, readable
from orchestrator.core.state import StateFormatError, decode
from orchestrator.errors import NamespaceNotFound
from orchestrator.models import Execution, Namespace, VisibilityRecord
from orchestrator.models.visibility import OPEN
from orchestrator.services.current import current_engine
from orchestrator.services.describe_workflow import describe
from visibility.literals import STATUS_NAMES


@admin.register(VisibilityRecord)
class WorkflowAdmin(workflow_actions.WorkflowActions, ReadOnlyAdmin):
    """Workflow runs. The list is what visibility knows; the page of a run shows its mutable state."""

    list_display = ("workflow_id", "workflow_type", "state_name", "started", "closed", "task_queue", "namespace_name")
    list_filter = (NamespaceFilter, StatusFilter, StartedFilter)
    search_fields = ("workflow_id",)
    search_help_text = _("A workflow id, a run id or a type, exactly.")
    actions = ("signal", "cancel", "terminate")
    change_form_template = "admin/hugo_orchestrator/workflow.html"
    fields = (
        *("workflow_id", "run_id", "namespace_link", "workflow_type", "state_name", "started", "closed", "lasted"),
        *("task_queue", "shard_id", "memo_json", "attributes_json", "events_link", "description"),
    )
    readonly_fields = fields

    def get_urls(self) -> list[URLPattern]:
        """The events of a run have a page of their own, read when it is opened."""
        view = self.admin_site.admin_view(lambda request, pk: events_view(self, request, pk))
        name = f"{self.opts.app_label}_{self.opts.model_name}_events"
        return [path("<int:pk>/events/", view, name=name), *super().get_urls()]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Runs whose id, run id or type is the term: what an index finds."""
        term = search_term.strip()
        if not term:
            return queryset, False
        wanted = Q(workflow_id=term) | Q(workflow_type=term)
        try:
            wanted |= Q(run_id=uuid.UUID(term))
        except ValueError:
            pass
        return queryset.filter(wanted), False

    @admin.display(description=_("status"), ordering="status")
    def state_name(self, row: VisibilityRecord) -> str:
        """The state as queries spell it."""
        return STATUS_NAMES.get(row.status, str(row.status))

    @admin.display(description=_("started"), ordering="start_time")
    def started(self, row: VisibilityRecord) -> str:
        """When it started."""
        return moment(row.start_time)

    @admin.display(description=_("closed"), ordering="close_time")
    def closed(self, row: VisibilityRecord) -> str:
        """When it closed."""
        return moment(0 if row.close_time == OPEN else row.close_time)

    @admin.display(description=_("lasted"))
    def lasted(self, row: VisibilityRecord) -> str:
        """How long it ran."""
        return length(row.execution_duration)

    @admin.display(description=_("namespace"))
    def namespace_name(self, row: VisibilityRecord) -> str:
        """The name of its namespace."""
        try:
            return current_engine().namespaces.by_id(str(row.namespace_id)).name
        except NamespaceNotFound:
            return str(row.namespace_id)

    @admin.display(description=_("namespace"))
    def namespace_link(self, row: VisibilityRecord) -> str:
        """A link to its namespace."""
        return list_link(Namespace, self.namespace_name(row), q=self.namespace_name(row))

    @admin.display(description=_("memo"))
    def memo_json(self, row: VisibilityRecord) -> str:
        """Its memo, decoded."""
        return pretty(readable(Memo.FromString(bytes(row.memo))).get("fields", {}))

    @admin.display(description=_("search attributes"))
    def attributes_json(self, row: VisibilityRecord) -> str:
        """The values queries see."""
        values = row.search_attributes
        return pretty(json.loads(values) if isinstance(values, str) else values)

    @admin.display(description=_("history"))
    def events_link(self, row: VisibilityRecord) -> str:
        """A link to its events."""
        url = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_events", args=[row.pk])
        return format_html('<a href="{}">{}</a>', url, _("Events"))

    @admin.display(description=_("mutable state"))
    def description(self, row: VisibilityRecord) -> str:
        """The state of the run as DescribeWorkflowExecution tells it, and what that leaves out."""
        stored = Execution.objects.using(row._state.db).filter(shard_id=row.shard_id, run_id=row.run_id).first()
        if stored is None:
            return str(_("The run has no state any more."))
        try:
            state = decode(bytes(stored.state))
        except StateFormatError as error:
            return str(error)
        types = {}
        try:
            types = dict(current_engine().namespaces.by_id(str(row.namespace_id)).search_attributes)
        except NamespaceNotFound:
            pass
        more = {
            "version": stored.version,
            "next_event_id": state.next_event_id,
            "sticky_queue": state.sticky_queue,
            "buffered_events": len(state.buffered),
            "signals": state.signals,
            "next_wake_up": moment(state.wake_time),
            "timers": {each.timer_id: moment(each.fire_time) for each in state.timers.values()},
        }
        return pretty({**readable(describe(state, types)), "internal": more})
