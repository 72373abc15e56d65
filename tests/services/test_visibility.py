"""The RPCs that list and count runs."""

import uuid
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import Memo
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.filter.v1 import StartTimeFilter, StatusFilter, WorkflowExecutionFilter, WorkflowTypeFilter
from temporalio.api.workflowservice.v1 import (
    CountWorkflowExecutionsRequest,
    CountWorkflowExecutionsResponse,
    ListArchivedWorkflowExecutionsRequest,
    ListClosedWorkflowExecutionsRequest,
    ListOpenWorkflowExecutionsRequest,
    ListWorkflowExecutionsRequest,
    ListWorkflowExecutionsResponse,
    ScanWorkflowExecutionsRequest,
)

from orchestrator.conf import hugo_settings
from orchestrator.errors import InvalidArgument, NamespaceNotFound
from orchestrator.models import Namespace, VisibilityRecord
from orchestrator.services import visibility, visibility_windows
from orchestrator.services.namespace_registry import NamespaceRegistry
from tests.core.test_search_attributes import payload
from tests.visibility.test_sql import SECOND, closed, record


@pytest.fixture
def registry(default_database: str) -> NamespaceRegistry:
    """A registry over a namespace with two open runs, and three closed ones in two states."""
    id = Namespace.objects.get().id
    memo = Memo(fields={"note": payload("remember")}).SerializeToString()
    rows = [
        record(workflow_id="open", memo=memo, attributes={"BuildIds": ["b"]}),
        record(workflow_id="later", start_time=3 * SECOND),
        closed(workflow_id="done"),
        closed(workflow_id="failed", status=3, workflow_type="Other", close_time=6 * SECOND),
        closed(
            workflow_id="child", parent_workflow_id="open", parent_run_id=str(uuid.UUID(int=1)), close_time=7 * SECOND
        ),
    ]
    for row in rows:
        row.namespace_id = id
    VisibilityRecord.objects.bulk_create(rows)
    return NamespaceRegistry()


def listed(registry: NamespaceRegistry, **fields: Any) -> ListWorkflowExecutionsResponse:
    request = ListWorkflowExecutionsRequest(**({"namespace": "default"} | fields))
    return visibility.list_workflow_executions(request, registry=registry, settings=hugo_settings())


def counted(registry: NamespaceRegistry, query: str) -> CountWorkflowExecutionsResponse:
    request = CountWorkflowExecutionsRequest(namespace="default", query=query)
    return visibility.count_workflow_executions(request, registry=registry, settings=hugo_settings())


def ids(response: Any) -> list[str]:
    return [each.execution.workflow_id for each in response.executions]


def test_lists_open_runs_first_then_the_last_closed(registry: NamespaceRegistry) -> None:
    assert ids(listed(registry)) == ["later", "open", "child", "failed", "done"]


def test_pages(registry: NamespaceRegistry) -> None:
    first = listed(registry, page_size=2)
    second = listed(registry, page_size=2, next_page_token=first.next_page_token)
    third = listed(registry, page_size=2, next_page_token=second.next_page_token)
    assert ids(first) + ids(second) + ids(third) == ["later", "open", "child", "failed", "done"]
    assert not third.next_page_token
    with pytest.raises(InvalidArgument, match="NextPageToken"):
        listed(registry, next_page_token=b"garbage")


def test_a_page_size_out_of_bounds_is_the_largest(registry: NamespaceRegistry) -> None:
    for size in (-1, 0, 1001, 2**31 - 1):
        assert len(listed(registry, page_size=size).executions) == 5


def test_shows_an_open_run(registry: NamespaceRegistry) -> None:
    (info,) = listed(registry, query="WorkflowId = 'open'").executions
    assert info.type.name == "Flow"
    assert info.task_queue == "q"
    assert info.status == WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING
    assert info.start_time.ToNanoseconds() == info.execution_time.ToNanoseconds() == SECOND
    assert info.memo.fields["note"].data == b'"remember"'
    assert info.search_attributes.indexed_fields["BuildIds"].metadata["type"] == b"KeywordList"
    assert info.root_execution == info.execution
    for absent in ("close_time", "execution_duration", "parent_execution"):
        assert not info.HasField(absent)
    assert info.history_length == 0


def test_shows_a_closed_run(registry: NamespaceRegistry) -> None:
    (info,) = listed(registry, query="WorkflowId = 'child'").executions
    assert info.status == WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_COMPLETED
    assert info.close_time.ToNanoseconds() == 7 * SECOND
    assert info.execution_duration.seconds == 4
    assert (info.history_length, info.history_size_bytes, info.state_transition_count) == (11, 1000, 7)
    assert (info.parent_execution.workflow_id, info.parent_execution.run_id) == ("open", str(uuid.UUID(int=1)))
    assert info.HasField("memo")
    assert not info.HasField("search_attributes")


def test_counts(registry: NamespaceRegistry) -> None:
    assert counted(registry, "").count == 5
    assert counted(registry, "CloseTime IS NULL").count == 2
    assert counted(registry, "WorkflowId = 'x'") == CountWorkflowExecutionsResponse()


def test_counts_by_status(registry: NamespaceRegistry) -> None:
    grouped = counted(registry, "GROUP BY ExecutionStatus")
    assert grouped.count == 5
    assert [(group.group_values[0].data, group.count) for group in grouped.groups] == [
        (b'"Running"', 2),
        (b'"Completed"', 2),
        (b'"Failed"', 1),
    ]
    assert dict(grouped.groups[0].group_values[0].metadata) == {"encoding": b"json/plain", "type": b"Keyword"}
    assert counted(registry, "WorkflowId = 'x' GROUP BY ExecutionStatus") == CountWorkflowExecutionsResponse()


@pytest.mark.parametrize(
    ("clause", "text"),
    [
        ("GROUP BY WorkflowType", "'GROUP BY' clause is only supported for ExecutionStatus"),
        ("GROUP BY Nope", "column name 'Nope' is not a valid search attribute"),
        ("ORDER BY StartTime", "'ORDER BY' clause"),
    ],
)
def test_refuses_to_count(registry: NamespaceRegistry, clause: str, text: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        counted(registry, clause)
    assert text in caught.value.message


def test_refuses_to_group_a_list(registry: NamespaceRegistry) -> None:
    with pytest.raises(InvalidArgument, match=r"'GROUP BY' clause$"):
        listed(registry, query="GROUP BY ExecutionStatus")


def test_needs_a_namespace(registry: NamespaceRegistry) -> None:
    with pytest.raises(InvalidArgument, match="Namespace is empty"):
        listed(registry, namespace="")
    with pytest.raises(NamespaceNotFound):
        listed(registry, namespace="unknown")


def test_scan_is_list(registry: NamespaceRegistry) -> None:
    request = ScanWorkflowExecutionsRequest(namespace="default", query="CloseTime IS NULL", page_size=1)
    scanned = visibility.scan_workflow_executions(request, registry=registry, settings=hugo_settings())
    assert ids(scanned) == ["later"]
    assert scanned.next_page_token


def test_there_is_no_archive(registry: NamespaceRegistry) -> None:
    request = ListArchivedWorkflowExecutionsRequest(namespace="default")
    with pytest.raises(InvalidArgument, match=r"^Cluster is not configured for visibility archival\.$"):
        visibility.list_archived_workflow_executions(request, registry=registry)


def open_ones(registry: NamespaceRegistry, **fields: Any) -> list[str]:
    request = ListOpenWorkflowExecutionsRequest(namespace="default", **fields)
    answer = visibility_windows.list_open_workflow_executions(request, registry=registry, settings=hugo_settings())
    return ids(answer)


def closed_ones(registry: NamespaceRegistry, **fields: Any) -> list[str]:
    request = ListClosedWorkflowExecutionsRequest(namespace="default", **fields)
    answer = visibility_windows.list_closed_workflow_executions(request, registry=registry, settings=hugo_settings())
    return ids(answer)


def test_older_lists(registry: NamespaceRegistry) -> None:
    assert open_ones(registry) == ["later", "open"]
    assert open_ones(registry, start_time_filter=StartTimeFilter(latest_time=Timestamp(seconds=2))) == ["open"]
    assert open_ones(registry, execution_filter=WorkflowExecutionFilter(workflow_id="later")) == ["later"]
    assert open_ones(registry, execution_filter=WorkflowExecutionFilter(workflow_id="later", run_id="x")) == []
    assert closed_ones(registry) == ["child", "failed", "done"]
    assert closed_ones(registry, maximum_page_size=1) == ["child"]
    assert closed_ones(registry, type_filter=WorkflowTypeFilter(name="Other")) == ["failed"]
    failed = StatusFilter(status=WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_FAILED)
    assert closed_ones(registry, status_filter=failed) == ["failed"]


def test_older_lists_refuse(registry: NamespaceRegistry) -> None:
    backwards = StartTimeFilter(earliest_time=Timestamp(seconds=2), latest_time=Timestamp(seconds=1))
    running = StatusFilter(status=WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING)
    for ask in (open_ones, closed_ones):
        with pytest.raises(InvalidArgument, match="EarliestTime in StartTimeFilter"):
            ask(registry, start_time_filter=backwards)
        with pytest.raises(InvalidArgument, match="NUL"):
            ask(registry, type_filter=WorkflowTypeFilter(name="\0"))
    for status in (running, StatusFilter()):
        with pytest.raises(InvalidArgument, match="must be not Running"):
            closed_ones(registry, status_filter=status)
