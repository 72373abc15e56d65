"""The tasks of one queue in memory: their order, their horizon, and what a rate limit holds back."""

import random
from typing import Any

from temporalio.api.taskqueue.v1 import RateLimit, RateLimitConfig, TaskQueueConfig

from orchestrator.core.priority import Share
from orchestrator.core.wire import SECOND
from orchestrator.services import queue as queues
from orchestrator.services.queue import Queue
from orchestrator.store.ports import Task

NOW = 1_700_000_000 * SECOND


def task(number: int, **fields: Any) -> Task:
    """A task born at the moment of its number."""
    basics: dict[str, Any] = {
        "shard_id": 1,
        "namespace_id": "namespace",
        "task_queue": "queue",
        "kind": 2,
        "priority": 3,
        "created_time": NOW + number,
        "workflow_id": "workflow",
        "run_id": f"run-{number}",
        "scheduled_event_id": 5,
        "stamp": 1,
        "fairness_pass": NOW + number,
    }
    return Task(**basics | fields)


def opened() -> Queue:
    """A queue whose table was read and is empty."""
    queue = Queue()
    queue.horizon = None
    return queue


def taken(queue: Queue, now: int = NOW) -> list[Task]:
    """All that may be handed out now."""
    found = []
    while (each := queue.take(now)) is not None:
        found.append(each)
    return found


def rates(queue_rate: float | None = None, key_rate: float | None = None) -> TaskQueueConfig:
    """A configuration."""

    def limit(rate: float | None) -> RateLimitConfig | None:
        return None if rate is None else RateLimitConfig(rate_limit=RateLimit(requests_per_second=rate))

    return TaskQueueConfig(queue_rate_limit=limit(queue_rate), fairness_keys_rate_limit_default=limit(key_rate))


def test_tasks_go_by_priority_then_pass_then_age() -> None:
    queue = opened()
    tasks = [
        task(number, priority=number % 5 + 1, fairness_pass=NOW + random.Random(number).randrange(9))
        for number in range(200)
    ]
    for order, each in enumerate(tasks):
        assert queue.note(each, order)
    assert taken(queue) == sorted(tasks, key=lambda each: (each.priority, each.fairness_pass))


def test_a_task_is_noted_once_until_it_is_forgotten() -> None:
    queue = opened()
    assert queue.note(task(1), 1)
    assert not queue.note(task(1), 2)
    assert taken(queue) == [task(1)]
    assert not queue.note(task(1), 3)
    queue.forget(task(1))
    assert queue.note(task(1), 4)


def test_nothing_is_noted_of_a_queue_nobody_has_read() -> None:
    queue = Queue()
    assert not queue.note(task(1), 1)
    assert queue.stored


def test_memory_holds_the_beginning_of_the_table(monkeypatch: Any) -> None:
    monkeypatch.setattr(queues, "BACKLOG", 10)
    table = [task(number, priority=random.Random(number).randrange(1, 6)) for number in range(100)]
    left = sorted(table, key=lambda each: (each.priority, each.fairness_pass))
    queue = opened()
    for order, each in enumerate(table):
        queue.note(each, order)
    seen = []
    while left:
        found = taken(queue)
        assert len(found) <= 10
        seen += found
        assert found == left[: len(found)]
        left = left[len(found) :]
        queue.horizon = None
        for order, each in enumerate(left[:10]):
            assert queue.note(each, order)
        if len(left) > 10:
            queue.ends_at(left[9])
            late = task(1000 + len(left), priority=5)
            assert not queue.note(late, 99), "it belongs behind what only the table has"
    assert len(seen) == 100


def test_fairness_keys_take_turns_and_an_empty_queue_begins_anew() -> None:
    queue = opened()
    tasks = []
    for number, key in enumerate("aaaaaab"):
        place = queue.place(Share(key=key), NOW)
        tasks.append(task(number, fairness_pass=place, fairness_key=key))
        queue.note(tasks[-1], number)
    assert [each.fairness_key for each in taken(queue)] == list("abaaaaa")
    assert not queue.fair
    assert queue.place(Share(), NOW + 7) == NOW + 7


def test_the_rate_of_a_queue_holds_tasks_back() -> None:
    queue = opened()
    queue.configure(rates(queue_rate=2))
    for number in range(5):
        queue.note(task(number), number)
    assert len(taken(queue)) == 2
    assert queue.limited(NOW)
    assert queue.next_at() == NOW + SECOND // 2
    assert len(taken(queue, NOW + SECOND // 2)) == 1
    queue.configure(None)
    assert len(taken(queue, NOW + SECOND // 2)) == 2


def test_a_rate_of_zero_holds_everything_back_until_it_changes() -> None:
    queue = opened()
    queue.set_worker_rate(0.0)
    queue.note(task(1), 1)
    assert taken(queue) == []
    assert queue.next_at() == 0
    queue.set_worker_rate(None)
    assert taken(queue) == [task(1)]


def test_an_operator_comes_before_the_workers() -> None:
    queue = opened()
    queue.set_worker_rate(1000.0)
    queue.configure(rates(queue_rate=1))
    assert queue.rate()[0] == 1


def test_the_rate_of_a_key_holds_only_its_tasks_back() -> None:
    queue = opened()
    queue.configure(rates(key_rate=1))
    for number, key in enumerate("aaabbc"):
        queue.note(task(number, fairness_key=key), number)
    assert [each.fairness_key for each in taken(queue)] == ["a", "b", "c"]
    assert queue.pending
    assert queue.next_at() == NOW + SECOND
    assert [each.fairness_key for each in taken(queue, NOW + SECOND)] == ["a", "b"]
    queue.note(task(9, fairness_key="d"), 9)
    assert [each.fairness_key for each in taken(queue, NOW + SECOND)] == ["d"]
    assert [each.run_id for each in taken(queue, NOW + 2 * SECOND)] == ["run-2"]
    assert not queue.pending


def test_tasks_held_back_are_bounded_and_give_way_to_urgent_ones(monkeypatch: Any) -> None:
    monkeypatch.setattr(queues, "BACKLOG", 10)
    queue = opened()
    queue.configure(rates(key_rate=1))
    for number in range(10):
        queue.note(task(number, fairness_key="a"), number)
    assert len(taken(queue)) == 1
    assert queue.note(task(20, fairness_key="a"), 20)
    assert not queue.note(task(21, fairness_key="a"), 21)
    assert queue.note(task(22, priority=1, fairness_key="b"), 22)
    assert [each.fairness_key for each in taken(queue)] == ["b"]


def test_an_operators_weight_replaces_that_of_a_task() -> None:
    queue = opened()
    queue.configure(TaskQueueConfig(fairness_weight_overrides={"a": 10.0}))
    first, second = queue.place(Share(key="a"), NOW), queue.place(Share(key="a"), NOW)
    assert second - first == 100_000
