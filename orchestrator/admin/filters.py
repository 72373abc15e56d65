"""The filters beside the lists."""

import time
import uuid
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from orchestrator.conf import hugo_settings
from orchestrator.models import Namespace
from visibility.literals import STATUS_NAMES

LISTED = 200
"""Namespaces a filter offers."""
HOUR = 3600 * 10**9


def namespace_names() -> dict[str, str]:
    """The first namespaces, id to name."""
    rows = Namespace.objects.using(hugo_settings().database).order_by("name").values_list("id", "name")[:LISTED]
    return {str(id): name for id, name in rows}


class NamespaceFilter(admin.SimpleListFilter):
    """By namespace."""

    title = _("namespace")
    parameter_name = "namespace"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The choices."""
        return list(namespace_names().items())

    def has_output(self) -> bool:
        """Also with a single namespace, because other pages link here."""
        return True

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows of the namespace; none for what is no id."""
        if self.value() is None:
            return queryset
        try:
            return queryset.filter(namespace_id=uuid.UUID(self.value()))
        except ValueError:
            return queryset.none()


class StatusFilter(admin.SimpleListFilter):
    """By the state of a run."""

    title = _("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The choices."""
        return [(str(number), name) for number, name in STATUS_NAMES.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The runs of the state."""
        value = self.value() or ""
        if not value:
            return queryset
        return queryset.filter(status=int(value)) if value.isdecimal() else queryset.none()


class StartedFilter(admin.SimpleListFilter):
    """By the start of a run."""

    title = _("started")
    parameter_name = "started"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The choices."""
        return [("1", _("in the last hour")), ("24", _("in the last day")), ("168", _("in the last week"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The runs started since."""
        value = self.value() or ""
        if not value:
            return queryset
        since = time.time_ns() - int(value) * HOUR if value in ("1", "24", "168") else 0
        return queryset.filter(start_time__gte=since)
