"""What simulated workflows do about updates: those of one name are rejected, all others completed at once."""

from collections.abc import Sequence

from google.protobuf.message import Message as AnyMessage
from temporalio.api.command.v1 import Command, ProtocolMessageCommandAttributes
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.enums.v1 import CommandType, UpdateWorkflowExecutionLifecycleStage
from temporalio.api.failure.v1 import Failure
from temporalio.api.protocol.v1 import Message
from temporalio.api.update.v1 import Acceptance, Input, Meta, Outcome, Rejection, Request, Response, WaitPolicy

REJECTED = "rejected"
COMPLETED = WaitPolicy(
    lifecycle_stage=UpdateWorkflowExecutionLifecycleStage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED
)


def change(update_id: str, name: str) -> Request:
    """An update as a client sends it."""
    return Request(meta=Meta(update_id=update_id, identity="c"), input=Input(name=name))


def answers(requests: Sequence[Message], completed: int) -> tuple[list[Message], int]:
    """The answers of a worker to the updates of a task, and how many of them it completed.

    Args:
        requests: the messages of the task.
        completed: how many updates the run has completed before; the outcome of each names its place.
    """
    messages: list[Message] = []
    count = 0
    for each in requests:
        request = Request()
        each.body.Unpack(request)
        update_id = request.meta.update_id
        if request.input.name == REJECTED:
            rejection = Rejection(rejected_request_message_id=each.id, failure=Failure(message="not today"))
            messages.append(_message(update_id, "reject", rejection))
            continue
        count += 1
        accepted = Acceptance(
            accepted_request_message_id=each.id,
            accepted_request_sequencing_event_id=each.event_id,
            accepted_request=request,
        )
        outcome = Outcome(success=Payloads(payloads=[Payload(data=f"{update_id} as {completed + count}".encode())]))
        messages.append(_message(update_id, "accept", accepted))
        messages.append(_message(update_id, "complete", Response(meta=request.meta, outcome=outcome)))
    return messages, count


def places(messages: Sequence[Message]) -> list[Command]:
    """The commands that give messages their places among other commands."""
    return [
        Command(
            command_type=CommandType.COMMAND_TYPE_PROTOCOL_MESSAGE,
            protocol_message_command_attributes=ProtocolMessageCommandAttributes(message_id=each.id),
        )
        for each in messages
    ]


def _message(update_id: str, verb: str, body: AnyMessage) -> Message:
    message = Message(id=f"{update_id}/{verb}", protocol_instance_id=update_id)
    message.body.Pack(body)
    return message
