"""Work that was given up because it always failed: what it was, why it failed, and a way back."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from orchestrator.admin.filters import NamespaceFilter
from orchestrator.admin.read_only import moment
from orchestrator.admin.task_queues import RunLink
from orchestrator.core.transfers import TransferKind
from orchestrator.models import DeadLetter
from orchestrator.services.current import current_engine
from orchestrator.services.redrive import redrive


@admin.register(DeadLetter)
class DeadLetterAdmin(RunLink):
    """Dead letters."""

    list_display = ("id", "queue", "kind_name", "workflow", "attempts", "first", "last", "reason")
    list_display_links: Any = ("id",)
    list_filter = (NamespaceFilter, "queue", "kind")
    search_fields = ("=workflow_id", "error")
    actions = ("redrive",)

    @admin.display(description=_("kind"))
    def kind_name(self, row: DeadLetter) -> str:
        """What a transfer is about."""
        known = {int(kind): kind.name.lower().replace("_", " ") for kind in TransferKind}
        return known.get(row.kind, str(row.kind)) if row.queue == DeadLetter.Queue.TRANSFER else "-"

    @admin.display(description=_("first failure"))
    def first(self, row: DeadLetter) -> str:
        """Since when it fails."""
        return moment(row.first_failure)

    @admin.display(description=_("last failure"))
    def last(self, row: DeadLetter) -> str:
        """When it was given up."""
        return moment(row.last_failure)

    @admin.display(description=_("error"))
    def reason(self, row: DeadLetter) -> str:
        """The type and the text of the last error."""
        return row.error.partition("\n")[0]

    def has_redrive_permission(self, request: HttpRequest) -> bool:
        """Whether the user may put them back."""
        return request.user.has_perm("hugo_orchestrator.redrive_deadletter")

    @admin.action(permissions=["redrive"], description=_("Redrive selected dead letters"))
    def redrive(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Puts the work back where it waited."""
        done = redrive(current_engine(), queryset.values_list("id", flat=True))
        messages.success(
            request, ngettext("%d dead letter was redriven.", "%d dead letters were redriven.", done) % done
        )
