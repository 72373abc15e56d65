"""The older lists of open and of closed runs, with fixed filters in place of a query."""

from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.filter.v1 import StartTimeFilter
from temporalio.api.workflowservice.v1 import (
    ListClosedWorkflowExecutionsRequest,
    ListClosedWorkflowExecutionsResponse,
    ListOpenWorkflowExecutionsRequest,
    ListOpenWorkflowExecutionsResponse,
    ListWorkflowExecutionsResponse,
)

from orchestrator.conf import HugoSettings
from orchestrator.core.wire import time_ns
from orchestrator.errors import InvalidArgument
from orchestrator.services.namespace_registry import NamespaceRegistry
from orchestrator.services.visibility import listed
from visibility.query import Group, Predicate, Query


def list_open_workflow_executions(
    request: ListOpenWorkflowExecutionsRequest, *, registry: NamespaceRegistry, settings: HugoSettings
) -> ListOpenWorkflowExecutionsResponse:
    """A page of the open runs, by start time and workflow id or type.

    Raises:
        InvalidArgument: the window of start times ends before it begins, or the page token is not valid.
        NamespaceNotFound: there is none.
    """
    page = _page(request, [Predicate("CloseTime", "is null")], registry, settings)
    return ListOpenWorkflowExecutionsResponse(executions=page.executions, next_page_token=page.next_page_token)


def list_closed_workflow_executions(
    request: ListClosedWorkflowExecutionsRequest, *, registry: NamespaceRegistry, settings: HugoSettings
) -> ListClosedWorkflowExecutionsResponse:
    """A page of the closed runs, by start time and workflow id, type or state.

    Raises:
        InvalidArgument: as for the open ones, or the state is not one of closed runs.
        NamespaceNotFound: there is none.
    """
    tests = [Predicate("CloseTime", "is not null")]
    if request.HasField("status_filter"):
        status = request.status_filter.status
        if status in (
            WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_UNSPECIFIED,
            WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING,
        ):
            raise InvalidArgument("StatusFilter must be specified and must be not Running.")
        tests.append(Predicate("ExecutionStatus", "=", (int(status),)))
    page = _page(request, tests, registry, settings)
    return ListClosedWorkflowExecutionsResponse(executions=page.executions, next_page_token=page.next_page_token)


def _page(
    request: ListOpenWorkflowExecutionsRequest | ListClosedWorkflowExecutionsRequest,
    tests: list[Predicate],
    registry: NamespaceRegistry,
    settings: HugoSettings,
) -> ListWorkflowExecutionsResponse:
    tests = [*tests, *_window(request.start_time_filter)]
    if request.HasField("execution_filter"):
        tests.append(Predicate("WorkflowId", "=", (request.execution_filter.workflow_id,)))
        if request.execution_filter.run_id:
            tests.append(Predicate("RunId", "=", (request.execution_filter.run_id,)))
    if request.HasField("type_filter"):
        tests.append(Predicate("WorkflowType", "=", (request.type_filter.name,)))
    if any("\0" in literal for test in tests for literal in test.literals if isinstance(literal, str)):
        raise InvalidArgument("A filter cannot contain the character NUL.")
    query = Query(Group(True, tuple(tests)), group_by=None)
    entry = registry.load(request.namespace)
    return listed(entry, query, request.maximum_page_size, request.next_page_token, settings)


def _window(window: StartTimeFilter) -> list[Predicate]:
    earliest = time_ns(window.earliest_time)
    if not window.HasField("latest_time"):
        return [Predicate("StartTime", ">=", (earliest,))]
    latest = time_ns(window.latest_time)
    if earliest > latest:
        raise InvalidArgument("EarliestTime in StartTimeFilter should not be larger than LatestTime.")
    return [Predicate("StartTime", "between", (earliest, latest))]
