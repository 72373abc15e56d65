"""What became of a commit whose answer was lost, read from the rows it would have written."""

from orchestrator.store.ports import Changes, Session


def was_applied(session: Session, changes: Changes) -> bool | None:
    """Whether a commit took place; None when its rows do not tell.

    One run that only this commit can have brought to where it is decides for all of it. Versions are read under lock,
    where the database has locks: that waits for a commit that is still under way. Two processes may have computed the
    same next state of a run from different events, two signals of equal length, say. Or the same next events, if those
    tell of earlier moments, and what happened at last only went to the buffer, in the state. So where the run is as
    this commit would have left it, both must agree; once it has gone on, its events tell, but for such runs.

    Args:
        session: begun after the commit failed.
        changes: what the commit was to write.
    """
    rows = session.lock_runs({key: 0 for key, _, _ in changes.updated})
    for key, version, _ in changes.updated:
        if key not in rows or rows[key].version < version:
            return False
    for key, node in changes.nodes:
        if node not in session.read_nodes(key, node.first_event_id, node.last_event_id):
            return False
    for key, version, blob in changes.updated:
        if rows[key].version == version:
            return bytes(rows[key].blob or b"") == blob
    if any(key not in changes.buffering for key, _ in changes.nodes):
        return True
    for key, _, _ in changes.created:
        return bool(session.lock_runs({key: 0}))
    return None
