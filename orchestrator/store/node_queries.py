"""The statements that read history nodes, the same in every SQL database; parameters are `%s`.

The unique key finds the first node wanted, however long the history before it is. A bound on bytes counts in the
database, so that a page of a history with large events does not bring much more than the page.
"""

COLUMNS = "first_event_id, last_event_id, events"


def forwards(table: str, *, limit: int = 0, size: int = 0) -> str:
    """Nodes that hold any event of a range, oldest first; takes what `range_parameters` gives."""
    first = f"SELECT MAX(first_event_id) FROM {table} WHERE shard_id = %s AND branch_id = %s AND first_event_id <= %s"
    where = f"first_event_id >= COALESCE(({first}), 0) AND last_event_id >= %s AND first_event_id <= %s"
    return _select(table, where, "first_event_id", limit, size)


def backwards(table: str, *, limit: int = 0, size: int = 0) -> str:
    """Nodes that begin at or before an event, newest first; takes shard, run and event."""
    return _select(table, "first_event_id <= %s", "first_event_id DESC", limit, size)


def range_parameters(shard_id: int, run_id: object, first: int, last: int) -> tuple[object, ...]:
    """The parameters of `forwards`."""
    return (shard_id, run_id, shard_id, run_id, first, first, last)


def _select(table: str, where: str, order: str, limit: int, size: int) -> str:
    columns = f"{COLUMNS}, SUM(LENGTH(events)) OVER (ORDER BY {order}) AS total" if size else COLUMNS
    statement = f"SELECT {columns} FROM {table} WHERE shard_id = %s AND branch_id = %s AND {where} ORDER BY {order}"
    if limit:
        statement += f" LIMIT {int(limit)}"
    if size:
        # The first node is in the page however large it is.
        statement = (
            f"SELECT {COLUMNS} FROM ({statement}) page "
            f"WHERE total <= {int(size)} OR total = LENGTH(events) ORDER BY {order}"
        )
    return statement
