"""Who uses the servers: workers, and clients that start, signal and do not give up before they know."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import WorkflowIdReusePolicy
from temporalio.api.failure.v1 import ApplicationFailureInfo, Failure
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    PollActivityTaskQueueRequest,
    PollActivityTaskQueueResponse,
    PollWorkflowTaskQueueRequest,
    PollWorkflowTaskQueueResponse,
    RespondActivityTaskCompletedRequest,
    RespondActivityTaskCompletedResponse,
    RespondActivityTaskFailedRequest,
    RespondActivityTaskFailedResponse,
    RespondWorkflowTaskCompletedRequest,
    RespondWorkflowTaskCompletedResponse,
    SignalWorkflowExecutionRequest,
    SignalWorkflowExecutionResponse,
    StartWorkflowExecutionRequest,
    StartWorkflowExecutionResponse,
    UpdateWorkflowExecutionRequest,
    UpdateWorkflowExecutionResponse,
)

from orchestrator.errors import NotFound, ServiceError, WorkflowExecutionAlreadyStarted
from tests.chaos.register import Attempt
from tests.simulation import updates
from tests.simulation.plan import ASIDE, QUEUE, Step, completed_updates, decide, encode
from tests.simulation.server import NAMESPACE

if TYPE_CHECKING:
    from tests.simulation.world import World

T = TypeVar("T")
POLL_S = 20.0


class ReplyLost(ConnectionError):
    """The call took place, and the caller does not hear of it."""


@dataclass
class Ledger:
    """What the actors know for certain.

    Attributes:
        started: request ids whose start was acknowledged, with the run id, by workflow id.
        refused: request ids whose start was refused.
        signals: acknowledged signals in the order they were sent, by (workflow id, sender).
        anonymous: whether a signal without a request id was acknowledged, by (workflow id, sender).
        updates: outcomes of updates, by (workflow id, update id); None for a rejection.
        contested: what was seen of the id that many start and terminate.
        reported: results that workers have reported, by (run id, activity id).
    """

    started: dict[str, dict[str, str]] = field(default_factory=dict)
    refused: dict[str, list[str]] = field(default_factory=dict)
    signals: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    anonymous: dict[tuple[str, str], bool] = field(default_factory=dict)
    updates: dict[tuple[str, str], str | None] = field(default_factory=dict)
    contested: list[Attempt] = field(default_factory=list)
    reported: dict[tuple[str, str], set[str]] = field(default_factory=dict)


class Actor:
    """Somebody with a network of their own.

    Args:
        world: where the servers are.
        rng: their luck.
    """

    def __init__(self, world: "World", rng: random.Random) -> None:
        self.world = world
        self.rng = rng

    async def once(
        self, method: str, request: Message, reply: type[T], seconds: float = 10.0, *, repeatable: bool = True
    ) -> T:
        """One call, perhaps delivered twice, perhaps without hearing the answer."""
        weather = self.world.weather
        await asyncio.sleep(self.rng.uniform(0, 0.01))
        server = self.rng.choice(self.world.servers)
        if repeatable and self.rng.random() < weather.request:
            server.run(_quietly(server.call(method, request, reply, seconds)))
        try:
            async with asyncio.timeout(seconds + 1):
                answer = await server.call(method, request, reply, seconds)
        except TimeoutError:
            raise ReplyLost from None
        if self.rng.random() < weather.reply:
            raise ReplyLost
        return answer

    async def insist(self, method: str, request: Message, reply: type[T]) -> T:
        """The same call until there is an answer; raises refusals that another attempt would not change."""
        while True:
            try:
                return await self.once(method, request, reply)
            except (NotFound, WorkflowExecutionAlreadyStarted):
                raise
            except (ConnectionError, ServiceError):
                await self.pause()

    async def pause(self) -> None:
        """Waits before another attempt."""
        await asyncio.sleep(self.rng.uniform(0.01, 0.5))


async def _quietly(call: "asyncio.Future[object] | object") -> None:
    try:
        await call  # type: ignore[misc]
    except (ServiceError, ConnectionError):
        pass


class WorkflowWorker(Actor):
    """Decides by the plan; sometimes it dies with a task in hand."""

    async def live(self) -> None:
        """Polls for ever."""
        request = PollWorkflowTaskQueueRequest(namespace="default", task_queue=TaskQueue(name=QUEUE), identity="w")
        while True:
            try:
                task = await self.once("PollWorkflowTaskQueue", request, PollWorkflowTaskQueueResponse, POLL_S)
            except (ConnectionError, ServiceError):
                await asyncio.sleep(self.rng.uniform(0.01, 0.3))
                continue
            if not task.task_token or self.rng.random() < self.world.weather.reply:
                continue
            events = task.history.events
            messages, completed = updates.answers(task.messages, completed_updates(events))
            commands = decide(task.workflow_execution.workflow_id, events, completed)
            done = RespondWorkflowTaskCompletedRequest(
                namespace="default",
                task_token=task.task_token,
                identity="w",
                commands=[*updates.places(messages), *commands],
                messages=messages,
            )
            try:
                await self.once("RespondWorkflowTaskCompleted", done, RespondWorkflowTaskCompletedResponse)
            except (ConnectionError, ServiceError):
                continue


class ActivityWorker(Actor):
    """Fails sometimes, reports each result under a name of its own, and reports stubbornly."""

    async def live(self) -> None:
        """Polls for ever."""
        request = PollActivityTaskQueueRequest(namespace="default", task_queue=TaskQueue(name=QUEUE), identity="a")
        while True:
            try:
                task = await self.once("PollActivityTaskQueue", request, PollActivityTaskQueueResponse, POLL_S)
                if task.task_token:
                    await self._work(task)
            except (ConnectionError, ServiceError):
                await asyncio.sleep(self.rng.uniform(0.01, 0.3))

    async def _work(self, task: PollActivityTaskQueueResponse) -> None:
        await asyncio.sleep(self.rng.choice([0, 0.01, 0.1, 6.0] if self.rng.random() < 0.2 else [0, 0.01]))
        if self.rng.random() < 0.2:
            failed = RespondActivityTaskFailedRequest(
                namespace="default",
                task_token=task.task_token,
                failure=Failure(message="by chance", application_failure_info=ApplicationFailureInfo(type="Chance")),
            )
            await self.insist("RespondActivityTaskFailed", failed, RespondActivityTaskFailedResponse)
            return
        name = f"{task.attempt}-{self.rng.getrandbits(32):08x}"
        self.world.ledger.reported.setdefault((task.workflow_execution.run_id, task.activity_id), set()).add(name)
        done = RespondActivityTaskCompletedRequest(
            namespace="default",
            task_token=task.task_token,
            result=Payloads(payloads=[Payload(metadata={"encoding": b"json/plain"}, data=name.encode())]),
        )
        await self.insist("RespondActivityTaskCompleted", done, RespondActivityTaskCompletedResponse)


class Client(Actor):
    """Starts a workflow that others start too, signals and updates it."""

    async def live(self, workflow_id: str, name: str, steps: Sequence[Step], signals: int) -> None:
        """Starts, then sends signals one after the other; an update before, where the workflow waits for updates."""
        await self._start(workflow_id, f"{workflow_id}-{name}", steps)
        await self._signal_once(workflow_id, name)
        if any(step.kind == "updates" for step in steps):
            await self._update(workflow_id, f"{name}-1", updates.REJECTED)
            await self._update(workflow_id, f"{name}-2", "visit")
        sent = self.world.ledger.signals.setdefault((workflow_id, name), [])
        for number in range(signals):
            request = signal(workflow_id, name, str(number), f"{workflow_id}-{name}-{number}")
            await self.insist("SignalWorkflowExecution", request, SignalWorkflowExecutionResponse)
            sent.append(str(number))

    async def _start(self, workflow_id: str, request_id: str, steps: Sequence[Step]) -> None:
        ledger = self.world.ledger
        request = StartWorkflowExecutionRequest(
            namespace=NAMESPACE.name,
            workflow_id=workflow_id,
            workflow_type=WorkflowType(name="main"),
            task_queue=TaskQueue(name=QUEUE),
            input=encode(steps),
            request_id=request_id,
            workflow_id_reuse_policy=WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
        )
        try:
            reply = await self.insist("StartWorkflowExecution", request, StartWorkflowExecutionResponse)
        except WorkflowExecutionAlreadyStarted:
            ledger.refused.setdefault(workflow_id, []).append(request_id)
        else:
            ledger.started.setdefault(workflow_id, {})[request_id] = reply.run_id

    async def _update(self, workflow_id: str, update_id: str, name: str) -> None:
        request = UpdateWorkflowExecutionRequest(
            namespace="default",
            workflow_execution=WorkflowExecution(workflow_id=workflow_id),
            wait_policy=updates.COMPLETED,
            request=updates.change(update_id, name),
        )
        while True:
            reply = await self.insist("UpdateWorkflowExecution", request, UpdateWorkflowExecutionResponse)
            if reply.HasField("outcome"):
                break
        success = reply.outcome.success.payloads
        self.world.ledger.updates[workflow_id, update_id] = success[0].data.decode() if success else None

    async def _signal_once(self, workflow_id: str, name: str) -> None:
        """A repetition of this signal would not be recognised: it is sent once, whatever becomes of it."""
        request = signal(workflow_id, name + ASIDE, "", "")
        try:
            await self.once("SignalWorkflowExecution", request, SignalWorkflowExecutionResponse, repeatable=False)
        except (ServiceError, ConnectionError):
            known = False
        else:
            known = True
        self.world.ledger.anonymous[workflow_id, name + ASIDE] = known


def signal(workflow_id: str, name: str, content: str, request_id: str) -> SignalWorkflowExecutionRequest:
    """A signal."""
    return SignalWorkflowExecutionRequest(
        namespace="default",
        workflow_execution=WorkflowExecution(workflow_id=workflow_id),
        signal_name=name,
        input=Payloads(payloads=[Payload(metadata={"encoding": b"json/plain"}, data=content.encode())]),
        request_id=request_id,
    )
