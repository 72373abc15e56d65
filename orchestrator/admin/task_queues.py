"""Work that waits: task queues, the tasks in them, and timers."""

import time
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Count, Min
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _

from orchestrator.admin.filters import NamespaceFilter, namespace_names
from orchestrator.admin.read_only import ReadOnlyAdmin, list_link, moment
from orchestrator.models import DispatchTask, TimerTask, VisibilityRecord

QUEUES = 500
"""Task queues on the overview, those with most tasks first."""


class RunLink(ReadOnlyAdmin):
    """Rows that belong to a run."""

    list_filter: ClassVar[Any] = (NamespaceFilter,)
    list_display_links: Any = None

    @admin.display(description=_("workflow"))
    def workflow(self, row: Any) -> str:
        """A link to the run."""
        return list_link(VisibilityRecord, row.workflow_id, q=str(row.run_id))


@admin.register(DispatchTask)
class DispatchTaskAdmin(RunLink):
    """Task queues with their backlog, and the tasks of one."""

    list_display = ("id", "task_queue", "kind", "priority", "created", "workflow", "scheduled_event_id")
    list_filter = (NamespaceFilter, "kind")
    ordering = ("priority", "id")

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """The overview links to the tasks of one queue."""
        return lookup == "task_queue__exact" or super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]

    @admin.display(description=_("created"))
    def created(self, row: DispatchTask) -> str:
        """Since when it waits."""
        return moment(row.created_time)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The overview; with a query, the tasks it finds."""
        if request.GET or not self.has_view_permission(request):
            return super().changelist_view(request, extra_context)
        rows = (
            self.get_queryset(request)
            .order_by()
            .values("namespace_id", "task_queue", "kind")
            .annotate(tasks=Count("id"), oldest=Min("created_time"))
            .order_by("-tasks", "namespace_id", "task_queue", "kind")[:QUEUES]
        )
        names = namespace_names()
        now = time.time_ns()
        queues = [
            {
                "namespace": names.get(str(row["namespace_id"]), row["namespace_id"]),
                "queue": list_link(
                    DispatchTask,
                    row["task_queue"],
                    namespace=row["namespace_id"],
                    task_queue__exact=row["task_queue"],
                    kind__exact=row["kind"],
                ),
                "kind": DispatchTask.Kind(row["kind"]).label,
                "tasks": row["tasks"],
                "oldest": moment(row["oldest"]),
                "age": max(0, now - row["oldest"]) // 10**9,
            }
            for row in rows
        ]
        context = {
            **self.admin_site.each_context(request),
            "title": _("Task queues with waiting tasks"),
            "opts": self.model._meta,
            "queues": queues,
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/hugo_orchestrator/task_queues.html", context)


@admin.register(TimerTask)
class TimerTaskAdmin(RunLink):
    """When each run is woken next."""

    list_display = ("id", "shard_id", "workflow", "fires", "overdue")
    ordering = ("fire_time",)

    @admin.display(description=_("fires"), ordering="fire_time")
    def fires(self, row: TimerTask) -> str:
        """Its time."""
        return moment(row.fire_time)

    @admin.display(description=_("overdue"), boolean=True)
    def overdue(self, row: TimerTask) -> bool:
        """Whether that is over: a server is late, or there is none."""
        return row.fire_time < time.time_ns() - 10**9
