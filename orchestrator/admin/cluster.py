"""Namespaces, the processes of the cluster, and shards."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from orchestrator.admin.read_only import ReadOnly, ReadOnlyAdmin, length, list_link, moment
from orchestrator.conf import hugo_settings
from orchestrator.models import Member, Namespace, SearchAttribute, Shard, VisibilityRecord
from orchestrator.services.shard_ownership import CannotMove, move
from orchestrator.store.database_time import DatabaseTime
from orchestrator.store.members_sql import SqlClusterStore


class SearchAttributeInline(ReadOnly, admin.TabularInline):
    """The custom search attributes of a namespace."""

    model = SearchAttribute
    extra = 0


@admin.register(Namespace)
class NamespaceAdmin(ReadOnlyAdmin):
    """Namespaces."""

    list_display = ("name", "state", "retained", "description", "owner_email", "workflows")
    list_filter = ("state",)
    search_fields = ("name",)
    ordering = ("name",)
    inlines = (SearchAttributeInline,)

    @admin.display(description=_("retention"), ordering="retention")
    def retained(self, row: Namespace) -> str:
        """How long closed runs are kept."""
        return length(row.retention)

    @admin.display(description=_("workflows"))
    def workflows(self, row: Namespace) -> str:
        """A link to its runs."""
        return list_link(VisibilityRecord, str(_("runs")), namespace=row.pk)


@admin.register(Member)
class MemberAdmin(ReadOnlyAdmin):
    """The processes of the cluster, and those that died of late."""

    list_display = ("name", "live", "role", "host", "pid", "version", "shards", "since", "leased_until")
    list_filter = ("role", "host")
    search_fields = ("name",)
    ordering = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With what the database says of the time, and of their shards."""
        owned = Shard.objects.filter(owner=OuterRef("name")).values("owner").annotate(count=Count("id"))
        return super().get_queryset(request).annotate(now=DatabaseTime(), owned=Subquery(owned.values("count")))

    @admin.display(description=_("live"), boolean=True)
    def live(self, row: Any) -> bool:
        """Whether its lease is in force."""
        return bool(row.lease_expires > row.now)

    @admin.display(description=_("shards"), ordering="owned")
    def shards(self, row: Any) -> str:
        """A link to the shards it owns."""
        return list_link(Shard, str(row.owned or 0), owner=row.name)

    @admin.display(description=_("started"), ordering="started")
    def since(self, row: Member) -> str:
        """When it came."""
        return moment(row.started)

    @admin.display(description=_("leased until"), ordering="lease_expires")
    def leased_until(self, row: Member) -> str:
        """The end of its lease, unless it is renewed."""
        return moment(row.lease_expires)


class MoveForm(ActionForm):
    """Where shards are to move."""

    to = forms.CharField(required=False, label=_("To:"), widget=forms.Select)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        members = SqlClusterStore(hugo_settings().database).roll().members
        owners = [(member.name, member.name) for member in members if member.owns_shards]
        self.fields["to"].widget.choices = [("", _("whoever is due")), *owners]


@admin.register(Shard)
class ShardAdmin(ReadOnlyAdmin):
    """Shards and who owns them."""

    list_display = ("id", "range_id", "owner")
    list_filter = ("owner",)
    ordering = ("id",)
    actions = ("move",)
    action_form = MoveForm

    def has_move_permission(self, request: HttpRequest) -> bool:
        """Who may change shards may move them."""
        return request.user.has_perm("hugo_orchestrator.change_shard")

    @admin.action(description=_("Move to another member"), permissions=["move"])
    def move(self, request: HttpRequest, rows: QuerySet[Shard]) -> None:
        """Has the chosen shards owned by a member for as long as it lives, or by whoever is due."""
        shards = [row.pk for row in rows]
        try:
            name = move(SqlClusterStore(hugo_settings().database), shards, request.POST.get("to", ""))
        except CannotMove as error:
            self.message_user(request, str(error), messages.ERROR)
            return
        for row in rows:
            self.log_change(request, row, f"moved to {name or 'whoever is due'}")
        text = ngettext("%d shard moves within seconds.", "%d shards move within seconds.", len(shards)) % len(shards)
        self.message_user(request, text, messages.SUCCESS)
