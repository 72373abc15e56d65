"""Clients that take workflows through their lives: they start, signal, update and query them, and wait for the end."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import EventType, HistoryEventFilterType, UpdateWorkflowExecutionLifecycleStage
from temporalio.api.query.v1 import WorkflowQuery
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.update.v1 import Input, Meta, Request, WaitPolicy
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryRequest,
    QueryWorkflowRequest,
    SignalWorkflowExecutionRequest,
    StartWorkflowExecutionRequest,
    UpdateWorkflowExecutionRequest,
)
from temporalio.converter import default as default_converter
from temporalio.service import RPCError, RPCStatusCode

from tests.chaos.calls import Calls, Unheard
from tests.chaos.journal import Queried
from tests.chaos.workflows import REJECTED, Journey

SENDERS = 2
LONG_POLL = timedelta(seconds=15)
NAMESPACE = "default"


class Traveller:
    """Somebody who takes one workflow through its life.

    Args:
        calls: reaches the cluster.
        task_queue: of the workflow.
        workflow_id: of it.
        journey: what it does.
    """

    def __init__(self, calls: Calls, task_queue: str, workflow_id: str, journey: Journey) -> None:
        self._calls = calls
        self._journal = calls.journal
        self._task_queue = task_queue
        self._workflow_id = workflow_id
        self._journey = journey
        self._sent = 0
        self._acknowledged = 0

    async def live(self) -> None:
        """From its start to its end."""
        await self._start()
        each, more = divmod(self._journey.signals, SENDERS)
        senders: list[Awaitable[None]] = [
            self._send(f"sender-{number}", each + (more if number == 0 else 0)) for number in range(SENDERS)
        ]
        await asyncio.gather(*senders, self._send_updates(), self._query())
        self._journal.results[self._workflow_id] = await self._end()

    async def _start(self) -> None:
        request = StartWorkflowExecutionRequest(
            namespace=NAMESPACE,
            workflow_id=self._workflow_id,
            workflow_type=WorkflowType(name="Traveller"),
            task_queue=TaskQueue(name=self._task_queue),
            input=Payloads(payloads=await _encoded(self._journey)),
            request_id=f"start {self._workflow_id}",
        )
        request.workflow_task_timeout.FromSeconds(5)
        started = await self._calls.insist("start_workflow_execution", request)
        self._journal.started[self._workflow_id] = started.run_id

    async def _send(self, sender: str, count: int) -> None:
        acknowledged = self._journal.signals.setdefault(self._workflow_id, {}).setdefault(sender, [])
        for number in range(count):
            content = f"{sender} {number}"
            request = SignalWorkflowExecutionRequest(
                namespace=NAMESPACE,
                workflow_execution=WorkflowExecution(workflow_id=self._workflow_id),
                signal_name="arrive",
                input=Payloads(payloads=await _encoded(content)),
                request_id=f"{self._workflow_id} {content}",
            )
            self._sent += 1
            await self._signal(request)
            acknowledged.append(content)
            self._acknowledged += 1

    async def _signal(self, request: SignalWorkflowExecutionRequest) -> None:
        """A workflow ends only after all its signals: a repetition that finds it closed repeats one that came."""
        unheard = False
        while True:
            try:
                await self._calls.once("signal_workflow_execution", request)
                return
            except Unheard:
                unheard = True
                await self._calls.pause()
            except RPCError as error:
                if error.status is RPCStatusCode.NOT_FOUND and unheard:
                    return
                raise

    async def _send_updates(self) -> None:
        """The one that is rejected comes first: the workflow does not end before the others have come."""
        if self._journey.updates:
            await self._update(f"{REJECTED}-0")
            await asyncio.gather(*(self._update(f"visit-{number}") for number in range(self._journey.updates)))

    async def _update(self, update_id: str) -> None:
        request = UpdateWorkflowExecutionRequest(
            namespace=NAMESPACE,
            workflow_execution=WorkflowExecution(workflow_id=self._workflow_id),
            wait_policy=WaitPolicy(
                lifecycle_stage=UpdateWorkflowExecutionLifecycleStage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED
            ),
            request=Request(
                meta=Meta(update_id=update_id, identity="chaos"),
                input=Input(name="visit", args=Payloads(payloads=await _encoded(update_id))),
            ),
        )
        while True:
            reply = await self._calls.insist("update_workflow_execution", request)
            if reply.HasField("outcome"):
                break
        success = reply.outcome.WhichOneof("value") == "success"
        outcome = (await _decoded(reply.outcome.success.payloads, str)) if success else None
        self._journal.updates.setdefault(self._workflow_id, {})[update_id] = outcome

    async def _query(self) -> None:
        request = QueryWorkflowRequest(
            namespace=NAMESPACE,
            execution=WorkflowExecution(workflow_id=self._workflow_id),
            query=WorkflowQuery(query_type="arrived"),
        )
        before = self._acknowledged
        try:
            reply = await self._calls.once("query_workflow", request)
        except (Unheard, RPCError):
            return  # a query promises no answer
        answer = await _decoded(reply.query_result.payloads, int)
        self._journal.queried.append(Queried(self._workflow_id, before, answer, self._sent))

    async def _end(self) -> list[str]:
        """What the last run of the chain returned."""
        request = GetWorkflowExecutionHistoryRequest(
            namespace=NAMESPACE,
            execution=WorkflowExecution(workflow_id=self._workflow_id),
            wait_new_event=True,
            history_event_filter_type=HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT,
        )
        while True:
            reply = await self._calls.insist("get_workflow_execution_history", request, LONG_POLL)
            last = reply.history.events[-1] if reply.history.events else None
            if last is None or last.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
                continue
            if last.event_type != EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
                how, why = (
                    EventType.Name(last.event_type),
                    last.workflow_execution_failed_event_attributes.failure.message,
                )
                raise AssertionError(f"{self._workflow_id} ended with {how} {why}")
            payloads = last.workflow_execution_completed_event_attributes.result.payloads
            result: list[str] = await _decoded(payloads, list[str])
            return result


async def _encoded(value: object) -> list[Payload]:
    return await default_converter().encode([value])


async def _decoded(payloads: Any, kind: Any) -> Any:
    (value,) = await default_converter().decode(list(payloads), [kind])
    return value
