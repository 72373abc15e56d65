"""Reset points: the first workflow task each build of the worker completed, over all runs of a chain."""

from msgspec import structs
from temporalio.api.workflow.v1 import ResetPointInfo, ResetPoints

from orchestrator.core.state import ExecutionState, ResetPoint
from orchestrator.core.wire import optional_timestamp, time_ns, timestamp

KEPT = 20


def add(state: ExecutionState, new: ResetPoint) -> None:
    """Remembers a completed task unless one of the same build is known; the oldest are forgotten."""
    points = state.reset_points
    if any(point.build_id == new.build_id and point.binary_checksum == new.binary_checksum for point in points):
        return
    points.append(new)
    del points[:-KEPT]


def expire(state: ExecutionState, expire_time: int) -> None:
    """Another run goes on for this one, which is kept until a time in nanoseconds since the epoch."""
    state.reset_points = [
        point if point.run_id else structs.replace(point, expire_time=expire_time) for point in state.reset_points
    ]


def message(state: ExecutionState) -> ResetPoints:
    """The points of a run, as descriptions and the STARTED event of the next run show them."""
    return ResetPoints(
        points=[
            ResetPointInfo(
                build_id=point.build_id,
                binary_checksum=point.binary_checksum,
                run_id=point.run_id or state.run_id,
                first_workflow_task_completed_id=point.completed_event_id,
                create_time=timestamp(point.time),
                expire_time=optional_timestamp(point.expire_time),
                resettable=True,
            )
            for point in state.reset_points
        ]
    )


def inherited(points: ResetPoints) -> list[ResetPoint]:
    """The points of the runs before this one."""
    return [
        ResetPoint(
            each.build_id,
            each.binary_checksum,
            each.first_workflow_task_completed_id,
            time_ns(each.create_time),
            each.run_id,
            time_ns(each.expire_time),
        )
        for each in points.points
    ]
