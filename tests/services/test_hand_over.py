"""Two processes over one database: a task comes to the poll that waits, wherever it was born."""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from temporalio.api.common.v1 import Priority
from temporalio.api.taskqueue.v1 import RateLimit, RateLimitConfig, TaskQueueConfig

from orchestrator.conf import HugoSettings
from orchestrator.core.wire import SECOND
from orchestrator.models import DispatchTask, Execution
from orchestrator.services import hand_over
from orchestrator.services.hand_over import PROBE
from orchestrator.services.pollers import QueueKey
from orchestrator.services.presence import home_of
from orchestrator.services.queue import Queue
from orchestrator.store.ports import Task
from orchestrator.store.redis_client import connect
from orchestrator.store.redis_notifier import RedisNotifier
from tests.services.conftest import Database
from tests.services.member import NEVER_SWEPT, Member, running, until
from tests.support.hub import Deliver, Hub

SWEPT = HugoSettings(sweep_interval=0.05)


@pytest_asyncio.fixture
async def two(shared_database: Database) -> AsyncIterator[tuple[Member, Member]]:
    """Two processes that never sweep."""
    hub = Hub()
    one, other = (Member(hub.notifier(name), *shared_database, NEVER_SWEPT) for name in ("one", "other"))
    async with running(one, other):
        yield one, other


def missed(*members: Member) -> int:
    """Attempts to start tasks that were over."""
    return sum(member.engine.matching.missed for member in members)


async def homed(two: tuple[Member, Member], at: int) -> str:
    """The name of a queue that has its home, when both poll it, in one of them."""
    names = ("one", "other")
    for number in range(100):
        name = f"queue-{number}"
        if home_of(await two[0].key(name), names) == names[at]:
            return name
    raise AssertionError("no queue has its home there")


async def test_a_task_reaches_the_poll_that_waits_in_the_other_process(two: tuple[Member, Member]) -> None:
    one, other = two
    polling = await other.begin_poll("queue")
    await until(lambda: knows(one, "queue"))
    await one.start("order", "queue")

    assert (await polling).workflow_execution.workflow_id == "order"
    assert missed(*two) == 0


async def knows(member: Member, queue: str) -> bool:
    """Whether a process knows that another one polls a queue."""
    return bool(member.engine.matching.elsewhere(await member.key(queue)))


@pytest.mark.parametrize("at", [0, 1])
async def test_a_backlog_is_given_out_by_one_process_to_the_polls_of_both(two: tuple[Member, Member], at: int) -> None:
    queue = await homed(two, at)
    first = [await member.begin_poll(queue) for member in two]
    for number in range(100):
        await two[0].start(f"order-{number}", queue)
    found = [(await each).workflow_execution.workflow_id for each in first]

    async def work(member: Member) -> None:
        while len(found) < 100:
            polled = await member.poll(queue, seconds=3)
            if polled.task_token:
                found.append(polled.workflow_execution.workflow_id)

    await asyncio.gather(*(work(member) for member in two for _ in range(4)))

    assert sorted(found) == sorted(f"order-{number}" for number in range(100))
    assert missed(*two) == 0


async def test_a_task_born_where_polls_have_just_been_reaches_the_one_that_waits_elsewhere(
    two: tuple[Member, Member],
) -> None:
    one, other = two
    for home, away in ((one, other), (other, one)):
        queue = await homed(two, two.index(home))
        polling = await home.begin_poll(queue)
        await away.poll_in_vain(queue)
        await until(lambda away=away, queue=queue: knows(away, queue))  # type: ignore[misc]
        await away.start(f"born away of {queue}", queue)
        assert (await polling).workflow_execution.workflow_id == f"born away of {queue}"

        polling = await away.begin_poll(queue)
        await home.start(f"born at home of {queue}", queue)
        assert (await polling).workflow_execution.workflow_id == f"born at home of {queue}"
    assert missed(*two) == 0


async def test_a_rate_holds_for_the_polls_of_all_processes_together(two: tuple[Member, Member]) -> None:
    one, other = two
    for at in (0, 1):
        queue = await homed(two, at)
        key = await one.key(queue)
        config = TaskQueueConfig(queue_rate_limit=RateLimitConfig(rate_limit=RateLimit(requests_per_second=1 / 3600)))
        polls = [await member.begin_poll(queue) for member in two for _ in range(3)]
        await one.engine.run_db(
            one.engine.store.change_task_queue_config, tuple(key), lambda _, config=config: config.SerializeToString()
        )
        one.engine.matching.change_config(key, config)
        await until(lambda key=key: limited(other, key))  # type: ignore[misc]
        for number in range(4):
            await (one, other)[number % 2].start(f"{number} of {queue}", queue)
        done, waiting = await asyncio.wait(polls, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait(waiting, timeout=0.2)

        assert len(done) == 1
        assert not any(each.done() for each in waiting)


async def limited(member: Member, key: QueueKey) -> bool:
    """Whether a process knows of a rate of a queue."""
    return member.engine.matching.rate(key)[0] is not None


async def test_a_key_with_many_tasks_keeps_no_other_one_waiting_wherever_they_are_born(
    two: tuple[Member, Member],
) -> None:
    home, away = two
    queue = await homed(two, at=0)
    for member in two:
        await member.poll_in_vain(queue)
    for number in range(30):
        await away.start(f"many-{number}", queue, priority=Priority(fairness_key="many"))
        await until(lambda number=number: has_backlog(home, queue, number + 1))  # type: ignore[misc]
    await away.start("one", queue, priority=Priority(fairness_key="few"))
    await until(lambda: has_backlog(home, queue, 31))
    first = [(await home.poll(queue)).workflow_execution.workflow_id for _ in range(3)]

    assert "one" in first


async def test_tasks_stay_where_polls_come_while_none_waits_at_their_home(
    two: tuple[Member, Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, away = two
    queue = await homed(two, at=0)
    monkeypatch.setattr(hand_over, "FLOW", 3600 * SECOND)
    monkeypatch.setattr(hand_over, "LONGEST", 3600 * SECOND)
    for member in two:
        await member.poll_in_vain(queue)
    await asyncio.gather(*(away.start(f"order-{number}", queue) for number in range(10)))
    await until(lambda: told_that_none_waits(away, queue))

    probed = away.engine.matching.tasks_sent
    assert 0 < probed <= PROBE
    assert await has_backlog(home, queue, probed)
    assert await has_backlog(away, queue, 10 - probed)
    polled = [await away.poll(queue) for _ in range(10)]
    assert {each.workflow_execution.workflow_id for each in polled} == {f"order-{number}" for number in range(10)}
    assert missed(*two) == 0


async def told_that_none_waits(member: Member, queue: str) -> bool:
    """Whether the home of a queue has told a process that no poll waits there."""
    found = await member.queue(queue)
    return found is not None and found.busy_until > 0


async def test_a_home_does_not_count_on_polls_that_went_away(two: tuple[Member, Member]) -> None:
    home, away = two
    queue = await homed(two, at=0)
    await home.poll_in_vain(queue)
    polling = await away.begin_poll(queue)

    async def counted() -> int:
        found = await home.queue(queue)
        return found.asked.get("other", 0) if found is not None else 0

    await until(counted)
    polling.cancel()

    async def forgotten() -> bool:
        return not await counted()

    await until(forgotten)


@pytest.mark.parametrize(("at_home", "stays"), [(0, True), (2, True), (1, False)])
async def test_a_task_stays_no_longer_than_a_moment_when_more_urgent_ones_wait_at_its_home(
    two: tuple[Member, Member], at_home: int, stays: bool
) -> None:
    matching = two[0].engine.matching
    key = await two[0].key("queue")
    queue = Queue()
    queue.settle("other")
    queue.home_first = at_home
    young = Task(1, key.namespace_id, "queue", key.kind, 2, 0, "order", str(uuid.uuid4()), 2, 0)
    queue.note(young, 0)
    assert matching._in_turn(queue, hand_over.LONGEST - 1)
    assert matching._in_turn(queue, hand_over.LONGEST + 1) is stays


async def test_polls_where_tasks_are_born_ask_for_others_after_a_while(
    two: tuple[Member, Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, away = two
    queue = await homed(two, at=0)
    monkeypatch.setattr(hand_over, "ASKED_AFTER", 3600 * SECOND)
    for member in two:
        await member.poll_in_vain(queue)
    polling = await away.begin_poll(queue)
    await away.start("born-away", queue)
    assert (await polling).workflow_execution.workflow_id == "born-away"
    polls = [await away.begin_poll(queue) for _ in range(3)]
    found = await away.queue(queue)
    assert found is not None
    assert found.asking
    monkeypatch.setattr(hand_over, "ASKED_AFTER", 0)
    away.engine.matching._tell_waiting(await away.key(queue))
    assert not found.asking
    for number in range(3):
        await home.start(f"born-at-home-{number}", queue)
    await asyncio.gather(*polls)
    assert missed(*two) == 0


async def test_a_home_that_begins_with_others_finds_young_tasks_nobody_has(two: tuple[Member, Member]) -> None:
    one, other = two
    hub: Hub = one.engine.peers._notifier._hub  # type: ignore[attr-defined]
    queue = await homed(two, at=0)
    polling = await other.begin_poll(queue)
    await until(lambda: knows(one, queue))
    deliver, hub.deliver = hub.deliver, lambda delivery: None
    await one.start("order", queue)
    await until(lambda: sent(one, 1))
    hub.deliver = deliver
    here = await one.begin_poll(queue)
    done, _ = await asyncio.wait([polling, here], return_when=asyncio.FIRST_COMPLETED)

    assert [each.result().workflow_execution.workflow_id for each in done] == ["order"]


async def test_a_task_that_comes_while_the_table_is_to_be_read_waits_for_no_doubt(
    two: tuple[Member, Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hand_over, "IN_HAND", 3600 * SECOND)
    monkeypatch.setattr(hand_over, "RECENT", 3600 * SECOND)
    home, _ = two
    queue = await homed(two, at=0)
    for member in two:
        await member.poll_in_vain(queue)
    await until(lambda: knows(home, queue))
    await home.start("noted", queue)
    await until(lambda: has_backlog(home, queue, 1))
    home.engine.matching._doubt()
    await home.start("left-to-the-table", queue)

    polled = [(await home.poll(queue)).workflow_execution.workflow_id for _ in range(2)]
    assert polled == ["noted", "left-to-the-table"]


async def sent(member: Member, count: int) -> bool:
    """Whether a process has sent so many tasks to others."""
    return member.engine.matching.tasks_sent == count


async def test_tasks_nobody_polled_for_are_found_by_the_first_poll_of_any_process(
    two: tuple[Member, Member],
) -> None:
    one, other = two
    for number in range(3):
        await one.start(f"order-{number}", "queue")
    found = [(await other.poll("queue")).workflow_execution.workflow_id for _ in range(3)]

    assert found == ["order-0", "order-1", "order-2"]
    assert missed(*two) == 0


async def test_a_signal_that_arrives_elsewhere_wakes_the_sticky_queue(two: tuple[Member, Member]) -> None:
    one, other = two
    polling = await other.begin_poll("queue")
    await one.start("order", "queue")
    await other.complete((await polling).task_token, sticky="sticky", close=False)
    sticky = await other.begin_poll("sticky")
    normal = await other.begin_poll("queue")
    await until(lambda: knows(one, "sticky"))
    await one.signal("order")
    task = await sticky

    assert task.workflow_execution.workflow_id == "order"
    assert task.previous_started_event_id, "a worker that has the run in memory gets what is new"
    assert not normal.done()


async def test_a_signal_for_a_worker_that_has_stopped_elsewhere_goes_to_the_normal_queue(
    two: tuple[Member, Member],
) -> None:
    one, other = two
    polling = await other.begin_poll("queue")
    await one.start("order", "queue")
    await other.complete((await polling).task_token, sticky="sticky", close=False)
    await other.begin_poll("sticky", worker_instance_key="worker")
    normal = await other.begin_poll("queue")
    await until(lambda: knows(one, "sticky"))
    namespace = (await one.engine.namespace("default")).id

    one.engine.matching.shut_down(namespace, "sticky", "worker")
    key = await one.key("sticky")
    await until(lambda: served_nowhere(one, key))
    await one.signal("order")

    assert (await normal).workflow_execution.workflow_id == "order"


async def served_nowhere(member: Member, key: QueueKey) -> bool:
    """Whether a process knows of no polls of a queue."""
    return not member.engine.matching.served(key)


async def test_when_the_home_ends_what_it_had_in_mind_goes_to_the_other(two: tuple[Member, Member]) -> None:
    one, other = two
    queue = await homed(two, at=0)
    for member in two:
        await member.poll_in_vain(queue)
    for number in range(20):
        await other.start(f"order-{number}", queue)
    await until(lambda: has_backlog(one, queue, 20))
    one.engine.drain()
    found = [(await other.poll(queue)).workflow_execution.workflow_id for _ in range(20)]

    assert sorted(found) == sorted(f"order-{number}" for number in range(20))
    assert missed(*two) == 0


async def test_when_the_home_dies_the_other_finds_out_by_its_first_message(
    shared_database: Database, redis_server: str
) -> None:
    cluster = shared_database[1]
    notifiers = [RedisNotifier(connect(redis_server), cluster.id, name) for name in ("one", "other")]
    one, other = (Member(notifier, *shared_database, NEVER_SWEPT) for notifier in notifiers)
    async with running(one, other):
        queue = await homed((one, other), at=0)
        for member in (one, other):
            await member.poll_in_vain(queue)
        for number in range(5):
            await other.start(f"order-{number}", queue)
        await until(lambda: has_backlog(one, queue, 5))
        await notifiers[0].stop()
        found = {(await other.poll(queue)).workflow_execution.workflow_id for _ in range(5)}

    assert found == {f"order-{number}" for number in range(5)}


async def has_backlog(member: Member, queue: str, count: int) -> bool:
    """Whether a process has so many tasks of a queue in memory."""
    found = await member.queue(queue)
    return found is not None and len(found.backlog) == count


def delivering(loss: float, doubling: float, lateness: float, seed: int) -> Deliver:
    """Loses, doubles and delays messages."""
    rng = random.Random(seed)

    def deliver(delivery: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(0 if rng.random() < loss else 2 if rng.random() < doubling else 1):
            loop.call_later(rng.uniform(0, lateness), delivery)

    return deliver


@pytest.mark.parametrize("loss", [0.3, 1.0])
async def test_lost_doubled_and_late_messages_lose_no_task(shared_database: Database, loss: float) -> None:
    """With every message lost the processes do not even know each other."""
    hub = Hub()
    one, other = (Member(hub.notifier(name), *shared_database, SWEPT) for name in ("one", "other"))
    done: set[str] = set()

    async def work(member: Member) -> None:
        while len(done) < 60:
            polled = await member.poll("queue", seconds=3)
            if polled.task_token:
                await member.complete(polled.task_token)
                done.add(polled.workflow_execution.workflow_id)

    async with running(one, other):
        hub.deliver = delivering(loss, doubling=0.3, lateness=0.05, seed=7)
        workers = [asyncio.create_task(work(member)) for member in (one, other) for _ in range(3)]
        for number in range(60):
            await (one, other)[number % 2].start(f"order-{number}", "queue")
        await asyncio.gather(*workers)

    assert done == {f"order-{number}" for number in range(60)}


async def test_nothing_waits_in_the_table_once_all_is_done(two: tuple[Member, Member]) -> None:
    one, other = two
    for number in range(10):
        await (one, other)[number % 2].start(f"order-{number}", "queue")
    for number in range(10):
        member = (other, one)[number % 2]
        await member.complete((await member.poll("queue")).task_token)

    assert await one.engine.run_db(DispatchTask.objects.count) == 0
    assert await one.engine.run_db(Execution.objects.count) == 10
