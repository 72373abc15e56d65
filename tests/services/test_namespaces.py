"""The namespace RPCs."""

from typing import Any

import pytest
from django.db import transaction
from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import NamespaceState, ReplicationState
from temporalio.api.namespace.v1 import BadBinaries, BadBinaryInfo, NamespaceConfig, UpdateNamespaceInfo
from temporalio.api.replication.v1 import ClusterReplicationConfig, NamespaceReplicationConfig
from temporalio.api.workflowservice.v1 import (
    DeprecateNamespaceRequest,
    DescribeNamespaceRequest,
    DescribeNamespaceResponse,
    ListNamespacesRequest,
    RegisterNamespaceRequest,
    UpdateNamespaceRequest,
    UpdateNamespaceResponse,
)

from orchestrator.conf import hugo_settings
from orchestrator.errors import InvalidArgument, NamespaceAlreadyExists, NamespaceNotFound
from orchestrator.models import Namespace
from orchestrator.services import namespaces
from orchestrator.services.namespace_registry import NamespaceRegistry

pytestmark = pytest.mark.usefixtures("default_database")

DAY = 86_400
NOW = 1_700_000_000_000_000_000


@pytest.fixture
def registry() -> NamespaceRegistry:
    return NamespaceRegistry()


def register(registry: NamespaceRegistry, name: str = "shop", seconds: int = DAY, **fields: Any) -> None:
    request = RegisterNamespaceRequest(
        namespace=name, workflow_execution_retention_period=Duration(seconds=seconds), **fields
    )
    namespaces.register_namespace(request, registry=registry, settings=hugo_settings())


def describe(name: str = "shop", id: str = "") -> DescribeNamespaceResponse:
    return namespaces.describe_namespace(DescribeNamespaceRequest(namespace=name, id=id), settings=hugo_settings())


def update(registry: NamespaceRegistry, name: str = "shop", **fields: Any) -> UpdateNamespaceResponse:
    request = UpdateNamespaceRequest(namespace=name, **fields)
    return namespaces.update_namespace(request, registry=registry, settings=hugo_settings(), now=lambda: NOW)


def deprecate(registry: NamespaceRegistry, name: str = "shop") -> None:
    request = DeprecateNamespaceRequest(namespace=name)
    namespaces.deprecate_namespace(request, registry=registry, settings=hugo_settings())


def test_a_registered_namespace_is_described_in_full(registry: NamespaceRegistry) -> None:
    register(registry, description="about it", owner_email="owner@example.com", data={"key": "value"}, seconds=7200)
    found = describe()
    info = found.namespace_info
    assert (info.name, info.description, info.owner_email) == ("shop", "about it", "owner@example.com")
    assert dict(info.data) == {"key": "value"}
    assert info.state == NamespaceState.NAMESPACE_STATE_REGISTERED
    assert info.capabilities.eager_workflow_start
    assert info.capabilities.sync_update and info.capabilities.async_update
    assert info.limits.blob_size_limit_error == info.limits.memo_size_limit_error == 2 << 20
    assert found.config.workflow_execution_retention_ttl.seconds == 7200
    assert found.replication_config.active_cluster_name == "active"
    assert not found.is_global_namespace
    assert describe("", info.id) == found
    assert registry.load("shop").id == info.id


REFUSED_REGISTRATIONS: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "Namespace not set on request."),
    ({"name": "x" * 1001}, "Namespace length exceeds limit."),
    ({"name": "é" * 501}, "Namespace length exceeds limit."),
    ({"name": "nu\0l"}, "character NUL"),
    ({"data": {"a": "\0"}}, "character NUL"),
    ({"seconds": 0}, "A valid retention period is not set on request."),
    ({"seconds": -DAY}, "A valid retention period is not set on request."),
    ({"seconds": 3599}, "A valid retention period is not set on request."),
    ({"seconds": 315_576_000_000}, "A valid retention period is not set on request."),
    ({"is_global_namespace": True}, "Cannot register global namespace when not enabled"),
    ({"active_cluster_name": "elsewhere"}, "Invalid cluster name: elsewhere"),
    ({"clusters": [ClusterReplicationConfig(cluster_name="elsewhere")]}, "Invalid cluster name: elsewhere"),
]


def test_refuses_to_register(registry: NamespaceRegistry) -> None:
    for fields, text in REFUSED_REGISTRATIONS:
        with pytest.raises(InvalidArgument) as caught:
            register(registry, **fields)
        assert text in caught.value.message
    assert Namespace.objects.count() == 1


def test_a_name_is_taken_once(registry: NamespaceRegistry) -> None:
    register(registry)
    with pytest.raises(NamespaceAlreadyExists, match='Namespace "shop" already exists'):
        register(registry)
    with transaction.atomic():
        with pytest.raises(NamespaceAlreadyExists):
            register(registry)
        assert describe().namespace_info.name == "shop"


def test_refuses_to_describe() -> None:
    with pytest.raises(InvalidArgument, match=r"^Namespace not set on request\.$"):
        describe("")
    with pytest.raises(InvalidArgument, match=r"failed\.  Both ID and Name specified in request\.$"):
        describe("default", "x")
    for name, id in (("unknown", ""), ("", "11111111-2222-4333-8444-555555555555"), ("", "not-a-uuid"), ("\0", "")):
        with pytest.raises(NamespaceNotFound):
            describe(name, id)


def test_changes_what_is_set_and_nothing_else(registry: NamespaceRegistry) -> None:
    register(registry, description="old", owner_email="old@example.com", data={"a": "1", "b": "2"})
    registry.load("shop")
    config = NamespaceConfig(workflow_execution_retention_ttl=Duration(seconds=3600))
    info = UpdateNamespaceInfo(description="new", data={"b": "3"})
    updated = update(registry, update_info=info, config=config)
    assert updated.namespace_info == describe().namespace_info
    assert updated.namespace_info.description == "new"
    assert updated.namespace_info.owner_email == "old@example.com"
    assert dict(updated.namespace_info.data) == {"a": "1", "b": "3"}
    assert registry.load("shop").retention_ns == 3600 * 10**9
    assert update(registry).config == updated.config


def test_bad_binaries_come_and_go(registry: NamespaceRegistry) -> None:
    register(registry)
    bad = BadBinaries(binaries={"sum": BadBinaryInfo(reason="broken", operator="me")})
    binaries = update(registry, config=NamespaceConfig(bad_binaries=bad)).config.bad_binaries.binaries
    assert (binaries["sum"].reason, binaries["sum"].create_time.ToNanoseconds()) == ("broken", NOW)
    many = BadBinaries(binaries={str(number): BadBinaryInfo() for number in range(10)})
    with pytest.raises(InvalidArgument, match="Total resetBinaries cannot exceed the max limit: 10"):
        update(registry, config=NamespaceConfig(bad_binaries=many))
    assert not update(registry, delete_bad_binary="sum").config.bad_binaries.binaries
    with pytest.raises(InvalidArgument, match="Bad binary checksum sum doesn't exists"):
        update(registry, delete_bad_binary="sum")


REFUSED_UPDATES: list[tuple[dict[str, Any], str]] = [
    ({"config": NamespaceConfig(workflow_execution_retention_ttl=Duration(seconds=60))}, "A valid retention"),
    ({"promote_namespace": True}, "global namespace is not enabled on this cluster"),
    ({"replication_config": NamespaceReplicationConfig(active_cluster_name="elsewhere")}, "Invalid cluster name"),
    (
        {"replication_config": NamespaceReplicationConfig(state=ReplicationState.REPLICATION_STATE_HANDOVER)},
        "single cluster",
    ),
    ({"config": NamespaceConfig(custom_search_attribute_aliases={"Keyword01": "a"})}, "AddSearchAttributes"),
    ({"update_info": UpdateNamespaceInfo(description="\0")}, "character NUL"),
    ({"update_info": UpdateNamespaceInfo(state=NamespaceState.ValueType(77))}, "Invalid namespace state update."),
]


def test_refuses_to_update(registry: NamespaceRegistry) -> None:
    register(registry)
    before = describe()
    for fields, text in REFUSED_UPDATES:
        with pytest.raises(InvalidArgument) as caught:
            update(registry, **fields)
        assert text in caught.value.message
    assert describe() == before


def test_states_only_go_forward(registry: NamespaceRegistry) -> None:
    register(registry)
    registry.load("shop")
    deprecate(registry)
    assert registry.load("shop").state == NamespaceState.NAMESPACE_STATE_DEPRECATED
    deprecate(registry)
    back = UpdateNamespaceInfo(state=NamespaceState.NAMESPACE_STATE_REGISTERED)
    with pytest.raises(InvalidArgument, match=r"Invalid namespace state update\."):
        update(registry, update_info=back)
    update(registry, update_info=UpdateNamespaceInfo(state=NamespaceState.NAMESPACE_STATE_DELETED))
    with pytest.raises(InvalidArgument, match=r"Invalid namespace state update\."):
        deprecate(registry)


def test_refuses_unknown_names(registry: NamespaceRegistry) -> None:
    for refused in (update, deprecate):
        with pytest.raises(NamespaceNotFound):
            refused(registry, "unknown")
        with pytest.raises(InvalidArgument, match="Namespace not set on request"):
            refused(registry, "")


def test_a_rolled_back_change_is_not_announced(registry: NamespaceRegistry) -> None:
    register(registry)
    entry = registry.load("shop")
    with transaction.atomic():
        update(registry, config=NamespaceConfig(workflow_execution_retention_ttl=Duration(seconds=3600)))
        transaction.set_rollback(True)
    assert registry.cached("shop") is entry
    assert describe().config.workflow_execution_retention_ttl.seconds == DAY


def test_lists_in_pages(registry: NamespaceRegistry) -> None:
    for number in range(5):
        register(registry, f"n{number}")
    update(registry, "n3", update_info=UpdateNamespaceInfo(state=NamespaceState.NAMESPACE_STATE_DELETED))
    for deleted, expected in (
        (False, {"default", "n0", "n1", "n2", "n4"}),
        (True, {"default", *map("n{}".format, range(5))}),
    ):
        seen, token = [], b""
        while True:
            request = ListNamespacesRequest(page_size=2, next_page_token=token)
            request.namespace_filter.include_deleted = deleted
            page = namespaces.list_namespaces(request, settings=hugo_settings())
            seen += [each.namespace_info.name for each in page.namespaces]
            token = page.next_page_token
            if not token:
                break
        assert len(seen) == len(expected)
        assert set(seen) == expected


def test_refuses_a_garbage_token() -> None:
    with pytest.raises(InvalidArgument, match="NextPageToken"):
        namespaces.list_namespaces(ListNamespacesRequest(next_page_token=b"garbage"), settings=hugo_settings())
