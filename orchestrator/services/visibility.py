"""The RPCs that list and count runs."""

from typing import Never

from temporalio.api.common.v1 import Memo, Payload, SearchAttributes, WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    CountWorkflowExecutionsRequest,
    CountWorkflowExecutionsResponse,
    ListArchivedWorkflowExecutionsRequest,
    ListWorkflowExecutionsRequest,
    ListWorkflowExecutionsResponse,
    ScanWorkflowExecutionsRequest,
    ScanWorkflowExecutionsResponse,
)

from orchestrator.conf import HugoSettings
from orchestrator.core.wire import duration, timestamp
from orchestrator.errors import InvalidArgument
from orchestrator.models import VisibilityRecord
from orchestrator.models.visibility import OPEN
from orchestrator.services.namespace_registry import NamespaceEntry, NamespaceRegistry
from visibility.conditions import attribute_type
from visibility.literals import STATUS_NAMES
from visibility.pages import page
from visibility.query import Query, parse
from visibility.sql import count_by_status, records

MAXIMUM_PAGE = 1000
GROUPABLE = "ExecutionStatus"


def list_workflow_executions(
    request: ListWorkflowExecutionsRequest, *, registry: NamespaceRegistry, settings: HugoSettings
) -> ListWorkflowExecutionsResponse:
    """A page of the runs that match a query: open ones first, then the last closed.

    Raises:
        InvalidArgument: the query or the page token is not valid.
        NamespaceNotFound: there is none.
    """
    entry = registry.load(request.namespace)
    query = parse(request.query)
    if query.group_by is not None:
        raise InvalidArgument("invalid query: operation is not supported: 'GROUP BY' clause")
    return listed(entry, query, request.page_size, request.next_page_token, settings)


def listed(
    entry: NamespaceEntry, query: Query, size: int, token: bytes, settings: HugoSettings
) -> ListWorkflowExecutionsResponse:
    """A page of at most `size` runs, or of the largest size; raises InvalidArgument for a bad query or token."""
    found = records(settings.database, entry.id, query, entry.search_attributes)
    rows, next_token = page(found.rows, size if 0 < size < MAXIMUM_PAGE else MAXIMUM_PAGE, token, found.few)
    return ListWorkflowExecutionsResponse(executions=map(_info, rows), next_page_token=next_token)


def scan_workflow_executions(
    request: ScanWorkflowExecutionsRequest, *, registry: NamespaceRegistry, settings: HugoSettings
) -> ScanWorkflowExecutionsResponse:
    """As `list_workflow_executions`, under its older name."""
    same = ListWorkflowExecutionsRequest.FromString(request.SerializeToString())
    listed = list_workflow_executions(same, registry=registry, settings=settings)
    return ScanWorkflowExecutionsResponse(executions=listed.executions, next_page_token=listed.next_page_token)


def list_archived_workflow_executions(
    request: ListArchivedWorkflowExecutionsRequest, *, registry: NamespaceRegistry
) -> Never:
    """Raises InvalidArgument, or NamespaceNotFound: there is no archive."""
    registry.load(request.namespace)
    raise InvalidArgument("Cluster is not configured for visibility archival.")


def count_workflow_executions(
    request: CountWorkflowExecutionsRequest, *, registry: NamespaceRegistry, settings: HugoSettings
) -> CountWorkflowExecutionsResponse:
    """How many runs match a query; in groups of their state, if it says `GROUP BY ExecutionStatus`.

    Raises:
        InvalidArgument: the query is not valid.
        NamespaceNotFound: there is none.
    """
    entry = registry.load(request.namespace)
    query = parse(request.query)
    if query.group_by is not None and query.group_by != GROUPABLE:
        attribute_type(query.group_by, entry.search_attributes)
        raise InvalidArgument(
            f"invalid query: operation is not supported: 'GROUP BY' clause is only supported for {GROUPABLE}"
        )
    found = records(settings.database, entry.id, query, entry.search_attributes)
    if query.group_by is None:
        return CountWorkflowExecutionsResponse(count=found.rows.count())
    counts = count_by_status(found.rows)
    groups = [_group(status, counts[status]) for status in sorted(counts)]
    return CountWorkflowExecutionsResponse(count=sum(counts.values()), groups=groups)


def _group(status: int, count: int) -> CountWorkflowExecutionsResponse.AggregationGroup:
    value = Payload(metadata={"encoding": b"json/plain", "type": b"Keyword"}, data=f'"{STATUS_NAMES[status]}"'.encode())
    return CountWorkflowExecutionsResponse.AggregationGroup(group_values=[value], count=count)


def _info(row: VisibilityRecord) -> WorkflowExecutionInfo:
    run_id = str(row.run_id)
    info = WorkflowExecutionInfo(
        execution=WorkflowExecution(workflow_id=row.workflow_id, run_id=run_id),
        type=WorkflowType(name=row.workflow_type),
        start_time=timestamp(row.start_time),
        execution_time=timestamp(row.execution_time),
        status=WorkflowExecutionStatus.ValueType(row.status),
        task_queue=row.task_queue,
        memo=Memo.FromString(bytes(row.memo)),
        root_execution=WorkflowExecution(
            workflow_id=row.root_workflow_id or row.workflow_id, run_id=row.root_run_id or run_id
        ),
    )
    if row.payloads:
        info.search_attributes.CopyFrom(SearchAttributes.FromString(bytes(row.payloads)))
    if row.parent_workflow_id:
        info.parent_execution.workflow_id = row.parent_workflow_id
        info.parent_execution.run_id = row.parent_run_id
    if row.close_time != OPEN:
        info.close_time.CopyFrom(timestamp(row.close_time))
        info.execution_duration.CopyFrom(duration(row.execution_duration or 0))
        info.history_length = row.history_length or 0
        info.history_size_bytes = row.history_size_bytes or 0
        info.state_transition_count = row.state_transition_count or 0
    return info
