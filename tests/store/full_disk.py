"""A start that does not fit on the disk, among calls that do: the same is expected of every database."""

from collections.abc import Callable

from temporalio.api.common.v1 import Payload, Payloads

from tests.store import consistency
from tests.store.process import Process, until

BIG = Payloads(payloads=[Payload(data=b"x" * 400_000)])
"""The input of a start for which there is no room."""


def check_only_what_does_not_fit_waits(process: Process, make_room: Callable[[], object]) -> None:
    """Calls to workflow `w` go on while the disk is full; a big start beside them waits until there is room.

    Args:
        process: it has the workflow `w`, and its disk is full.
        make_room: ends that.
    """
    polling = process.begin_poll("other")
    running = process.begin_together(
        process.signal("w", "a"), process.start("big", "other", input=BIG), process.signal("w", "b")
    )
    until(lambda: consistency.signals("w") == ["a", "b"])
    assert not running.done()
    assert not polling.done()
    consistency.check_database()
    make_room()
    assert [result for result in running.result(30) if isinstance(result, BaseException)] == []
    assert polling.result(30).workflow_execution.workflow_id == "big"
