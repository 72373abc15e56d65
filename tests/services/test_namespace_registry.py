"""Namespaces from memory: no I/O while they are fresh, the truth soon after."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from temporalio.api.enums.v1 import NamespaceState

from orchestrator.errors import InvalidArgument, NamespaceInvalidState, NamespaceNotFound
from orchestrator.models import Namespace, SearchAttribute
from orchestrator.services.namespace_registry import LIFETIME, NamespaceEntry, NamespaceRegistry

pytestmark = pytest.mark.usefixtures("default_database")


class Clock:
    """A clock that goes when it is told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def registry(clock: Clock) -> NamespaceRegistry:
    return NamespaceRegistry(clock)


def test_loads_once(registry: NamespaceRegistry) -> None:
    row = Namespace.objects.get()
    SearchAttribute.objects.create(namespace=row, name="Mine", type=2)
    assert registry.cached("default") is None
    entry = registry.load("default")
    assert (entry.id, entry.name, entry.state) == (str(row.id), "default", NamespaceState.NAMESPACE_STATE_REGISTERED)
    assert entry.retention_ns == row.retention
    assert dict(entry.search_attributes) == {"Mine": 2}
    with CaptureQueriesContext(connection) as captured:
        assert registry.cached("default") is registry.load("default") is registry.by_id(entry.id) is entry
    assert len(captured) == 0


def test_sees_changes_of_others_after_a_while(registry: NamespaceRegistry, clock: Clock) -> None:
    registry.load("default")
    Namespace.objects.update(state=NamespaceState.NAMESPACE_STATE_DEPRECATED)
    clock.now += LIFETIME - 0.1
    assert registry.load("default").state == NamespaceState.NAMESPACE_STATE_REGISTERED
    clock.now += 0.1
    assert registry.cached("default") is None
    assert registry.load("default").state == NamespaceState.NAMESPACE_STATE_DEPRECATED


def test_sees_own_changes_at_once(registry: NamespaceRegistry) -> None:
    entry = registry.load("default")
    Namespace.objects.update(retention=1)
    registry.invalidate("default")
    registry.invalidate("unknown")
    assert registry.cached("default") is None
    assert registry.by_id(entry.id).retention_ns == 1


def test_refuses_what_does_not_exist(registry: NamespaceRegistry) -> None:
    with pytest.raises(InvalidArgument, match="Namespace is empty"):
        registry.load("")
    for name in ("unknown", "nu\0l"):
        with pytest.raises(NamespaceNotFound):
            registry.load(name)
    for id in ("", "not-a-uuid", str(uuid.uuid4())):
        with pytest.raises(NamespaceNotFound):
            registry.by_id(id)


def test_forgets_a_namespace_that_is_gone(registry: NamespaceRegistry, clock: Clock) -> None:
    registry.load("default")
    Namespace.objects.all().delete()
    clock.now += LIFETIME
    with pytest.raises(NamespaceNotFound):
        registry.load("default")


def test_many_that_miss_at_once_read_once(registry: NamespaceRegistry) -> None:
    def load(name: str) -> NamespaceEntry:
        try:
            return registry.load(name)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        entries = list(pool.map(load, ["default"] * 32))
    assert len(set(map(id, entries))) == 1


def test_requires_a_state(registry: NamespaceRegistry) -> None:
    Namespace.objects.update(state=NamespaceState.NAMESPACE_STATE_DEPRECATED)
    entry = registry.load("default")
    entry.require(NamespaceState.NAMESPACE_STATE_REGISTERED, NamespaceState.NAMESPACE_STATE_DEPRECATED)
    with pytest.raises(NamespaceInvalidState, match=r"Namespace has invalid state: Deprecated. Must be Registered\."):
        entry.require(NamespaceState.NAMESPACE_STATE_REGISTERED)
