"""What clients ask about the server itself."""

from django.db import connections
from temporalio.api.workflowservice.v1 import (
    GetClusterInfoRequest,
    GetClusterInfoResponse,
    GetSystemInfoRequest,
    GetSystemInfoResponse,
)

from orchestrator.conf import HugoSettings
from orchestrator.services.bootstrap import Cluster
from orchestrator.services.namespace_description import CLUSTER_NAME

SUPPORTED_CLIENTS = {
    "Nexus-go-sdk": "<2.0.0",
    "temporal-cli": "<2.0.0",
    "temporal-go": "<2.0.0",
    "temporal-java": "<2.0.0",
    "temporal-php": "<2.0.0",
    "temporal-server": "<2.0.0",
    "temporal-typescript": "<2.0.0",
    "temporal-ui": "<3.0.0",
}
"""The versions of clients that speak this server's API, as ranges."""


def get_system_info(request: GetSystemInfoRequest, *, settings: HugoSettings) -> GetSystemInfoResponse:
    """The version, and the capabilities by which SDKs change their behaviour."""
    return GetSystemInfoResponse(
        server_version=settings.server_version,
        capabilities=GetSystemInfoResponse.Capabilities(
            signal_and_query_header=True,
            internal_error_differentiation=True,
            activity_failure_include_heartbeat=True,
            encoded_failure_attributes=True,
            build_id_based_versioning=True,
            upsert_memo=True,
            eager_workflow_start=True,
            sdk_metadata=True,
            count_group_by_execution_status=True,
        ),
    )


def get_cluster_info(
    request: GetClusterInfoRequest, *, cluster: Cluster, settings: HugoSettings
) -> GetClusterInfoResponse:
    """The identity of the cluster and what it is made of.

    Args:
        cluster: what `check_database` found.
    """
    store = connections[settings.database].vendor
    return GetClusterInfoResponse(
        supported_clients=SUPPORTED_CLIENTS,
        server_version=settings.server_version,
        cluster_id=cluster.id,
        cluster_name=CLUSTER_NAME,
        history_shard_count=cluster.shard_count,
        persistence_store=store,
        visibility_store=store,
        initial_failover_version=1,
        failover_version_increment=10,
    )
