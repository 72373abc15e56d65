"""RespondQueryTaskCompleted."""

from temporalio.api.query.v1 import WorkflowQueryResult
from temporalio.api.workflowservice.v1 import RespondQueryTaskCompletedRequest, RespondQueryTaskCompletedResponse

from orchestrator.errors import NotFound
from orchestrator.services.engine import Engine
from orchestrator.services.namespace_registry import NamespaceEntry
from orchestrator.services.task_token import QueryTaskToken


async def respond_query_task_completed(
    engine: Engine, namespace: NamespaceEntry, request: RespondQueryTaskCompletedRequest
) -> RespondQueryTaskCompletedResponse:
    """Takes a worker's answer to a query task.

    Raises:
        InvalidArgument: the token is wrong.
        NotFound: nobody waits for this answer any more.
    """
    token = engine.tokens.decode(request.task_token, namespace.id)
    result = WorkflowQueryResult(
        result_type=request.completed_type,
        answer=request.query_result,
        error_message=request.error_message,
        failure=request.failure if request.HasField("failure") else None,
    )
    if not isinstance(token, QueryTaskToken) or not await engine.queries.answer(token.task_id, result):
        raise NotFound("query task not found, or already expired")
    return RespondQueryTaskCompletedResponse()
