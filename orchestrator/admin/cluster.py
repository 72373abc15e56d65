"""Namespaces and shards."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from orchestrator.admin.read_only import ReadOnly, ReadOnlyAdmin, length, list_link
from orchestrator.models import Namespace, SearchAttribute, Shard, VisibilityRecord


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


@admin.register(Shard)
class ShardAdmin(ReadOnlyAdmin):
    """Shards and who owns them."""

    list_display = ("id", "range_id", "owner")
    list_filter = ("owner",)
    ordering = ("id",)
