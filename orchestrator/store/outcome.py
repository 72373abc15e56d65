"""What became of a commit whose answer was lost, read from the rows it would have written."""

from orchestrator.store.ports import Changes, Session


def was_applied(session: Session, changes: Changes) -> bool | None:
    """Whether a commit took place; None when its rows do not tell.

    One row that only this commit can have written decides for all of it. Versions are read under lock, where the
    database has locks: that waits for a commit that is still under way. Events decide before states, because two
    processes may have computed the same next state of a run from different events: two signals of equal length, say.

    Args:
        session: begun after the commit failed.
        changes: what the commit was to write.
    """
    rows = session.lock_runs({key: 0 for key, _, _ in changes.updated})
    for key, version, _ in changes.updated:
        if key not in rows or rows[key].version < version:
            return False
    for key, node in changes.nodes:
        return node in session.read_nodes(key, node.first_event_id, node.last_event_id)
    for key, version, blob in changes.updated:
        if rows[key].version == version:
            return bytes(rows[key].blob or b"") == blob
    for key, _, _ in changes.created:
        return bool(session.lock_runs({key: 0}))
    return None
