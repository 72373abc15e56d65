"""The RPCs that add, remove and list search attributes."""

from collections.abc import Mapping

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    ListSearchAttributesRequest,
    RemoveSearchAttributesRequest,
)
from temporalio.api.workflowservice.v1 import GetSearchAttributesRequest

from orchestrator.conf import hugo_settings
from orchestrator.core.search_attribute_types import INT, KEYWORD
from orchestrator.errors import InvalidArgument, NamespaceNotFound
from orchestrator.services import search_attributes
from orchestrator.services.namespace_registry import NamespaceRegistry

pytestmark = pytest.mark.usefixtures("default_database")


@pytest.fixture
def registry() -> NamespaceRegistry:
    return NamespaceRegistry()


def add(registry: NamespaceRegistry, kinds: Mapping[str, int], namespace: str = "default") -> None:
    wanted = {name: IndexedValueType.ValueType(kind) for name, kind in kinds.items()}
    request = AddSearchAttributesRequest(namespace=namespace, search_attributes=wanted)
    search_attributes.add_search_attributes(request, registry=registry, settings=hugo_settings())


def remove(registry: NamespaceRegistry, *names: str, namespace: str = "default") -> None:
    request = RemoveSearchAttributesRequest(namespace=namespace, search_attributes=names)
    search_attributes.remove_search_attributes(request, registry=registry, settings=hugo_settings())


def custom(registry: NamespaceRegistry, namespace: str = "default") -> dict[str, int]:
    request = ListSearchAttributesRequest(namespace=namespace)
    return dict(search_attributes.list_search_attributes(request, registry=registry).custom_attributes)


def test_added_ones_are_usable_at_once(registry: NamespaceRegistry) -> None:
    assert custom(registry) == {}
    add(registry, {"Mine": KEYWORD, "Other": INT})
    assert custom(registry) == dict(registry.load("default").search_attributes) == {"Mine": KEYWORD, "Other": INT}


def test_existing_ones_keep_their_type(registry: NamespaceRegistry) -> None:
    add(registry, {"Mine": KEYWORD})
    add(registry, {"Mine": INT, "New": INT})
    assert custom(registry) == {"Mine": KEYWORD, "New": INT}


def test_removed_ones_are_gone_and_may_come_back_as_another_type(registry: NamespaceRegistry) -> None:
    add(registry, {"Mine": KEYWORD})
    remove(registry, "Mine", "Unknown", "\0")
    assert custom(registry) == {}
    add(registry, {"Mine": INT})
    assert custom(registry) == {"Mine": INT}


REFUSED = [
    ("NamespaceId", KEYWORD, "Search attribute NamespaceId is reserved by system."),
    ("TemporalMine", KEYWORD, "Search attribute TemporalMine is reserved by system."),
    ("WorkflowId", KEYWORD, "Search attribute WorkflowId is reserved by system."),
    ("BuildIds", KEYWORD, "Search attribute BuildIds is reserved by system."),
    ("Mine", 0, "Unknown search attribute type: 0."),
    ("Mine", 77, "Unknown search attribute type: 77."),
    ("", KEYWORD, "printable characters"),
    ("x" * 256, KEYWORD, "printable characters"),
    ("a`b", KEYWORD, "printable characters"),
    ("a\0b", KEYWORD, "printable characters"),
]


def test_refuses_to_add(registry: NamespaceRegistry) -> None:
    for name, kind, text in REFUSED:
        with pytest.raises(InvalidArgument) as caught:
            add(registry, {"Good": KEYWORD, name: kind})
        assert text in caught.value.message
    assert custom(registry) == {}


def test_refuses_too_many(registry: NamespaceRegistry) -> None:
    add(registry, {f"N{number}": KEYWORD for number in range(search_attributes.MAXIMUM_CUSTOM)})
    with pytest.raises(InvalidArgument, match="cannot have more than"):
        add(registry, {"OneMore": KEYWORD})


def test_refuses_to_remove_what_every_namespace_has(registry: NamespaceRegistry) -> None:
    for name in ("WorkflowId", "BuildIds", "TemporalWorkerDeployment"):
        with pytest.raises(InvalidArgument, match=f"Unable to remove non-custom search attributes: {name}"):
            remove(registry, name)


def test_refuses_empty_requests_and_unknown_namespaces(registry: NamespaceRegistry) -> None:
    with pytest.raises(InvalidArgument, match="SearchAttributes are not set on request"):
        add(registry, {})
    with pytest.raises(InvalidArgument, match="SearchAttributes are not set on request"):
        remove(registry)
    for namespace, error in (("", InvalidArgument), ("unknown", NamespaceNotFound)):
        with pytest.raises(error):
            add(registry, {"Mine": KEYWORD}, namespace)
        with pytest.raises(error):
            remove(registry, "Mine", namespace=namespace)
        with pytest.raises(error):
            custom(registry, namespace)


def test_lists_what_every_namespace_has(registry: NamespaceRegistry) -> None:
    listed = search_attributes.list_search_attributes(
        ListSearchAttributesRequest(namespace="default"), registry=registry
    )
    keys = search_attributes.get_search_attributes(GetSearchAttributesRequest()).keys
    assert dict(listed.system_attributes) == dict(keys)
    assert keys["WorkflowId"] == KEYWORD
    assert keys["HistoryLength"] == INT
    assert "BuildIds" in keys
