"""What processes tell each other about queries; each is named by an id that tells who waits for its answer."""

from orchestrator.services.peers import Message


def id_of(uuid: str, member: str) -> str:
    """The id of a query for whose answer a member waits."""
    return f"{uuid}@{member}"


def origin_of(query_id: str) -> str:
    """The member that waits for the answer of a query."""
    return query_id.rpartition("@")[2]


class QueryAsked(Message, frozen=True):
    """A question for a worker of the receiver.

    Attributes:
        queue: whose worker is asked; empty for a query that travels with the next workflow task of its run.
        seconds: its caller waits.
        query: the serialized WorkflowQuery.
        attempt: how often a worker had it before, and was not heard of.

    The others are those of `orchestrator.services.queries.Query`.
    """

    id: str
    queue: str
    seconds: float
    shard_id: int
    run_id: str
    namespace_id: str
    workflow_id: str
    workflow_type: str
    normal_queue: str
    previous_started_event_id: int
    last_event_id: int
    query: bytes
    attempt: int = 0


class QueryTaken(Message, frozen=True):
    """A worker of the sender has the query, in that attempt."""

    id: str
    attempt: int = 0


class QueryWithdrawn(Message, frozen=True):
    """Nobody waits for the answer any more, at least not for that of the receiver's workers."""

    id: str


class QueryAnswered(Message, frozen=True):
    """The answer, to the member that waits for it.

    Attributes:
        run_id: of the run whose workflow task the query travelled with; empty for one that was a task of its own.
        result: the serialized WorkflowQueryResult.
    """

    id: str
    run_id: str
    result: bytes


class AnswerReceived(Message, frozen=True):
    """The answer to a query that was a task of its own has arrived; whether somebody waited for it."""

    id: str
    waited: bool


class QueryReleased(Message, frozen=True):
    """The workflow task the query travelled with has ended without an answer, and there is no other one ahead."""

    id: str
