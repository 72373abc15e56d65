"""The table of served methods: what each takes, which service answers it, and nothing else.

A row is a request type and an adapter. Adapters differ in how the service runs: as one commit of the unit of work, as a
coroutine that may wait, or as a function that reads the database on a thread.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, NamedTuple

from google.protobuf.message import Message
from temporalio.api.operatorservice import v1 as operator
from temporalio.api.workflowservice import v1 as workflow

from orchestrator.errors import Unimplemented
from orchestrator.grpc.call import Call, Handler
from orchestrator.grpc.unserved import OPERATOR_SERVICE, UNSERVED, WORKFLOW_SERVICE
from orchestrator.services import (
    activity_control,
    activity_tasks,
    change_workflow,
    cluster,
    describe_task_queue,
    list_workers,
    namespaces,
    query_workflow,
    read_history,
    search_attributes,
    start_workflow,
    task_queues,
    update_workflow,
    visibility,
    visibility_windows,
    worker_versioning,
    workflow_tasks,
)
from orchestrator.services.answer_query import respond_query_task_completed
from orchestrator.services.composition import engine_of_process
from orchestrator.services.current import clear_running, set_running
from orchestrator.services.delete_workflow import delete_workflow_execution
from orchestrator.services.describe_workflow import describe_workflow_execution
from orchestrator.services.engine import Engine
from orchestrator.services.multi_operation import execute_multi_operation
from orchestrator.services.next_run import follows_next_run
from orchestrator.services.poll_replies import workflow_task_reply
from orchestrator.services.reset_workflow import reset_workflow_execution
from orchestrator.services.task_queue_config import update_task_queue_config
from orchestrator.services.workflow_options import update_workflow_execution_options

Answer = Callable[[Engine, Call, Any], Awaitable[Message]]


class Row(NamedTuple):
    """One method."""

    request: type[Message]
    answer: Answer


def committed(service: Callable[..., Any]) -> Answer:
    """For a service that prepares one change of one workflow."""

    async def answer(engine: Engine, call: Call, request: Any) -> Message:
        namespace = await engine.namespace(request.namespace)
        reply: Message = await engine.execute(service(engine, namespace, request))
        return reply

    return answer


def awaited(service: Callable[..., Any]) -> Answer:
    """For a coroutine of (engine, namespace, request)."""

    async def answer(engine: Engine, call: Call, request: Any) -> Message:
        namespace = await engine.namespace(request.namespace)
        reply: Message = await service(engine, namespace, request)
        return reply

    return answer


def timed(service: Callable[..., Any]) -> Answer:
    """For a coroutine of (engine, namespace, request) that must answer before the caller's deadline."""

    async def answer(engine: Engine, call: Call, request: Any) -> Message:
        namespace = await engine.namespace(request.namespace)
        reply: Message = await service(engine, namespace, request, deadline=call.deadline)
        return reply

    return answer


def polled(service: Callable[..., Any]) -> Answer:
    """For a coroutine that waits until the caller's deadline, as long as the caller is there."""

    async def answer(engine: Engine, call: Call, request: Any) -> Message:
        namespace = await engine.namespace(request.namespace)
        reply: Message = await service(engine, namespace, request, deadline=call.deadline, client_gone=call.client_gone)
        return reply

    return answer


def immediate(service: Callable[..., Any]) -> Answer:
    """For a function of (engine, namespace, request) that needs memory only."""

    async def answer(engine: Engine, call: Call, request: Any) -> Message:
        namespace = await engine.namespace(request.namespace)
        reply: Message = service(engine, namespace, request)
        return reply

    return answer


def in_thread(service: Callable[..., Any], *dependencies: str) -> Answer:
    """For a function of a request that uses the database; it gets the named attributes of the engine by keyword."""

    async def answer(engine: Engine, call: Call, request: Any) -> Message:
        given = {name: getattr(engine, _ATTRIBUTES.get(name, name)) for name in dependencies}
        reply: Message = await engine.run_db(lambda: service(request, **given))
        return reply

    return answer


_ATTRIBUTES = {"registry": "namespaces", "now": "clock"}


async def _start(engine: Engine, call: Call, request: workflow.StartWorkflowExecutionRequest) -> Message:
    namespace = await engine.namespace(request.namespace)
    result = await engine.execute(start_workflow.start_workflow_execution(engine, namespace, request))
    if result.eager_task is not None:
        result.response.eager_workflow_task.CopyFrom(await workflow_task_reply(engine, result.eager_task))
    return result.response


async def _history(engine: Engine, call: Call, request: workflow.GetWorkflowExecutionHistoryRequest) -> Message:
    namespace = await engine.namespace(request.namespace)
    follows = follows_next_run(call.metadata)
    return await read_history.get_workflow_execution_history(
        engine, namespace, request, deadline=call.deadline, follows=follows
    )


WORKFLOW_METHODS: dict[str, Row] = {
    "GetSystemInfo": Row(workflow.GetSystemInfoRequest, in_thread(cluster.get_system_info, "settings")),
    "GetClusterInfo": Row(workflow.GetClusterInfoRequest, in_thread(cluster.get_cluster_info, "cluster", "settings")),
    "RegisterNamespace": Row(
        workflow.RegisterNamespaceRequest, in_thread(namespaces.register_namespace, "registry", "settings")
    ),
    "DescribeNamespace": Row(workflow.DescribeNamespaceRequest, in_thread(namespaces.describe_namespace, "settings")),
    "UpdateNamespace": Row(
        workflow.UpdateNamespaceRequest, in_thread(namespaces.update_namespace, "registry", "settings", "now")
    ),
    "DeprecateNamespace": Row(
        workflow.DeprecateNamespaceRequest, in_thread(namespaces.deprecate_namespace, "registry", "settings")
    ),
    "ListNamespaces": Row(workflow.ListNamespacesRequest, in_thread(namespaces.list_namespaces, "settings")),
    "GetSearchAttributes": Row(workflow.GetSearchAttributesRequest, in_thread(search_attributes.get_search_attributes)),
    "StartWorkflowExecution": Row(workflow.StartWorkflowExecutionRequest, _start),
    "SignalWithStartWorkflowExecution": Row(
        workflow.SignalWithStartWorkflowExecutionRequest,
        committed(start_workflow.signal_with_start_workflow_execution),
    ),
    "SignalWorkflowExecution": Row(
        workflow.SignalWorkflowExecutionRequest, committed(change_workflow.signal_workflow_execution)
    ),
    "RequestCancelWorkflowExecution": Row(
        workflow.RequestCancelWorkflowExecutionRequest, committed(change_workflow.request_cancel_workflow_execution)
    ),
    "TerminateWorkflowExecution": Row(
        workflow.TerminateWorkflowExecutionRequest, committed(change_workflow.terminate_workflow_execution)
    ),
    "DeleteWorkflowExecution": Row(workflow.DeleteWorkflowExecutionRequest, committed(delete_workflow_execution)),
    "UpdateWorkflowExecutionOptions": Row(
        workflow.UpdateWorkflowExecutionOptionsRequest, committed(update_workflow_execution_options)
    ),
    "ResetWorkflowExecution": Row(workflow.ResetWorkflowExecutionRequest, committed(reset_workflow_execution)),
    "ResetStickyTaskQueue": Row(
        workflow.ResetStickyTaskQueueRequest, committed(change_workflow.reset_sticky_task_queue)
    ),
    "PollWorkflowTaskQueue": Row(
        workflow.PollWorkflowTaskQueueRequest, polled(workflow_tasks.poll_workflow_task_queue)
    ),
    "RespondWorkflowTaskCompleted": Row(
        workflow.RespondWorkflowTaskCompletedRequest, awaited(workflow_tasks.respond_workflow_task_completed)
    ),
    "RespondWorkflowTaskFailed": Row(
        workflow.RespondWorkflowTaskFailedRequest, committed(workflow_tasks.respond_workflow_task_failed)
    ),
    "PollActivityTaskQueue": Row(
        workflow.PollActivityTaskQueueRequest, polled(activity_tasks.poll_activity_task_queue)
    ),
    "RespondActivityTaskCompleted": Row(
        workflow.RespondActivityTaskCompletedRequest, committed(activity_tasks.respond_activity_task_completed)
    ),
    "RespondActivityTaskCompletedById": Row(
        workflow.RespondActivityTaskCompletedByIdRequest, committed(activity_tasks.respond_activity_task_completed)
    ),
    "RespondActivityTaskFailed": Row(
        workflow.RespondActivityTaskFailedRequest, committed(activity_tasks.respond_activity_task_failed)
    ),
    "RespondActivityTaskFailedById": Row(
        workflow.RespondActivityTaskFailedByIdRequest, committed(activity_tasks.respond_activity_task_failed)
    ),
    "RespondActivityTaskCanceled": Row(
        workflow.RespondActivityTaskCanceledRequest, committed(activity_tasks.respond_activity_task_canceled)
    ),
    "RespondActivityTaskCanceledById": Row(
        workflow.RespondActivityTaskCanceledByIdRequest, committed(activity_tasks.respond_activity_task_canceled)
    ),
    "RecordActivityTaskHeartbeat": Row(
        workflow.RecordActivityTaskHeartbeatRequest, committed(activity_tasks.record_activity_task_heartbeat)
    ),
    "RecordActivityTaskHeartbeatById": Row(
        workflow.RecordActivityTaskHeartbeatByIdRequest, committed(activity_tasks.record_activity_task_heartbeat)
    ),
    "PauseActivity": Row(workflow.PauseActivityRequest, committed(activity_control.pause_activity)),
    "UnpauseActivity": Row(workflow.UnpauseActivityRequest, committed(activity_control.unpause_activity)),
    "ResetActivity": Row(workflow.ResetActivityRequest, committed(activity_control.reset_activity)),
    "UpdateActivityOptions": Row(
        workflow.UpdateActivityOptionsRequest, committed(activity_control.update_activity_options)
    ),
    "QueryWorkflow": Row(workflow.QueryWorkflowRequest, timed(query_workflow.query_workflow)),
    "UpdateWorkflowExecution": Row(
        workflow.UpdateWorkflowExecutionRequest, timed(update_workflow.update_workflow_execution)
    ),
    "PollWorkflowExecutionUpdate": Row(
        workflow.PollWorkflowExecutionUpdateRequest, timed(update_workflow.poll_workflow_execution_update)
    ),
    "ExecuteMultiOperation": Row(workflow.ExecuteMultiOperationRequest, timed(execute_multi_operation)),
    "RespondQueryTaskCompleted": Row(workflow.RespondQueryTaskCompletedRequest, awaited(respond_query_task_completed)),
    "DescribeWorkflowExecution": Row(workflow.DescribeWorkflowExecutionRequest, committed(describe_workflow_execution)),
    "GetWorkflowExecutionHistory": Row(workflow.GetWorkflowExecutionHistoryRequest, _history),
    "GetWorkflowExecutionHistoryReverse": Row(
        workflow.GetWorkflowExecutionHistoryReverseRequest,
        awaited(read_history.get_workflow_execution_history_reverse),
    ),
    "ListWorkflowExecutions": Row(
        workflow.ListWorkflowExecutionsRequest, in_thread(visibility.list_workflow_executions, "registry", "settings")
    ),
    "CountWorkflowExecutions": Row(
        workflow.CountWorkflowExecutionsRequest, in_thread(visibility.count_workflow_executions, "registry", "settings")
    ),
    "ScanWorkflowExecutions": Row(
        workflow.ScanWorkflowExecutionsRequest, in_thread(visibility.scan_workflow_executions, "registry", "settings")
    ),
    "ListOpenWorkflowExecutions": Row(
        workflow.ListOpenWorkflowExecutionsRequest,
        in_thread(visibility_windows.list_open_workflow_executions, "registry", "settings"),
    ),
    "ListClosedWorkflowExecutions": Row(
        workflow.ListClosedWorkflowExecutionsRequest,
        in_thread(visibility_windows.list_closed_workflow_executions, "registry", "settings"),
    ),
    "ListArchivedWorkflowExecutions": Row(
        workflow.ListArchivedWorkflowExecutionsRequest,
        in_thread(visibility.list_archived_workflow_executions, "registry"),
    ),
    "DescribeTaskQueue": Row(workflow.DescribeTaskQueueRequest, awaited(describe_task_queue.describe_task_queue)),
    "ListTaskQueuePartitions": Row(
        workflow.ListTaskQueuePartitionsRequest, immediate(describe_task_queue.list_task_queue_partitions)
    ),
    "UpdateTaskQueueConfig": Row(workflow.UpdateTaskQueueConfigRequest, awaited(update_task_queue_config)),
    "ListWorkers": Row(workflow.ListWorkersRequest, immediate(list_workers.list_workers)),
    "CountWorkers": Row(workflow.CountWorkersRequest, immediate(list_workers.count_workers)),
    "DescribeWorker": Row(workflow.DescribeWorkerRequest, immediate(list_workers.describe_worker)),
    "GetWorkerBuildIdCompatibility": Row(
        workflow.GetWorkerBuildIdCompatibilityRequest, immediate(worker_versioning.get_worker_build_id_compatibility)
    ),
    "UpdateWorkerBuildIdCompatibility": Row(
        workflow.UpdateWorkerBuildIdCompatibilityRequest,
        immediate(worker_versioning.update_worker_build_id_compatibility),
    ),
    "GetWorkerTaskReachability": Row(
        workflow.GetWorkerTaskReachabilityRequest, immediate(worker_versioning.get_worker_task_reachability)
    ),
    "GetWorkerVersioningRules": Row(
        workflow.GetWorkerVersioningRulesRequest, immediate(worker_versioning.refuse_rules)
    ),
    "UpdateWorkerVersioningRules": Row(
        workflow.UpdateWorkerVersioningRulesRequest, immediate(worker_versioning.refuse_rules)
    ),
    "ShutdownWorker": Row(workflow.ShutdownWorkerRequest, immediate(task_queues.shutdown_worker)),
    "RecordWorkerHeartbeat": Row(workflow.RecordWorkerHeartbeatRequest, immediate(task_queues.record_worker_heartbeat)),
    "PollNexusTaskQueue": Row(workflow.PollNexusTaskQueueRequest, polled(task_queues.poll_nexus_task_queue)),
}

OPERATOR_METHODS: dict[str, Row] = {
    "AddSearchAttributes": Row(
        operator.AddSearchAttributesRequest, in_thread(search_attributes.add_search_attributes, "registry", "settings")
    ),
    "RemoveSearchAttributes": Row(
        operator.RemoveSearchAttributesRequest,
        in_thread(search_attributes.remove_search_attributes, "registry", "settings"),
    ),
    "ListSearchAttributes": Row(
        operator.ListSearchAttributesRequest, in_thread(search_attributes.list_search_attributes, "registry")
    ),
}

SERVICES = {WORKFLOW_SERVICE: WORKFLOW_METHODS, OPERATOR_SERVICE: OPERATOR_METHODS}


class EngineHandlers:
    """The handlers over one engine, which is built when they start."""

    def __init__(self, build_engine: Callable[[], Engine]) -> None:
        self._build_engine = build_engine
        self._handlers: dict[str, Handler] = {}
        self._engine: Engine | None = None

    @property
    def engine(self) -> Engine:
        """The engine; there is one once the handlers have started."""
        assert self._engine is not None
        return self._engine

    def find(self, method: str) -> Handler:
        """See Handlers."""
        handler = self._handlers.get(method)
        if handler is None:
            raise unimplemented(method)
        return handler

    async def start(self) -> None:
        """See Handlers."""
        engine = await asyncio.to_thread(self._build_engine)
        await engine.start()
        self._engine = engine
        set_running(engine)
        self._handlers = {
            f"/{service}/{name}": handler_of(engine, row)
            for service, rows in SERVICES.items()
            for name, row in rows.items()
        }

    async def drain(self) -> None:
        """See Handlers."""
        self.engine.drain()

    async def stop(self) -> None:
        """See Handlers."""
        clear_running(self.engine)
        await self.engine.stop()


def handler_of(engine: Engine, row: Row) -> Handler:
    """The handler of one row: bytes in, bytes out."""
    parse, answer = row.request.FromString, row.answer

    async def handler(call: Call, body: bytes) -> bytes:
        reply = await answer(engine, call, parse(body))
        return reply.SerializeToString()

    return handler


def unimplemented(method: str) -> Unimplemented:
    """The refusal of a method this server does not serve."""
    service, _, name = method.strip("/").rpartition("/")
    reason = UNSERVED.get(service, {}).get(name)
    if reason is not None:
        return Unimplemented(f"{name} is not implemented: {reason}")
    if service in SERVICES:
        return Unimplemented(f"unknown method {name} for service {service}")
    return Unimplemented(f"unknown service {service}")


def build() -> EngineHandlers:
    """The handlers of `hugo dev`, over the database of the settings."""
    return _build("dev", owns_shards=True)


def build_frontend() -> EngineHandlers:
    """The handlers of `hugo frontend`."""
    return _build("frontend", owns_shards=False)


def build_owning_frontend() -> EngineHandlers:
    """The handlers of `hugo frontend --own-shards`."""
    return _build("frontend", owns_shards=True)


def _build(role: str, *, owns_shards: bool) -> EngineHandlers:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
    django.setup()
    return EngineHandlers(partial(engine_of_process, role, owns_shards=owns_shards))
