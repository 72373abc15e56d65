"""Pages of visibility records in the default order: open runs first, then the last closed, then the last started.

A page token holds the place of the last record shown, so a page costs the same however far it is from the first, and
records that come or go meanwhile neither repeat nor hide others.
"""

import struct
import uuid
from typing import NamedTuple

from django.db.models import F, OrderBy, Q, QuerySet

from orchestrator.errors import InvalidArgument
from orchestrator.models.visibility import OPEN, VisibilityRecord

ORDER = ("-close_time", "-start_time", "run_id")
SORTED = (OrderBy(F("close_time") + 0, descending=True), *ORDER[1:])
"""The same order, but such that no index has it: for few records, which are faster found and sorted than met in order.

SQLite, which keeps no statistics unless it is told to, would else walk through all runs to find the few of one id.
"""

_token = struct.Struct(">Bqq16s")
_FORMAT = 1


class Page(NamedTuple):
    """Some records, and the token that the next page is asked for with; it is empty behind the last one."""

    records: list[VisibilityRecord]
    next_page_token: bytes


def page(found: QuerySet[VisibilityRecord], size: int, token: bytes, few: bool = False) -> Page:
    """A page of the records.

    Args:
        found: all of them, in any order.
        size: records on the page, at most.
        token: of the page before, or empty.
        few: whether there are surely few of them, found by an index of their own.

    Raises:
        InvalidArgument: the token is not one that this function made.
    """
    rows: list[VisibilityRecord] = []
    for part in _parts(found, token):
        rows += part.order_by(*(SORTED if few else ORDER))[: size + 1 - len(rows)]
        if len(rows) > size:
            break
    shown = rows[:size]
    return Page(shown, _made(shown[-1]) if len(rows) > size else b"")


def _made(row: VisibilityRecord) -> bytes:
    return _token.pack(_FORMAT, row.close_time, row.start_time, row.run_id.bytes)


def _parts(found: QuerySet[VisibilityRecord], token: bytes) -> list[QuerySet[VisibilityRecord]]:
    """The records behind the place of the token; each part begins where the index can be entered."""
    if not token:
        return [found]
    try:
        version, close_time, start_time, run_id = _token.unpack(token)
    except struct.error:
        version = None
    if version != _FORMAT:
        raise InvalidArgument("Invalid NextPageToken.")
    same_start = Q(start_time=start_time, run_id__gt=uuid.UUID(bytes=run_id))
    if close_time == OPEN:
        # All open runs close at the same time; there may be very many.
        open_runs = found.filter(close_time=OPEN, start_time__lte=start_time)
        return [open_runs.filter(Q(start_time__lt=start_time) | same_start), found.filter(close_time__lt=OPEN)]
    same_close = Q(close_time=close_time) & (Q(start_time__lt=start_time) | same_start)
    return [found.filter(close_time__lte=close_time).filter(Q(close_time__lt=close_time) | same_close)]
