"""Simulated rivals who start, terminate and look at one workflow id under every policy."""

import random
from typing import TYPE_CHECKING

from temporalio.api.common.v1 import WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    DescribeWorkflowExecutionResponse,
    StartWorkflowExecutionRequest,
    StartWorkflowExecutionResponse,
    TerminateWorkflowExecutionRequest,
    TerminateWorkflowExecutionResponse,
)

from orchestrator.errors import NotFound, ServiceError, WorkflowExecutionAlreadyStarted
from tests.chaos.register import NEVER, Attempt, Conflict, Describe, Outcome, Reuse, Start, Terminate
from tests.simulation.actors import Actor

if TYPE_CHECKING:
    from tests.simulation.world import World

ID = "contested"
Call = Start | Terminate | Describe


class Rival(Actor):
    """One of them; what they see is noted in the ledger.

    Args:
        world: where the servers are.
        rng: their luck.
        name: of all their calls.
    """

    def __init__(self, world: "World", rng: random.Random, name: str) -> None:
        super().__init__(world, rng)
        self._name = name

    async def live(self, moves: int) -> None:
        """Calls, one after the other, some of them again and again until they are answered."""
        for move in range(moves):
            call = self._choose(f"{self._name}-{move}")
            while not await self._attempt(call) and self.rng.random() < 0.7:
                await self.pause()
            await self.pause()

    async def close(self) -> None:
        """Ends the run that is left."""
        while not await self._attempt(Terminate(f"{self._name}-close")):
            await self.pause()

    def _choose(self, name: str) -> Call:
        kind = self.rng.choice((Start, Start, Start, Terminate, Describe))
        if kind is Start:
            reuse, conflict = self.rng.choice(list(Reuse)), self.rng.choice(list(Conflict))
            if reuse is Reuse.REJECT and conflict is Conflict.TERMINATE:
                conflict = Conflict.FAIL  # the two are refused together
            return Start(name, reuse, conflict)
        return Terminate(name) if kind is Terminate else Describe()

    async def _attempt(self, call: Call) -> bool:
        attempts = self.world.ledger.contested
        if isinstance(call, Terminate):
            call = Terminate(f"{call.reason} {len(attempts)}")
        begun = self.world.loop.time()
        try:
            outcome, run_id = await self._make(call)
        except (ConnectionError, ServiceError):
            attempts.append(Attempt(begun, NEVER, call))
            return False
        attempts.append(Attempt(begun, self.world.loop.time(), call, outcome, run_id))
        return True

    async def _make(self, call: Call) -> tuple[Outcome, str]:
        execution = WorkflowExecution(workflow_id=ID)
        try:
            match call:
                case Start():
                    started = await self.once(
                        "StartWorkflowExecution", _request(call), StartWorkflowExecutionResponse, repeatable=False
                    )
                    return (Outcome.BEGAN if started.started else Outcome.USED), started.run_id
                case Terminate(reason=reason):
                    terminate = TerminateWorkflowExecutionRequest(
                        namespace="default", workflow_execution=execution, reason=reason
                    )
                    await self.once(
                        "TerminateWorkflowExecution", terminate, TerminateWorkflowExecutionResponse, repeatable=False
                    )
                    return Outcome.ENDED, ""
                case Describe():
                    describe = DescribeWorkflowExecutionRequest(namespace="default", execution=execution)
                    seen = await self.once(
                        "DescribeWorkflowExecution", describe, DescribeWorkflowExecutionResponse, repeatable=False
                    )
                    info = seen.workflow_execution_info
                    running = info.status == WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING
                    return (Outcome.OPEN if running else Outcome.CLOSED), info.execution.run_id
        except WorkflowExecutionAlreadyStarted as error:
            return Outcome.REFUSED, error.detail.run_id
        except NotFound:
            return Outcome.ABSENT, ""


def _request(call: Start) -> StartWorkflowExecutionRequest:
    return StartWorkflowExecutionRequest(
        namespace="default",
        workflow_id=ID,
        workflow_type=WorkflowType(name="contested"),
        task_queue=TaskQueue(name="nobody polls this queue"),
        request_id=call.request_id,
        workflow_id_reuse_policy=call.reuse.value,  # type: ignore[arg-type]
        workflow_id_conflict_policy=call.conflict.value,  # type: ignore[arg-type]
    )
