"""The namespace RPCs: register, describe, update, list, deprecate."""

import uuid
from collections.abc import Callable

from django.db import IntegrityError, transaction
from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import NamespaceState, ReplicationState
from temporalio.api.namespace.v1 import BadBinaries
from temporalio.api.replication.v1 import NamespaceReplicationConfig
from temporalio.api.workflowservice.v1 import (
    DeprecateNamespaceRequest,
    DeprecateNamespaceResponse,
    DescribeNamespaceRequest,
    DescribeNamespaceResponse,
    ListNamespacesRequest,
    ListNamespacesResponse,
    RegisterNamespaceRequest,
    RegisterNamespaceResponse,
    UpdateNamespaceRequest,
    UpdateNamespaceResponse,
)

from orchestrator.conf import HugoSettings
from orchestrator.errors import InvalidArgument, NamespaceAlreadyExists, NamespaceNotFound
from orchestrator.models import Namespace
from orchestrator.services.namespace_description import CLUSTER_NAME, describe
from orchestrator.services.namespace_registry import NamespaceRegistry

MINIMUM_RETENTION = 3600 * 10**9
MAXIMUM_RETENTION = 36_500 * 86_400 * 10**9
MAXIMUM_BAD_BINARIES = 10
DEFAULT_PAGE = 100
MAXIMUM_PAGE = 1000
TRANSITIONS: dict[int, set[NamespaceState.ValueType]] = {
    NamespaceState.NAMESPACE_STATE_REGISTERED: {
        NamespaceState.NAMESPACE_STATE_DEPRECATED,
        NamespaceState.NAMESPACE_STATE_DELETED,
    },
    NamespaceState.NAMESPACE_STATE_DEPRECATED: {NamespaceState.NAMESPACE_STATE_DELETED},
}


def register_namespace(
    request: RegisterNamespaceRequest, *, registry: NamespaceRegistry, settings: HugoSettings
) -> RegisterNamespaceResponse:
    """Creates a namespace, usable at once.

    Raises:
        InvalidArgument: the name or the retention is missing or out of bounds, or another cluster is asked for.
        NamespaceAlreadyExists: the name is taken.
    """
    if not request.namespace:
        raise InvalidArgument("Namespace not set on request.")
    if len(request.namespace.encode()) > settings.limit_id_length:
        raise InvalidArgument("Namespace length exceeds limit.")
    if request.is_global_namespace:
        raise InvalidArgument("Cannot register global namespace when not enabled")
    retention = _retention(request.workflow_execution_retention_period)
    _check_clusters(request.active_cluster_name, [each.cluster_name for each in request.clusters])
    _check_text(request.namespace, request.description, request.owner_email, *request.data, *request.data.values())
    row = Namespace(
        id=uuid.uuid4(),
        name=request.namespace,
        description=request.description,
        owner_email=request.owner_email,
        data=dict(request.data),
        retention=retention,
    )
    try:
        with transaction.atomic(using=settings.database):
            row.save(using=settings.database, force_insert=True)
    except IntegrityError:
        raise NamespaceAlreadyExists(request.namespace) from None
    _announce(request.namespace, registry, settings)
    return RegisterNamespaceResponse()


def describe_namespace(request: DescribeNamespaceRequest, *, settings: HugoSettings) -> DescribeNamespaceResponse:
    """What is known of a namespace, by name or by id.

    Raises:
        InvalidArgument: neither or both are given.
        NamespaceNotFound: there is none.
    """
    if request.namespace and request.id:
        raise InvalidArgument("GetNamespace operation failed.  Both ID and Name specified in request.")
    if not request.namespace and not request.id:
        raise InvalidArgument("Namespace not set on request.")
    if request.namespace:
        return describe(_row(request.namespace, settings), settings)
    try:
        row = Namespace.objects.using(settings.database).get(id=uuid.UUID(request.id))
    except (ValueError, Namespace.DoesNotExist):
        raise NamespaceNotFound(request.id) from None
    return describe(row, settings)


def update_namespace(
    request: UpdateNamespaceRequest, *, registry: NamespaceRegistry, settings: HugoSettings, now: Callable[[], int]
) -> UpdateNamespaceResponse:
    """Changes what the request sets and leaves the rest.

    Args:
        now: the time, nanoseconds since the epoch.

    Raises:
        InvalidArgument: a field is out of bounds, the state cannot change so, or another cluster is asked for.
        NamespaceNotFound: there is none.
    """
    name = request.namespace
    if not name:
        raise InvalidArgument("Namespace not set on request.")
    with transaction.atomic(using=settings.database):
        row = _row(name, settings, lock=True)
        _check_replication(request)
        _apply_info(request, row)
        _apply_config(request, row, now())
        row.config_version += 1
        row.save(using=settings.database)
    _announce(name, registry, settings)
    full = describe(row, settings)
    return UpdateNamespaceResponse(
        namespace_info=full.namespace_info, config=full.config, replication_config=full.replication_config
    )


def list_namespaces(request: ListNamespacesRequest, *, settings: HugoSettings) -> ListNamespacesResponse:
    """A page of namespaces, in the order of their ids; raises InvalidArgument for a token that is none of ours."""
    rows = Namespace.objects.using(settings.database).order_by("id")
    if not request.namespace_filter.include_deleted:
        rows = rows.exclude(state=Namespace.State.DELETED)
    if request.next_page_token:
        if len(request.next_page_token) != 16:
            raise InvalidArgument("Invalid NextPageToken.")
        rows = rows.filter(id__gt=uuid.UUID(bytes=request.next_page_token))
    size = min(request.page_size, MAXIMUM_PAGE) if request.page_size > 0 else DEFAULT_PAGE
    found = list(rows[: size + 1])
    page = found[:size]
    token = page[-1].id.bytes if len(found) > size else b""
    return ListNamespacesResponse(namespaces=[describe(row, settings) for row in page], next_page_token=token)


def deprecate_namespace(
    request: DeprecateNamespaceRequest, *, registry: NamespaceRegistry, settings: HugoSettings
) -> DeprecateNamespaceResponse:
    """Forbids new runs in a namespace; those it has go on.

    Raises:
        InvalidArgument: the name is missing, or the namespace is deleted.
        NamespaceNotFound: there is none.
    """
    if not request.namespace:
        raise InvalidArgument("Namespace not set on request.")
    with transaction.atomic(using=settings.database):
        row = _row(request.namespace, settings, lock=True)
        _change_state(row, NamespaceState.NAMESPACE_STATE_DEPRECATED)
        row.config_version += 1
        row.save(using=settings.database)
    _announce(request.namespace, registry, settings)
    return DeprecateNamespaceResponse()


def _row(name: str, settings: HugoSettings, lock: bool = False) -> Namespace:
    rows = Namespace.objects.using(settings.database)
    row = (rows.select_for_update() if lock else rows).filter(name=name).first() if "\0" not in name else None
    if row is None:
        raise NamespaceNotFound(name)
    return row


def _announce(name: str, registry: NamespaceRegistry, settings: HugoSettings) -> None:
    """Makes this process see the change, once it is committed."""
    transaction.on_commit(lambda: registry.invalidate(name), using=settings.database)


def _apply_info(request: UpdateNamespaceRequest, row: Namespace) -> None:
    info = request.update_info
    _check_text(info.description, info.owner_email, *info.data, *info.data.values())
    row.description = info.description or row.description
    row.owner_email = info.owner_email or row.owner_email
    row.data = {**row.data, **info.data}
    if info.state:
        _change_state(row, info.state)


def _apply_config(request: UpdateNamespaceRequest, row: Namespace, now: int) -> None:
    config = request.config
    if config.HasField("workflow_execution_retention_ttl"):
        row.retention = _retention(config.workflow_execution_retention_ttl)
    if config.custom_search_attribute_aliases:
        raise InvalidArgument("Search attributes have no aliases here: add them with AddSearchAttributes.")
    binaries = {**row.bad_binaries, **_bad_binaries(config.bad_binaries, now)}
    if len(binaries) > MAXIMUM_BAD_BINARIES:
        raise InvalidArgument(f"Total resetBinaries cannot exceed the max limit: {MAXIMUM_BAD_BINARIES}")
    if request.delete_bad_binary:
        if request.delete_bad_binary not in binaries:
            raise InvalidArgument(f"Bad binary checksum {request.delete_bad_binary} doesn't exists.")
        del binaries[request.delete_bad_binary]
    row.bad_binaries = binaries


def _bad_binaries(message: BadBinaries, now: int) -> dict[str, dict[str, str | int]]:
    for checksum, each in message.binaries.items():
        _check_text(checksum, each.reason, each.operator)
    return {
        checksum: {"reason": each.reason, "operator": each.operator, "create_time": now}
        for checksum, each in message.binaries.items()
    }


def _change_state(row: Namespace, state: NamespaceState.ValueType) -> None:
    if state != row.state and state not in TRANSITIONS.get(row.state, ()):
        raise InvalidArgument("Invalid namespace state update.")
    row.state = state


def _retention(period: Duration) -> int:
    retention = period.ToNanoseconds()
    if not MINIMUM_RETENTION <= retention <= MAXIMUM_RETENTION:
        raise InvalidArgument("A valid retention period is not set on request.")
    return retention


def _check_replication(request: UpdateNamespaceRequest) -> None:
    """Refuses what only a namespace of several clusters can do."""
    if request.promote_namespace:
        raise InvalidArgument(
            "global namespace is not enabled on this cluster, cannot update global namespace or promote local "
            f"namespace: {request.namespace}"
        )
    config: NamespaceReplicationConfig = request.replication_config
    _check_clusters(config.active_cluster_name, [each.cluster_name for each in config.clusters])
    if config.state not in (
        ReplicationState.REPLICATION_STATE_UNSPECIFIED,
        ReplicationState.REPLICATION_STATE_NORMAL,
    ):
        raise InvalidArgument("The replication state of a namespace with a single cluster cannot change.")


def _check_clusters(active: str, clusters: list[str]) -> None:
    for name in (active, *clusters):
        if name not in ("", CLUSTER_NAME):
            raise InvalidArgument(f"Invalid cluster name: {name}")


def _check_text(*texts: str) -> None:
    """PostgreSQL stores no NUL; refused everywhere, so that a namespace means the same on every database."""
    if any("\0" in text for text in texts):
        raise InvalidArgument("The text of a namespace cannot contain the character NUL.")
