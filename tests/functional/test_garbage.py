"""Requests of any content to every method: the answer is one a client can act on, and the server lives on."""

import uuid
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import WorkflowType
from temporalio.api.enums.v1 import CommandType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    RegisterNamespaceRequest,
    RespondWorkflowTaskCompletedRequest,
    RespondWorkflowTaskCompletedResponse,
    StartWorkflowExecutionRequest,
    StartWorkflowExecutionResponse,
)

from orchestrator.grpc.handlers import SERVICES
from orchestrator.grpc.unserved import WORKFLOW_SERVICE
from tests.functional.garbage import Garbage
from tests.support.server import Server

METHODS = [f"/{service}/{name}" for service, rows in SERVICES.items() for name in rows]
REQUESTS = {f"/{service}/{name}": row.request for service, rows in SERVICES.items() for name, row in rows.items()}
COMMANDS = list(Command.DESCRIPTOR.oneofs_by_name["attributes"].fields)
IMPROPER = {
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DATA_LOSS,
}
ROUNDS = 20
DEADLINE_S = 1.5


class Caller:
    """A plain client with a namespace of its own.

    There, one run waits for a worker, another has one and two activities: one that waits and one with a worker.
    """

    def __init__(self, server: Server) -> None:
        self.log = server.log
        self.channel = grpc.insecure_channel(server.grpc)
        self.namespace = self.register()
        waiting, working = self.start("waiting"), self.start("working", eager=True)
        scheduled = RespondWorkflowTaskCompletedResponse.FromString(
            self.call(
                "RespondWorkflowTaskCompleted",
                RespondWorkflowTaskCompletedRequest(
                    namespace=self.namespace,
                    task_token=working.eager_workflow_task.task_token,
                    commands=[schedule_activity("queued"), schedule_activity("eager")],
                    return_new_workflow_task=True,
                    force_create_new_workflow_task=True,
                ),
            )
        )
        self.known: dict[str, list[Any]] = {
            "workflow_id": ["waiting", "working", "gone", "nul\0", ""],
            "run_id": [waiting.run_id, working.run_id, "", "not a uuid"],
            "task_token": [scheduled.workflow_task.task_token, scheduled.activity_tasks[0].task_token, b"garbage"],
            "activity_id": ["queued", "eager"],
            "id": ["queued", "eager"],
            "type": ["Type"],
            "name": ["queue", "Type"],
            "paths": ["task_queue", "task_queue.name", "priority", "retry_policy", "retry_policy.initial_interval"],
        }

    def register(self) -> str:
        """A new namespace."""
        request = RegisterNamespaceRequest(namespace=f"garbage-{uuid.uuid4().hex[:12]}")
        request.workflow_execution_retention_period.FromSeconds(86_400)
        self.call("RegisterNamespace", request)
        return request.namespace

    def start(self, workflow_id: str, *, eager: bool = False) -> StartWorkflowExecutionResponse:
        """Starts a run."""
        request = StartWorkflowExecutionRequest(
            namespace=self.namespace,
            workflow_id=workflow_id,
            workflow_type=WorkflowType(name="Type"),
            task_queue=TaskQueue(name="queue"),
            request_id=uuid.uuid4().hex,
            request_eager_execution=eager,
        )
        return StartWorkflowExecutionResponse.FromString(self.call("StartWorkflowExecution", request))

    def call(self, method: str, request: Message) -> bytes:
        """The reply to a method of the workflow service."""
        reply: bytes = self.begin(f"/{WORKFLOW_SERVICE}/{method}", request).result()
        return reply

    def begin(self, path: str, request: Message) -> Any:
        """Begins a call."""
        return self.channel.unary_unary(path).future(request.SerializeToString(), timeout=DEADLINE_S)


@pytest.fixture(scope="session")
def caller(server: Server) -> Iterator[Caller]:
    """The client; nothing it did may have broken anything in the background either."""
    made = Caller(server)
    yield made
    made.start("afterwards")
    made.channel.close()
    assert b"Traceback" not in made.log.read_bytes()


def schedule_activity(activity_id: str) -> Command:
    """The command for an activity; the one called eager is handed out at once."""
    command = Command(command_type=CommandType.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK)
    attributes = command.schedule_activity_task_command_attributes
    attributes.activity_id, attributes.activity_type.name, attributes.task_queue.name = activity_id, "Type", "queue"
    attributes.start_to_close_timeout.FromSeconds(1000)
    attributes.request_eager_execution = activity_id == "eager"
    return command


def refusals(requests: list[Message], calls: list[Any]) -> list[str]:
    """What was answered improperly, and to what."""
    return [
        f"{call.code().name} {call.details()}\n{request}"
        for request, call in zip(requests, calls, strict=True)
        if call.code() in IMPROPER
    ]


@pytest.mark.parametrize("method", METHODS)
def test_any_request_is_answered_properly(caller: Caller, method: str) -> None:
    namespace = caller.register() if method.endswith(("UpdateNamespace", "DeprecateNamespace")) else caller.namespace
    known = caller.known | {"namespace": [namespace]}
    empty, named = REQUESTS[method](), REQUESTS[method]()
    if "namespace" in named.DESCRIPTOR.fields_by_name:
        named.namespace = namespace  # type: ignore[attr-defined]
    requests = [empty, named]
    for number in range(ROUNDS):
        request = REQUESTS[method]()
        Garbage(f"{method} {number}", known).fill(request, 0.1 + 0.8 * number / ROUNDS)
        requests.append(request)
    assert not refusals(requests, [caller.begin(method, request) for request in requests])


@pytest.mark.parametrize("field", COMMANDS, ids=lambda field: field.name)
def test_any_command_is_answered_properly(caller: Caller, field: Any) -> None:
    requests, calls = [], []
    for number in range(ROUNDS):
        token = caller.start(uuid.uuid4().hex, eager=True).eager_workflow_task.task_token
        command = Command(command_type=command_type(field.name))
        Garbage(f"{field.name} {number}", caller.known).fill(getattr(command, field.name), 0.1 + 0.8 * number / ROUNDS)
        requests.append(
            RespondWorkflowTaskCompletedRequest(namespace=caller.namespace, task_token=token, commands=[command])
        )
        calls.append(caller.begin(f"/{WORKFLOW_SERVICE}/RespondWorkflowTaskCompleted", requests[-1]))
    assert not refusals(requests, calls)


def command_type(field: str) -> CommandType.ValueType:
    """The type that goes with a field of attributes."""
    return CommandType.Value(f"COMMAND_TYPE_{field.removesuffix('_command_attributes').upper()}")
