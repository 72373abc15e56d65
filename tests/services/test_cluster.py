"""What the server says about itself."""

from temporalio.api.workflowservice.v1 import GetClusterInfoRequest, GetSystemInfoRequest

from orchestrator.conf import HugoSettings
from orchestrator.services.bootstrap import Cluster
from orchestrator.services.cluster import get_cluster_info, get_system_info


def test_claims_only_what_is_served() -> None:
    info = get_system_info(GetSystemInfoRequest(), settings=HugoSettings(server_version="1.2.3"))
    assert info.server_version == "1.2.3"
    claimed = {field.name for field, _ in info.capabilities.ListFields()}
    assert claimed == {
        "signal_and_query_header",
        "internal_error_differentiation",
        "activity_failure_include_heartbeat",
        "encoded_failure_attributes",
        "build_id_based_versioning",
        "upsert_memo",
        "eager_workflow_start",
        "sdk_metadata",
        "count_group_by_execution_status",
    }


def test_tells_what_the_cluster_is_made_of() -> None:
    info = get_cluster_info(GetClusterInfoRequest(), cluster=Cluster("an-id", 4), settings=HugoSettings())
    assert (info.cluster_id, info.cluster_name, info.history_shard_count) == ("an-id", "active", 4)
    assert info.persistence_store == info.visibility_store == "sqlite"
    assert info.supported_clients["temporal-cli"] == "<2.0.0"
