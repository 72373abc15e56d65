"""What a call can be refused with: one class per canonical error, and one table that maps them to gRPC and HTTP.

The classes, their gRPC codes and their detail messages are those of a Temporal server, because SDKs rebuild
exceptions from the code and the type of the first detail.
"""

from enum import IntEnum

from google.protobuf.message import Message
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import NamespaceState, ResourceExhaustedCause, ResourceExhaustedScope
from temporalio.api.errordetails import v1 as details
from temporalio.api.failure.v1 import Failure, MultiOperationExecutionAborted


class Code(IntEnum):
    """The gRPC status codes, by their numbers on the wire."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


HTTP_STATUS: dict[Code, int] = {
    Code.OK: 200,
    Code.CANCELLED: 499,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
    Code.UNAUTHENTICATED: 401,
}
"""The HTTP status of each code, as google.api.http transcoding maps them."""


class ServiceError(Exception):
    """A refused call.

    Attributes:
        code: the gRPC status code.
        message: the text the caller sees.
        detail: the message packed as first detail of the status, or None.
    """

    code: Code = Code.UNKNOWN
    detail: Message | None = None

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    @property
    def http_status(self) -> int:
        """The HTTP status that says the same."""
        return HTTP_STATUS[self.code]


class InvalidArgument(ServiceError):
    """The request is wrong whatever the state of the server."""

    code = Code.INVALID_ARGUMENT


class DeadlineExceeded(ServiceError):
    """The caller's time ran out."""

    code = Code.DEADLINE_EXCEEDED


class FailedPrecondition(ServiceError):
    """The request is well formed but the state of the server forbids it."""

    code = Code.FAILED_PRECONDITION


class PermissionDenied(ServiceError):
    """The caller may not do this, or the feature is switched off for the namespace."""

    code = Code.PERMISSION_DENIED

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.detail = details.PermissionDeniedFailure(reason=reason)


class Unimplemented(ServiceError):
    """The server does not have this."""

    code = Code.UNIMPLEMENTED


class Internal(ServiceError):
    """Something broke inside; clients retry it for a while."""

    code = Code.INTERNAL


class Unavailable(ServiceError):
    """The server cannot do it now; clients retry it."""

    code = Code.UNAVAILABLE


class NotFound(ServiceError):
    """What the call names does not exist, or is over."""

    code = Code.NOT_FOUND

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.detail = details.NotFoundFailure()


class WorkflowNotFound(NotFound):
    """No run with this workflow id and run id; without a run id, no run of this workflow at all."""

    def __init__(self, workflow_id: str, run_id: str = "") -> None:
        if run_id:
            text = f'workflow execution not found for workflow ID "{workflow_id}" and run ID "{run_id}"'
        else:
            text = f"workflow not found for ID: {workflow_id}"
        super().__init__(text)


class WorkflowClosed(NotFound):
    """The call needs an open run and this one is closed."""

    def __init__(self) -> None:
        super().__init__("workflow execution already completed")


class NamespaceNotFound(ServiceError):
    """No namespace of this name or id."""

    code = Code.NOT_FOUND

    def __init__(self, namespace: str) -> None:
        super().__init__(f"Namespace {namespace} is not found.")
        self.detail = details.NamespaceNotFoundFailure(namespace=namespace)


class AlreadyExists(ServiceError):
    """What the call wants to create exists."""

    code = Code.ALREADY_EXISTS


class NamespaceAlreadyExists(AlreadyExists):
    """A namespace of this name is registered."""

    def __init__(self, namespace: str) -> None:
        super().__init__(f'Namespace "{namespace}" already exists')
        self.detail = details.NamespaceAlreadyExistsFailure()


class WorkflowExecutionAlreadyStarted(AlreadyExists):
    """The id-reuse or the conflict policy forbids another run of this workflow id."""

    def __init__(self, message: str, start_request_id: str, run_id: str, first_execution_run_id: str = "") -> None:
        super().__init__(message)
        self.detail = details.WorkflowExecutionAlreadyStartedFailure(
            start_request_id=start_request_id, run_id=run_id, first_execution_run_id=first_execution_run_id
        )


class NamespaceInvalidState(ServiceError):
    """The namespace's state forbids the call."""

    code = Code.FAILED_PRECONDITION

    def __init__(
        self, namespace: str, state: NamespaceState.ValueType, allowed: list[NamespaceState.ValueType]
    ) -> None:
        names = " or ".join(_short(NamespaceState.Name(each)) for each in allowed)
        super().__init__(f"Namespace has invalid state: {_short(NamespaceState.Name(state))}. Must be {names}.")
        self.detail = details.NamespaceInvalidStateFailure(namespace=namespace, state=state, allowed_states=allowed)


class WorkflowNotReady(ServiceError):
    """The workflow cannot answer now."""

    code = Code.FAILED_PRECONDITION

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.detail = details.WorkflowNotReadyFailure()


class ResourceExhausted(ServiceError):
    """A limit is reached; clients retry it slowly."""

    code = Code.RESOURCE_EXHAUSTED

    def __init__(
        self,
        message: str,
        cause: ResourceExhaustedCause.ValueType = ResourceExhaustedCause.RESOURCE_EXHAUSTED_CAUSE_UNSPECIFIED,
        scope: ResourceExhaustedScope.ValueType = ResourceExhaustedScope.RESOURCE_EXHAUSTED_SCOPE_NAMESPACE,
    ) -> None:
        super().__init__(message)
        self.detail = details.ResourceExhaustedFailure(cause=cause, scope=scope)


class WorkflowBusy(ResourceExhausted):
    """The run cannot take this call at the moment."""

    def __init__(self, message: str) -> None:
        super().__init__(message, ResourceExhaustedCause.RESOURCE_EXHAUSTED_CAUSE_BUSY_WORKFLOW)


class WorkflowClosing(WorkflowBusy):
    """The run tried to close and tries again; new events must wait."""

    def __init__(self) -> None:
        super().__init__("workflow operation can not be applied because workflow is closing")


class Aborted(ServiceError):
    """The call was given up; it may be repeated from its beginning."""

    code = Code.ABORTED


class OperationAborted(Aborted):
    """An operation that was not tried because another one of the same call failed."""

    def __init__(self) -> None:
        super().__init__("Operation was aborted.")
        self.detail = MultiOperationExecutionAborted()


class MultiOperationFailed(ServiceError):
    """One of the operations of a call failed; the code is that operation's, the detail has the status of each."""

    def __init__(self, errors: "list[ServiceError]") -> None:
        super().__init__("Update-with-Start could not be executed.")
        self.code = next((each.code for each in errors if not isinstance(each, OperationAborted)), Code.ABORTED)
        failure = details.MultiOperationExecutionFailure()
        for each in errors:
            status = failure.statuses.add(code=int(each.code), message=each.message)
            if each.detail is not None:
                status.details.add().Pack(each.detail)
        self.detail = failure


class MessageTooLarge(ServiceError):
    """The request does not fit the limit of the transport; the text is grpc-go's, which SDKs match."""

    code = Code.RESOURCE_EXHAUSTED

    def __init__(self, size: int, limit: int, decompressed: bool = False) -> None:
        what = (
            "received message after decompression larger than max"
            if decompressed
            else "received message larger than max"
        )
        super().__init__(f"grpc: {what} ({size} vs. {limit})")


class QueryFailed(ServiceError):
    """The workflow answered the query with a failure."""

    code = Code.INVALID_ARGUMENT

    def __init__(self, message: str, failure: Failure | None = None) -> None:
        super().__init__(message)
        self.detail = details.QueryFailedFailure(failure=failure)


def already_running(execution: WorkflowExecution, start_request_id: str) -> WorkflowExecutionAlreadyStarted:
    """The refusal of a start while a run is open."""
    text = f"Workflow execution is already running. WorkflowId: {execution.workflow_id}, RunId: {execution.run_id}."
    return WorkflowExecutionAlreadyStarted(text, start_request_id, execution.run_id)


def _short(name: str) -> str:
    """NAMESPACE_STATE_REGISTERED -> Registered, as the texts of the errors have it."""
    return name.removeprefix("NAMESPACE_STATE_").capitalize()
