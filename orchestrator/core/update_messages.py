"""The messages a worker answers updates with: each is about one update and must fit the state it is in.

A message that has a command is processed in the command's place, so that its events stand between those of the other
commands; the rest follows after the last command.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from google.protobuf.message import DecodeError
from google.protobuf.message import Message as AnyMessage
from temporalio.api.enums.v1 import WorkflowTaskFailedCause
from temporalio.api.protocol.v1 import Message
from temporalio.api.update.v1 import Acceptance, Rejection, Request, Response

from orchestrator.core import update
from orchestrator.core.command_checks import CommandFailed, too_large
from orchestrator.core.completion import Completion
from orchestrator.core.run import Run
from orchestrator.core.state import Update

PROTOCOL = "temporal.api.update.v1"
CAUSE = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_BAD_UPDATE_WORKFLOW_EXECUTION_MESSAGE


def only_rejections(messages: Iterable[Message]) -> bool:
    """Whether a worker has nothing to say but that it rejects updates."""
    return all(message.body.Is(Rejection.DESCRIPTOR) for message in messages)


def process_rest(run: Run, completion: Completion) -> None:
    """Processes the messages no command stands for; raises CommandFailed."""
    while completion.messages:
        process(run, completion.messages.pop(0), completion)


def process(run: Run, message: Message, completion: Completion) -> None:
    """Does what a message says; raises CommandFailed when it makes no sense."""
    protocol, _, name = message.body.TypeName().rpartition(".")
    if protocol != PROTOCOL:
        raise CommandFailed(CAUSE, f"unsupported protocol type {protocol}")
    row = KINDS.get(name)
    if row is None:
        raise CommandFailed(CAUSE, f"Message type *update.{name} not supported")
    too_large(CAUSE, f"Message type {message.body.TypeName()}", len(message.body.value), run.limits.blob_size)
    try:
        body = row.parse(message.body.value)
    except DecodeError as error:
        raise CommandFailed(CAUSE, f"unable to unmarshal request: {error}") from None
    update_id = message.protocol_instance_id
    if not run.state.running:
        _after_close(run, update_id, body)
        return
    row.apply(run, update_id, body, completion)


def _accept(run: Run, update_id: str, body: Acceptance, completion: Completion) -> None:
    found = _find(run, update_id, body.accepted_request if body.HasField("accepted_request") else None)
    _expect(run, update_id, found, "Acceptance", accepted=False, completion=completion)
    _require(body, "Acceptance", "accepted_request_message_id")
    update.accept(run, update_id, body)


def _respond(run: Run, update_id: str, body: Response, completion: Completion) -> None:
    found = _find(run, update_id, None)
    _expect(run, update_id, found, "Response", accepted=True, completion=completion)
    _require(body, "Response", "meta", "outcome")
    if body.meta.update_id != update_id:
        text = f"invalid *update.Response: meta.update_id is {body.meta.update_id}, not {update_id}"
        raise CommandFailed(CAUSE, text)
    update.complete(run, update_id, body)


def _reject(run: Run, update_id: str, body: Rejection, completion: Completion) -> None:
    found = _find(run, update_id, body.rejected_request if body.HasField("rejected_request") else None)
    _expect(run, update_id, found, "Rejection", accepted=False, completion=completion)
    _require(body, "Rejection", "rejected_request_message_id", "failure")
    update.reject(run, update_id, body)


def _after_close(run: Run, update_id: str, body: AnyMessage) -> None:
    """A closed run can only hear that an update was rejected; the others have been aborted by the close."""
    known = run.news.get(update_id)
    if isinstance(body, Rejection) and known is not None and known.aborted:
        update.reject(run, update_id, body)


def _find(run: Run, update_id: str, request: Request | None) -> Update | None:
    """The pending update; None for a completed one. One the server has lost comes back with a copy of its request."""
    found = run.state.updates.get(update_id)
    if found is not None or update_id in run.state.completed_updates:
        return found
    if request is None:
        raise CommandFailed(
            CAUSE,
            f"update {update_id} wasn't found on the server. This is most likely a transient error which will be "
            "resolved automatically by retries",
        )
    found = run.state.updates[update_id] = Update(request.SerializeToString(), sent=True)
    return found


def _expect(
    run: Run, update_id: str, found: Update | None, name: str, *, accepted: bool, completion: Completion
) -> None:
    """Raises CommandFailed when such a message cannot come in the update's state."""
    if found is None:
        event_id, state = run.state.completed_updates[update_id], "Completed"
    elif found.accepted_event_id:
        if accepted:
            return
        event_id, state = found.accepted_event_id, "Accepted"
    elif found.sent:
        if not accepted:
            return
        event_id, state = 0, "Sent"
    else:
        event_id, state = 0, "Admitted"
    if event_id > completion.event_id:
        state = f"Provisionally{state}"
    raise CommandFailed(
        CAUSE,
        f"invalid state transition attempted for Update {update_id}: "
        f"received *update.{name} message while in state {state}",
    )


def _require(body: AnyMessage, name: str, *fields: str) -> None:
    present: Iterable[str] = {field.name for field, _ in body.ListFields()}
    for field in fields:
        if field not in present:
            raise CommandFailed(CAUSE, f"invalid *update.{name}: {field} is not set")


class Kind(NamedTuple):
    """One kind of message."""

    parse: Callable[[bytes], AnyMessage]
    apply: Callable[..., None]


KINDS = {
    "Acceptance": Kind(Acceptance.FromString, _accept),
    "Response": Kind(Response.FromString, _respond),
    "Rejection": Kind(Rejection.FromString, _reject),
}
