"""Measurements of task queues can be switched off in groups, and say more of a queue than its name."""

from collections import Counter

import pytest

from hugo.diagnostics import INSTRUMENTS, MetricGroup, TaskQueueMetrics, instruments
from hugo.diagnostics.memory import Recorded
from hugo.diagnostics.task_queues import group_of

ORDERS = {"taskqueue.name": "orders"}


def test_every_instrument_of_task_queues_is_in_a_group() -> None:
    groups = Counter(group_of(instrument) for name, instrument in INSTRUMENTS.items() if "taskqueue." in name)
    assert groups == {
        MetricGroup.QUEUE_DEPTH: 4,
        MetricGroup.THROUGHPUT: 12,
        MetricGroup.BACKPRESSURE: 4,
        MetricGroup.REPLICATION: 3,
    }
    assert group_of(instruments.WORKFLOW_STARTED) is None


@pytest.mark.parametrize("off", [group for group in MetricGroup if group is not MetricGroup.ALL])
def test_a_group_that_is_off_is_not_recorded(off: MetricGroup) -> None:
    recorded = Recorded()
    recorder = TaskQueueMetrics(groups=MetricGroup.ALL & ~off).over(recorded)
    for instrument in INSTRUMENTS.values():
        recorder.record(instrument, 1, ORDERS)
    kept = {instrument for instrument, _, _ in recorded.measurements}
    assert kept == {instrument for instrument in INSTRUMENTS.values() if group_of(instrument) is not off}


def test_what_is_known_of_a_queue_is_added_and_its_name_wins() -> None:
    recorded = Recorded()
    metrics = TaskQueueMetrics(
        service_name="shop",
        shard=lambda queue: f"shard-{len(queue)}",
        tags={"tier": "gold", "region": "north"},
        enrichers=(lambda queue: {"region": "south", "taskqueue.name": queue.upper()},),
    )
    metrics.over(recorded).record(instruments.TASKQUEUE_ENQUEUED, 1, ORDERS)
    assert recorded.attributes(instruments.TASKQUEUE_ENQUEUED) == [
        {
            "tier": "gold",
            "service.name": "shop",
            "taskqueue.shard": "shard-6",
            "region": "south",
            "taskqueue.name": "orders",
        }
    ]


def test_all_queues_may_be_of_one_shard_and_other_measurements_stay_as_they_are() -> None:
    recorded = Recorded()
    recorder = TaskQueueMetrics(shard="7").over(recorded)
    recorder.record(instruments.TASKQUEUE_LEASED, 1, ORDERS)
    recorder.record(instruments.CHANNEL_DEPTH, 3, {})
    assert recorded.attributes(instruments.TASKQUEUE_LEASED) == [{"taskqueue.shard": "7", **ORDERS}]
    assert recorded.attributes(instruments.CHANNEL_DEPTH) == [{}]
