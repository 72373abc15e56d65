"""Queries in flight: with a worker of their own, or waiting to travel with a workflow task.

Queries live in memory only; a caller whose server dies asks again.
"""

import asyncio
from dataclasses import dataclass, field

from temporalio.api.query.v1 import WorkflowQuery
from temporalio.api.workflowservice.v1 import QueryWorkflowResponse

from orchestrator.store.ports import RunKey


@dataclass(eq=False, slots=True)
class Query:
    """One question and its answer.

    Attributes:
        id: names it towards the worker.
        key: the run that is asked.
        namespace_id: of the workflow.
        workflow_id: of the run.
        workflow_type: of the run.
        normal_queue: of the run.
        previous_started_event_id: of its last completed workflow task.
        last_event_id: what the answer is based on, when the worker needs the history.
        query: the question.
        answer: the reply or the error for the caller; None when the workflow task it travelled with ended without one.
    """

    id: str
    key: RunKey
    namespace_id: str
    workflow_id: str
    workflow_type: str
    normal_queue: str
    previous_started_event_id: int
    last_event_id: int
    query: WorkflowQuery
    answer: "asyncio.Future[QueryWorkflowResponse | None]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def resolve(self, reply: QueryWorkflowResponse | None) -> None:
        """Answers; a second answer is ignored."""
        if not self.answer.done():
            self.answer.set_result(reply)

    def fail(self, error: Exception) -> None:
        """Answers with an error."""
        if not self.answer.done():
            self.answer.set_exception(error)


class Queries:
    """All queries of this process; used on the event loop only."""

    def __init__(self) -> None:
        self._direct: dict[str, Query] = {}
        self._buffered: dict[str, dict[str, Query]] = {}

    def ask_directly(self, query: Query) -> None:
        """Registers a query that gets a task of its own."""
        self._direct[query.id] = query

    def direct(self, task_id: str) -> Query | None:
        """The query of a query task, once; None when it is answered, or its caller gave up."""
        return self._direct.pop(task_id, None)

    def buffer(self, query: Query) -> None:
        """Registers a query that travels with the next workflow task of its run."""
        self._buffered.setdefault(query.key.run_id, {})[query.id] = query

    def buffered(self, run_id: str) -> dict[str, Query]:
        """The queries that wait in a run, by id."""
        return self._buffered.get(run_id, {})

    def withdraw(self, query: Query) -> None:
        """Forgets a query whose caller is gone or has its answer."""
        self._direct.pop(query.id, None)
        waiting = self._buffered.get(query.key.run_id)
        if waiting is not None:
            waiting.pop(query.id, None)
            if not waiting:
                del self._buffered[query.key.run_id]
