"""The RPCs about which search attributes exist: add, remove, list."""

from django.db import transaction
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    AddSearchAttributesResponse,
    ListSearchAttributesRequest,
    ListSearchAttributesResponse,
    RemoveSearchAttributesRequest,
    RemoveSearchAttributesResponse,
)
from temporalio.api.workflowservice.v1 import GetSearchAttributesRequest, GetSearchAttributesResponse

from orchestrator.conf import HugoSettings
from orchestrator.core.search_attribute_types import PREDEFINED, SYSTEM, TYPE_NAMES, is_reserved
from orchestrator.errors import InvalidArgument
from orchestrator.models import SearchAttribute
from orchestrator.services.namespace_registry import NamespaceEntry, NamespaceRegistry

MAXIMUM_CUSTOM = 200
LONGEST_NAME = 255
UNQUOTABLE = '`"\\'
"""What a query, or the path of a database into JSON, cannot quote."""

BUILT_IN = {**SYSTEM, **PREDEFINED}


def add_search_attributes(
    request: AddSearchAttributesRequest, *, registry: NamespaceRegistry, settings: HugoSettings
) -> AddSearchAttributesResponse:
    """Adds custom attributes to a namespace, usable at once; names that exist keep their type.

    Raises:
        InvalidArgument: nothing to add, a name or a type is not possible, or there would be too many.
        NamespaceNotFound: there is none.
    """
    entry = _namespace(request.namespace, registry)
    if not request.search_attributes:
        raise InvalidArgument("SearchAttributes are not set on request.")
    for name, kind in request.search_attributes.items():
        _check(name, kind)
    with transaction.atomic(using=settings.database):
        rows = SearchAttribute.objects.using(settings.database)
        known = set(rows.filter(namespace_id=entry.id).values_list("name", flat=True))
        new = {name: kind for name, kind in request.search_attributes.items() if name not in known}
        if len(known) + len(new) > MAXIMUM_CUSTOM:
            raise InvalidArgument(
                f"Unable to create search attributes: cannot have more than {MAXIMUM_CUSTOM} in a namespace."
            )
        rows.bulk_create(
            [SearchAttribute(namespace_id=entry.id, name=name, type=kind) for name, kind in new.items()],
            ignore_conflicts=True,
        )
    _announce(entry, registry, settings)
    return AddSearchAttributesResponse()


def remove_search_attributes(
    request: RemoveSearchAttributesRequest, *, registry: NamespaceRegistry, settings: HugoSettings
) -> RemoveSearchAttributesResponse:
    """Removes custom attributes from a namespace; what runs carry stays in them. Unknown names are ignored.

    Raises:
        InvalidArgument: nothing to remove, or a name is not a custom attribute's.
        NamespaceNotFound: there is none.
    """
    entry = _namespace(request.namespace, registry)
    if not request.search_attributes:
        raise InvalidArgument("SearchAttributes are not set on request.")
    for name in request.search_attributes:
        if name in BUILT_IN:
            raise InvalidArgument(f"Unable to remove non-custom search attributes: {name}.")
    names = [name for name in request.search_attributes if "\0" not in name]
    SearchAttribute.objects.using(settings.database).filter(namespace_id=entry.id, name__in=names).delete()
    _announce(entry, registry, settings)
    return RemoveSearchAttributesResponse()


def list_search_attributes(
    request: ListSearchAttributesRequest, *, registry: NamespaceRegistry
) -> ListSearchAttributesResponse:
    """The attributes of a namespace, its own and those every namespace has; raises NamespaceNotFound."""
    entry = _namespace(request.namespace, registry)
    return ListSearchAttributesResponse(
        custom_attributes={name: IndexedValueType.ValueType(kind) for name, kind in entry.search_attributes.items()},
        system_attributes=BUILT_IN,
    )


def get_search_attributes(request: GetSearchAttributesRequest) -> GetSearchAttributesResponse:
    """The attributes every namespace has; the request names no namespace that could have more."""
    return GetSearchAttributesResponse(keys=BUILT_IN)


def _namespace(name: str, registry: NamespaceRegistry) -> NamespaceEntry:
    if not name:
        raise InvalidArgument("Namespace is not set on request.")
    return registry.load(name)


def _check(name: str, kind: int) -> None:
    if is_reserved(name):
        raise InvalidArgument(f"Search attribute {name} is reserved by system.")
    if not name or len(name) > LONGEST_NAME or not name.isprintable() or any(each in name for each in UNQUOTABLE):
        raise InvalidArgument(
            f"Search attribute names have 1 to {LONGEST_NAME} printable characters, and none of {UNQUOTABLE}."
        )
    if kind not in TYPE_NAMES:
        raise InvalidArgument(f"Unknown search attribute type: {kind}.")


def _announce(entry: NamespaceEntry, registry: NamespaceRegistry, settings: HugoSettings) -> None:
    """Makes this process see the change, once it is committed."""
    transaction.on_commit(lambda: registry.invalidate(entry.name), using=settings.database)
