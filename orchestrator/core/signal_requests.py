"""The request ids of a run's signals: the latest are in its state, older ones in lots that are stored apart.

Every transition writes the state as a whole. With all ids in it, each signal would cost more than the one before.
"""

from orchestrator.core.run import Run

LOT = 16
"""Ids of a lot; the state keeps at most twice as many."""


def known(run: Run, request_id: str) -> bool:
    """Whether a signal with this request id was taken before."""
    if request_id in run.state.signal_request_ids or any(request_id in lot for lot in run.request_lots):
        return True
    return run.state.signal_request_lots > 0 and request_id in run.stored_request_ids()


def remember(run: Run, request_id: str) -> None:
    """A signal with this request id is taken."""
    latest = run.state.signal_request_ids
    latest.append(request_id)
    if len(latest) >= 2 * LOT:
        _put_lot_away(run, latest[:LOT])
        del latest[:LOT]


def hand_on(run: Run, to: Run, latest: int = 0) -> None:
    """Another run of the workflow recognises them too: all of them, or only so many of the latest."""
    ids = list(run.state.signal_request_ids)
    if run.state.signal_request_lots:
        ids = [*run.stored_request_ids(), *(each for lot in run.request_lots for each in lot), *ids]
    ids = ids[-latest:]
    to.state.signal_request_ids = ids[-LOT:]
    if len(ids) > LOT:
        _put_lot_away(to, ids[:-LOT])


def _put_lot_away(run: Run, lot: list[str]) -> None:
    run.request_lots.append(lot)
    run.state.signal_request_lots += 1
