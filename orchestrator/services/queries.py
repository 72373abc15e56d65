"""Queries in flight: with a worker of their own, or waiting to travel with a workflow task, here or in other processes.

Queries live in memory only; a caller whose server dies asks again. A query that is a task of its own is offered to the
polls of this process and, one after the other, to the processes that have polls of its queue, until a worker takes it.
Of a query that travels all processes know, for any of them may start the workflow task. The answer goes to the process
that its id names. What a lost message leaves undone is tried again, or ends with the time of the caller.
"""

import asyncio
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from temporalio.api.enums.v1 import QueryResultType
from temporalio.api.query.v1 import WorkflowQuery, WorkflowQueryResult
from temporalio.api.workflowservice.v1 import QueryWorkflowResponse

from orchestrator.core.run import WORKFLOW
from orchestrator.errors import QueryFailed
from orchestrator.services import query_messages as messages
from orchestrator.services.matching import Matching
from orchestrator.services.peers import Peers
from orchestrator.services.pollers import QueueKey
from orchestrator.services.query_messages import origin_of
from orchestrator.store.ports import RunKey

OFFER_S = 0.5
"""How long a process may take to find a worker for a query, before another one is asked, or the same again."""
ANSWER_S = 5.0
"""How long the answer of a worker is waited for before another one is asked too, in a cluster; then twice as long."""
LIFE_SIGN_S = 1.0
"""How often it is looked whether the process whose worker has a query is still there."""
RECEIPT_S = 0.5
RECEIPTS = 3
"""How long, and how often, an answer waits for the word that it has arrived."""


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
        answer: the reply or the error for the caller; None when the workflow task it travelled with ended without one,
            or when another process does not wait for it any more.
        taker: the member whose worker has it.
        attempt: how often a worker had it before, and was not heard of.
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
    taker: "asyncio.Future[str]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    attempt: int = 0

    def resolve(self, reply: QueryWorkflowResponse | None) -> None:
        """Answers; a second answer is ignored."""
        if not self.answer.done():
            self.answer.set_result(reply)

    def fail(self, error: Exception) -> None:
        """Answers with an error."""
        if not self.answer.done():
            self.answer.set_exception(error)

    def conclude(self, result: WorkflowQueryResult, limit: int) -> None:
        """Answers with what a worker said, of `limit` bytes at most."""
        if result.result_type == QueryResultType.QUERY_RESULT_TYPE_ANSWERED:
            if result.answer.ByteSize() > limit:
                self.fail(QueryFailed("Blob data size exceeds limit."))
            else:
                self.resolve(QueryWorkflowResponse(query_result=result.answer))
        elif result.result_type == QueryResultType.QUERY_RESULT_TYPE_FAILED:
            self.fail(QueryFailed(result.error_message, result.failure if result.HasField("failure") else None))

    def taken(self, member: str) -> None:
        """A worker of a member has it."""
        if not self.taker.done():
            self.taker.set_result(member)

    def begin_again(self) -> None:
        """The worker that has it is not waited for any more."""
        self.attempt += 1
        self.taker = asyncio.get_running_loop().create_future()


class Queries:
    """All queries this process has to do with; used on the event loop only.

    Args:
        peers: the other processes.
        matching: has the polls.
        limit: bytes of an answer, at most.
    """

    def __init__(self, peers: Peers, matching: Matching, limit: int) -> None:
        self._peers = peers
        self._matching = matching
        self._limit = limit
        self._direct: dict[str, Query] = {}
        self._buffered: dict[str, dict[str, Query]] = {}
        self._guests: dict[str, tuple[QueueKey, Query]] = {}
        self._receipts: dict[str, asyncio.Future[bool]] = {}
        peers.on(messages.QueryAsked, self._asked)
        peers.on(messages.QueryTaken, self._taken_elsewhere)
        peers.on(messages.QueryWithdrawn, lambda _, message: self._dismiss(message.id))
        peers.on(messages.QueryAnswered, self._answered)
        peers.on(messages.AnswerReceived, self._received)
        peers.on(messages.QueryReleased, self._released)

    # Callers of this process.

    def ask_directly(self, query: Query) -> None:
        """Registers a query that gets a task of its own; `offer` brings it to a worker."""
        self._direct[query.id] = query

    async def offer(self, key: QueueKey, query: Query, until: float) -> None:
        """Looks for a worker of a queue, here and in other processes, until the query is answered or a time is up.

        Once a worker has it nobody else is asked, unless its process goes away, or nothing is heard of it for long:
        then its answer may have been lost.
        """
        loop = asyncio.get_running_loop()
        patience = until if self._peers.alone else ANSWER_S
        while not query.answer.done() and loop.time() < until:
            await self._find_worker(key, query, until)
            if query.taker.done():
                await self._hear(query, min(until, loop.time() + patience))
                patience *= 2
                query.begin_again()

    async def _find_worker(self, key: QueueKey, query: Query, until: float) -> None:
        """Offers the query to the polls of this process, and to one other process after the other."""
        loop = asyncio.get_running_loop()
        queue = self._matching.look(key)
        here = queue is not None and bool(queue.waiting)
        host = ""
        wanted: set[asyncio.Future[Any]] = {query.answer, query.taker}
        self._matching.offer_query(key, query)
        try:
            for turn in itertools.count():
                others = self._matching.elsewhere(key)
                if others and not here:
                    member = others[turn % len(others)]
                    if host not in ("", member):
                        self._peers.tell(host, messages.QueryWithdrawn(query.id))
                    host = member
                    self._peers.tell(host, _asked(query, key.name, until - loop.time()))
                here = False
                left = max(0.0, min(until - loop.time(), OFFER_S))
                await asyncio.wait(wanted, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                if query.answer.done() or query.taker.done() or loop.time() >= until:
                    return
        finally:
            self._matching.withdraw_query(key, query)
            if host and not (query.taker.done() and query.taker.result() == host):
                self._peers.tell(host, messages.QueryWithdrawn(query.id))

    async def _hear(self, query: Query, until: float) -> None:
        """Waits for the answer of the worker that has the query, as long as its process is there."""
        loop = asyncio.get_running_loop()
        member = query.taker.result()
        while not query.answer.done() and (left := until - loop.time()) > 0:
            await asyncio.wait({query.answer}, timeout=min(left, LIFE_SIGN_S))
            if member != self._peers.member and member not in self._matching.presence.members:
                return

    def buffer(self, query: Query, seconds: float) -> None:
        """Registers a query that travels with the next workflow task of its run, whoever starts that."""
        self._buffered.setdefault(query.key.run_id, {})[query.id] = query
        if self._peers.connected:
            self._peers.tell_all(_asked(query, "", seconds))

    def withdraw(self, query: Query) -> None:
        """Forgets a query whose caller is gone or has its answer."""
        self._direct.pop(query.id, None)
        if self._leave(query) and self._peers.connected:
            self._peers.tell_all(messages.QueryWithdrawn(query.id))

    # Workers of this process.

    def take(self, query: Query) -> None:
        """A worker gets the query as a task of its own."""
        query.taken(self._peers.member)
        origin = origin_of(query.id)
        if origin != self._peers.member:
            self._peers.tell(origin, messages.QueryTaken(query.id, query.attempt))

    async def answer(self, query_id: str, result: WorkflowQueryResult) -> bool:
        """A worker's answer to a query that was a task of its own; whether somebody has waited for it."""
        origin = origin_of(query_id)
        if origin == self._peers.member:
            return self._conclude(query_id, result)
        receipt: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._receipts[query_id] = receipt
        try:
            for _ in range(RECEIPTS):
                self._peers.tell(origin, messages.QueryAnswered(query_id, "", result.SerializeToString()))
                await asyncio.wait({receipt}, timeout=RECEIPT_S)
                if receipt.done():
                    return receipt.result()
        finally:
            self._receipts.pop(query_id, None)
        return False

    def buffered(self, run_id: str) -> dict[str, Query]:
        """The queries that wait in a run, by id."""
        return self._buffered.get(run_id, {})

    def answer_buffered(self, run_id: str, results: Mapping[str, WorkflowQueryResult]) -> None:
        """The answers that came with a workflow task; those to unknown queries are ignored."""
        for query_id, result in results.items():
            query = self.buffered(run_id).get(query_id)
            if query is not None:
                self._leave(query)
            if origin_of(query_id) != self._peers.member:
                answer = messages.QueryAnswered(query_id, run_id, result.SerializeToString())
                self._peers.tell(origin_of(query_id), answer)
            elif query is not None:
                query.conclude(result, self._limit)

    def release(self, run_id: str) -> None:
        """No workflow task of a run is ahead any more: queries that were not answered ask for one of their own."""
        for query in list(self.buffered(run_id).values()):
            self._leave(query)
            query.resolve(None)
            if origin_of(query.id) != self._peers.member:
                self._peers.tell(origin_of(query.id), messages.QueryReleased(query.id))

    # Other processes.

    def _asked(self, _: str, message: messages.QueryAsked) -> None:
        """A caller elsewhere wants a worker of this process."""
        known = self._guests.get(message.id)
        if known is not None and known[1].attempt >= message.attempt:
            if known[1].taker.done():
                self.take(known[1])
            return
        self._dismiss(message.id)
        query = Query(
            id=message.id,
            key=RunKey(message.shard_id, message.run_id),
            namespace_id=message.namespace_id,
            workflow_id=message.workflow_id,
            workflow_type=message.workflow_type,
            normal_queue=message.normal_queue,
            previous_started_event_id=message.previous_started_event_id,
            last_event_id=message.last_event_id,
            query=WorkflowQuery.FromString(message.query),
            attempt=message.attempt,
        )
        key = QueueKey(query.namespace_id, message.queue, WORKFLOW)
        self._guests[query.id] = key, query
        asyncio.get_running_loop().call_later(message.seconds, self._dismiss, query.id)
        if message.queue:
            self._matching.offer_query(key, query)
        else:
            self._buffered.setdefault(query.key.run_id, {})[query.id] = query

    def _dismiss(self, query_id: str) -> None:
        """Nobody elsewhere waits for a query of this process's workers any more."""
        guest = self._guests.pop(query_id, None)
        if guest is not None:
            key, query = guest
            query.resolve(None)
            self._leave(query)
            self._matching.withdraw_query(key, query)

    def _taken_elsewhere(self, member: str, message: messages.QueryTaken) -> None:
        query = self._direct.get(message.id)
        if query is not None and query.attempt == message.attempt:
            query.taken(member)

    def _answered(self, member: str, message: messages.QueryAnswered) -> None:
        result = WorkflowQueryResult.FromString(message.result)
        if message.run_id:
            query = self.buffered(message.run_id).get(message.id)
            if query is not None:
                query.conclude(result, self._limit)
        else:
            waited = self._conclude(message.id, result)
            self._peers.tell(member, messages.AnswerReceived(message.id, waited))

    def _received(self, _: str, message: messages.AnswerReceived) -> None:
        receipt = self._receipts.get(message.id)
        if receipt is not None and not receipt.done():
            receipt.set_result(message.waited)

    def _released(self, _: str, message: messages.QueryReleased) -> None:
        for waiting in self._buffered.values():
            if message.id in waiting:
                waiting[message.id].resolve(None)

    def _conclude(self, query_id: str, result: WorkflowQueryResult) -> bool:
        query = self._direct.pop(query_id, None)
        if query is not None:
            query.conclude(result, self._limit)
        return query is not None

    def _leave(self, query: Query) -> bool:
        """Forgets a query that was to travel; whether it was."""
        waiting = self._buffered.get(query.key.run_id, {})
        if waiting.pop(query.id, None) is None:
            return False
        if not waiting:
            del self._buffered[query.key.run_id]
        return True


def _asked(query: Query, queue: str, seconds: float) -> messages.QueryAsked:
    return messages.QueryAsked(
        id=query.id,
        queue=queue,
        seconds=seconds,
        shard_id=query.key.shard_id,
        run_id=query.key.run_id,
        namespace_id=query.namespace_id,
        workflow_id=query.workflow_id,
        workflow_type=query.workflow_type,
        normal_queue=query.normal_queue,
        previous_started_event_id=query.previous_started_event_id,
        last_event_id=query.last_event_id,
        query=query.query.SerializeToString(),
        attempt=query.attempt,
    )
