"""What a description of a namespace says."""

from temporalio.api.enums.v1 import ArchivalState, NamespaceState, ReplicationState
from temporalio.api.namespace.v1 import BadBinaries, BadBinaryInfo, NamespaceConfig, NamespaceInfo
from temporalio.api.replication.v1 import ClusterReplicationConfig, NamespaceReplicationConfig
from temporalio.api.workflowservice.v1 import DescribeNamespaceResponse

from orchestrator.conf import HugoSettings
from orchestrator.models import Namespace

CLUSTER_NAME = "active"


def describe(row: Namespace, settings: HugoSettings) -> DescribeNamespaceResponse:
    """The full description of a stored namespace."""
    return DescribeNamespaceResponse(
        namespace_info=_info(row, settings),
        config=_config(row),
        replication_config=NamespaceReplicationConfig(
            active_cluster_name=CLUSTER_NAME,
            clusters=[ClusterReplicationConfig(cluster_name=CLUSTER_NAME)],
            state=ReplicationState.REPLICATION_STATE_NORMAL,
        ),
    )


def capabilities() -> NamespaceInfo.Capabilities:
    """What clients may use in every namespace; they change their behaviour by it, so it claims only what is served."""
    return NamespaceInfo.Capabilities(
        eager_workflow_start=True,
        sync_update=True,
        async_update=True,
        worker_heartbeats=True,
        reported_problems_search_attribute=True,
        worker_poll_complete_on_shutdown=True,
    )


def _info(row: Namespace, settings: HugoSettings) -> NamespaceInfo:
    return NamespaceInfo(
        name=row.name,
        id=str(row.id),
        state=NamespaceState.ValueType(row.state),
        description=row.description,
        owner_email=row.owner_email,
        data=row.data,
        capabilities=capabilities(),
        limits=NamespaceInfo.Limits(
            blob_size_limit_error=settings.limit_blob_size, memo_size_limit_error=settings.limit_memo_size
        ),
    )


def _config(row: Namespace) -> NamespaceConfig:
    config = NamespaceConfig(
        bad_binaries=BadBinaries(binaries={checksum: _bad_binary(info) for checksum, info in row.bad_binaries.items()}),
        history_archival_state=ArchivalState.ARCHIVAL_STATE_DISABLED,
        visibility_archival_state=ArchivalState.ARCHIVAL_STATE_DISABLED,
    )
    config.workflow_execution_retention_ttl.FromNanoseconds(row.retention)
    return config


def _bad_binary(stored: dict[str, str | int]) -> BadBinaryInfo:
    info = BadBinaryInfo(reason=str(stored["reason"]), operator=str(stored["operator"]))
    info.create_time.FromNanoseconds(int(stored["create_time"]))
    return info
