"""The statements that read history nodes, the same in every SQL database, each with its parameters.

The unique key finds the first node wanted, however long the history before it is. A bound on bytes is found from the
lengths alone, so that a page of a history with large events moves no more than the page.
"""

COLUMNS = "first_event_id, last_event_id, events"

Query = tuple[str, tuple[object, ...]]


def forwards(
    table: str, shard_id: int, run_id: object, first: int, last: int, *, limit: int = 0, size: int = 0
) -> Query:
    """Nodes that hold any event from `first` to `last`, oldest first."""
    begin = f"SELECT MAX(first_event_id) FROM {table} WHERE shard_id = %s AND branch_id = %s AND first_event_id <= %s"
    where = (
        f"shard_id = %s AND branch_id = %s AND first_event_id >= COALESCE(({begin}), 0) "
        "AND last_event_id >= %s AND first_event_id <= %s"
    )
    parameters = (shard_id, run_id, shard_id, run_id, first, first, last)
    return _query(table, where, parameters, limit, size)


def backwards(table: str, shard_id: int, run_id: object, last: int, *, limit: int, size: int = 0) -> Query:
    """Nodes that begin at or before an event, newest first."""
    where = "shard_id = %s AND branch_id = %s AND first_event_id <= %s"
    return _query(table, where, (shard_id, run_id, last), limit, size, newest_first=True)


def _query(
    table: str, where: str, parameters: tuple[object, ...], limit: int, size: int, *, newest_first: bool = False
) -> Query:
    order = "ORDER BY first_event_id DESC" if newest_first else "ORDER BY first_event_id"
    end = f" {order} LIMIT {int(limit)}" if limit else f" {order}"
    if not size:
        return f"SELECT {COLUMNS} FROM {table} WHERE {where}{end}", parameters
    # The first node is in the page however large it is.
    lengths = (
        f"SELECT first_event_id, LENGTH(events) AS own, SUM(LENGTH(events)) OVER ({order}) AS total "
        f"FROM {table} WHERE {where}{end}"
    )
    far, beyond = ("MIN", ">=") if newest_first else ("MAX", "<=")
    bound = f"SELECT {far}(first_event_id) FROM ({lengths}) page WHERE total <= {int(size)} OR total = own"
    statement = f"SELECT {COLUMNS} FROM {table} WHERE {where} AND first_event_id {beyond} ({bound}) {order}"
    return statement, parameters + parameters
