"""The base of all pages: nothing can be added, changed or deleted, and no list counts a large table."""

from datetime import UTC, datetime
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from orchestrator.conf import hugo_settings
from orchestrator.core.wire import SECOND

DEPTH = 5000
"""Rows a list goes back; whoever looks for older ones filters or searches."""


class BoundedPaginator(Paginator):
    """Pages of the first rows only: counting all of a large table would take longer than showing a page of it."""

    @cached_property
    def count(self) -> int:
        """How many rows there are, at most DEPTH."""
        if isinstance(self.object_list, QuerySet):
            return int(self.object_list.order_by()[:DEPTH].count())
        return len(self.object_list)


class ReadOnly:
    """Takes every permission but looking."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False


class ReadOnlyAdmin(ReadOnly, admin.ModelAdmin):
    """A list and a page of each row, from the database of the server."""

    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    list_max_show_all = 0
    ordering: ClassVar[Any] = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The rows; see HUGO["DATABASE"]."""
        manager = self.model._default_manager.using(hugo_settings().database)
        return manager.order_by(*self.get_ordering(request))


def moment(ns: int | None) -> str:
    """A time in nanoseconds since the epoch, for people; nothing for none."""
    if not ns:
        return "-"
    return datetime.fromtimestamp(ns / SECOND, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + " UTC"


def length(ns: int | None) -> str:
    """A length in nanoseconds, for people."""
    return "-" if ns is None else f"{ns / SECOND:,.3f} s"


def list_link(model: type[Model], text: str, **query: object) -> str:
    """A link to the list of a model with a query."""
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return format_html('<a href="{}?{}">{}</a>', url, urlencode(query), text)
