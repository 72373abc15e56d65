"""The deprecated forms of worker versioning, which Temporal switches off by default: there are no sets and no rules."""

from typing import Never

from google.protobuf.message import Message
from temporalio.api.workflowservice.v1 import (
    GetWorkerBuildIdCompatibilityRequest,
    GetWorkerBuildIdCompatibilityResponse,
    GetWorkerTaskReachabilityRequest,
    UpdateWorkerBuildIdCompatibilityRequest,
)

from orchestrator.core.request_checks import check_queue_name
from orchestrator.errors import InvalidArgument, PermissionDenied
from orchestrator.services.engine import Engine
from orchestrator.services.namespace_registry import NamespaceEntry

SETS = "Worker versioning v0.1 (Version Set-based, deprecated) is disabled on this namespace."
RULES = "Worker versioning v0.2 (Rules-based, deprecated) is disabled on this namespace."


def get_worker_build_id_compatibility(
    engine: Engine, namespace: NamespaceEntry, request: GetWorkerBuildIdCompatibilityRequest
) -> GetWorkerBuildIdCompatibilityResponse:
    """No queue has version sets; raises InvalidArgument for a bad queue."""
    check_queue_name(request.task_queue, engine.limits)
    return GetWorkerBuildIdCompatibilityResponse()


def update_worker_build_id_compatibility(
    engine: Engine, namespace: NamespaceEntry, request: UpdateWorkerBuildIdCompatibilityRequest
) -> Never:
    """Raises PermissionDenied, or InvalidArgument without an operation."""
    if request.WhichOneof("operation") is None:
        raise InvalidArgument(
            "request to update worker build ID compatability requires: , an operation to be specified"
        )
    raise PermissionDenied(SETS)


def get_worker_task_reachability(
    engine: Engine, namespace: NamespaceEntry, request: GetWorkerTaskReachabilityRequest
) -> Never:
    """Raises PermissionDenied, or InvalidArgument without a build."""
    if not request.build_ids:
        raise InvalidArgument("Must query at least one build ID (or empty string for unversioned worker)")
    raise PermissionDenied(SETS)


def refuse_rules(engine: Engine, namespace: NamespaceEntry, request: Message) -> Never:
    """Raises PermissionDenied."""
    raise PermissionDenied(RULES)
