"""Clients that start, terminate and describe the same few workflow ids under every policy."""

import asyncio
import random
import time
from typing import Any

from temporalio.api.common.v1 import WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.errordetails.v1 import WorkflowExecutionAlreadyStartedFailure
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    StartWorkflowExecutionRequest,
    TerminateWorkflowExecutionRequest,
)
from temporalio.service import RPCError, RPCStatusCode

from tests.chaos.calls import Calls, Unheard
from tests.chaos.journeys import NAMESPACE
from tests.chaos.register import NEVER, Attempt, Conflict, Describe, Outcome, Reuse, Start, Terminate

NOBODY = "nobody polls this queue"
Call = Start | Terminate | Describe


class Contest:
    """Calls about one workflow id.

    Args:
        calls: reaches the cluster.
        workflow_id: which one.
        chance: which calls.
    """

    def __init__(self, calls: Calls, workflow_id: str, chance: random.Random) -> None:
        self._calls = calls
        self._workflow_id = workflow_id
        self._chance = chance
        self._attempts = calls.journal.contested.setdefault(workflow_id, [])

    async def be_held(self, rivals: int, moves: int) -> None:
        """Lets rivals make their moves side by side, then ends the run that is left."""
        await asyncio.gather(*(self._take_part(f"rival-{rival}", moves) for rival in range(rivals)))
        await self._close()

    async def _take_part(self, name: str, moves: int) -> None:
        """Makes calls one after the other, some of them again and again until they are answered."""
        for move in range(moves):
            call = self._choose(f"{self._workflow_id} {name} {move}")
            while not await self._attempt(call) and self._chance.random() < 0.7:
                await self._calls.pause()
            await self._calls.pause()

    async def _close(self) -> None:
        attempt = 0
        while not await self._attempt(Terminate(f"{self._workflow_id} close {attempt}")):
            attempt += 1
            await self._calls.pause()

    def _choose(self, name: str) -> Call:
        kind = self._chance.choice((Start, Start, Start, Terminate, Describe))
        if kind is Start:
            reuse, conflict = self._chance.choice(list(Reuse)), self._chance.choice(list(Conflict))
            if reuse is Reuse.REJECT and conflict is Conflict.TERMINATE:
                conflict = Conflict.FAIL  # the two are refused together
            return Start(name, reuse, conflict)
        return Terminate(name) if kind is Terminate else Describe()

    async def _attempt(self, call: Call) -> bool:
        """Makes a call and notes it; whether it was answered. No two attempts to terminate share a reason."""
        if isinstance(call, Terminate):
            call = Terminate(f"{call.reason} {len(self._attempts)}")
        begun = time.monotonic()
        try:
            outcome, run_id = await _SENDERS[type(call)](self, call)
        except Unheard:
            self._attempts.append(Attempt(begun, NEVER, call))
            return False
        self._attempts.append(Attempt(begun, time.monotonic(), call, outcome, run_id))
        return True

    async def _start(self, call: Start) -> tuple[Outcome, str]:
        request = StartWorkflowExecutionRequest(
            namespace=NAMESPACE,
            workflow_id=self._workflow_id,
            workflow_type=WorkflowType(name="Contested"),
            task_queue=TaskQueue(name=NOBODY),
            request_id=call.request_id,
            workflow_id_reuse_policy=call.reuse.value,  # type: ignore[arg-type]
            workflow_id_conflict_policy=call.conflict.value,  # type: ignore[arg-type]
        )
        try:
            reply = await self._calls.once("start_workflow_execution", request)
        except RPCError as error:
            if error.status is not RPCStatusCode.ALREADY_EXISTS:
                raise
            return Outcome.REFUSED, _detail(error).run_id
        return (Outcome.BEGAN if reply.started else Outcome.USED), reply.run_id

    async def _terminate(self, call: Terminate) -> tuple[Outcome, str]:
        request = TerminateWorkflowExecutionRequest(
            namespace=NAMESPACE,
            workflow_execution=WorkflowExecution(workflow_id=self._workflow_id),
            reason=call.reason,
        )
        try:
            await self._calls.once("terminate_workflow_execution", request)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return Outcome.ABSENT, ""
        return Outcome.ENDED, ""

    async def _describe(self, _: Describe) -> tuple[Outcome, str]:
        request = DescribeWorkflowExecutionRequest(
            namespace=NAMESPACE, execution=WorkflowExecution(workflow_id=self._workflow_id)
        )
        try:
            reply = await self._calls.once("describe_workflow_execution", request)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return Outcome.ABSENT, ""
        info = reply.workflow_execution_info
        running = info.status == WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING
        return (Outcome.OPEN if running else Outcome.CLOSED), info.execution.run_id


def _detail(error: RPCError) -> WorkflowExecutionAlreadyStartedFailure:
    detail = WorkflowExecutionAlreadyStartedFailure()
    error.grpc_status.details[0].Unpack(detail)
    return detail


_SENDERS: dict[type[Call], Any] = {
    Start: Contest._start,
    Terminate: Contest._terminate,
    Describe: Contest._describe,
}
