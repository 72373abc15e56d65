"""Updates to one run, each accepted and completed in one workflow task."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Any

from temporalio.api.command.v1 import Command, ProtocolMessageCommandAttributes
from temporalio.api.common.v1 import Payloads, WorkflowExecution
from temporalio.api.enums.v1 import CommandType, UpdateWorkflowExecutionLifecycleStage
from temporalio.api.protocol.v1 import Message
from temporalio.api.update.v1 import Acceptance, Input, Meta, Outcome, Request, Response, WaitPolicy
from temporalio.api.workflowservice.v1 import UpdateWorkflowExecutionRequest

from benchmarks.run_load import RunLoad

COMPLETED = UpdateWorkflowExecutionLifecycleStage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED


class UpdateLoad(RunLoad):
    """`count` updates, `concurrency` in flight. Ten are what a run takes at once, and 2,000 in all."""

    async def open(self) -> None:
        await super().open()
        self._workflow_id = self.run_name
        self._ready = asyncio.Event()
        for i in range(self.options.pollers):
            self.behind(self._work(i, sticky=False))
            self.behind(self._work(i, sticky=True))
        await self.start(0, self._workflow_id)
        await self._ready.wait()
        self.sample.methods.clear()

    async def run(self) -> None:
        numbers = iter(range(self.options.count))

        async def one_after_the_other() -> None:
            for i in numbers:
                began = time.perf_counter()
                reply = await self.call("UpdateWorkflowExecution", i, self._update())
                if reply is not None and reply.outcome.HasField("success"):
                    self.sample.finished += 1
                    self.sample.latencies.append(time.perf_counter() - began)

        await self.timed(asyncio.gather(*(one_after_the_other() for _ in range(self.options.concurrency))))

    def _update(self) -> UpdateWorkflowExecutionRequest:
        return UpdateWorkflowExecutionRequest(
            namespace=self.options.namespace,
            workflow_execution=WorkflowExecution(workflow_id=self._workflow_id),
            wait_policy=WaitPolicy(lifecycle_stage=COMPLETED),
            request=Request(meta=Meta(update_id=str(uuid.uuid4()), identity="bench"), input=Input(name="update")),
        )

    async def _work(self, index: int, *, sticky: bool) -> None:
        async for task in self.tasks(index, sticky=sticky):
            answers = [answer for message in task.messages for answer in _answers(message)]
            commands = [
                Command(
                    command_type=CommandType.COMMAND_TYPE_PROTOCOL_MESSAGE,
                    protocol_message_command_attributes=ProtocolMessageCommandAttributes(message_id=answer.id),
                )
                for answer in answers
            ]
            await self.complete(index, task, commands, answers)
            self._ready.set()


def _answers(message: Any) -> list[Message]:
    """An acceptance and an outcome."""
    request = Request()
    message.body.Unpack(request)
    accepted = Message(id=f"{message.id}/accept", protocol_instance_id=message.protocol_instance_id)
    accepted.body.Pack(
        Acceptance(
            accepted_request_message_id=message.id,
            accepted_request_sequencing_event_id=message.event_id,
            accepted_request=request,
        )
    )
    completed = Message(id=f"{message.id}/complete", protocol_instance_id=message.protocol_instance_id)
    completed.body.Pack(Response(meta=request.meta, outcome=Outcome(success=Payloads())))
    return [accepted, completed]
