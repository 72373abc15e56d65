"""Hints as Celery messages over a real Redis: how many, how large, and what happens when nobody takes them."""

import base64
import json
import logging
import tempfile
import time
import uuid
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from redis import Redis

from orchestrator.services import celery_hints
from orchestrator.services.celery_hints import BACKLOG, CeleryHints
from tests.support.binaries import ensure
from tests.support.processes import free_port
from tests.support.servers import Redis as RedisServer
from tests.support.servers import short_directory

PATIENCE_S = 30.0


def application(url: str, prefix: str) -> Celery:
    """A Celery application with queues of its own."""
    app = Celery("hints", broker=url, set_as_current=False)
    app.conf.broker_transport_options = {"global_keyprefix": prefix, "socket_connect_timeout": 1}
    return app


class Direct:
    """Hints to owners that are no Celery workers, as they were asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[int]]] = []

    def wake(self, queue: str, shards: Collection[int]) -> None:
        self.asked.append((queue, sorted(shards)))

    def stop(self) -> None:
        pass


class Broker:
    """What a test sees of the queues."""

    def __init__(self, url: str) -> None:
        self.prefix = f"{uuid.uuid4().hex}:"
        self.app = application(url, self.prefix)
        self._redis: Redis = Redis.from_url(url)

    def messages(self, queue: str) -> list[dict[str, Any]]:
        """The messages that wait, oldest first."""
        waiting: Any = self._redis.lrange(f"{self.prefix}{queue}", 0, -1)
        return [json.loads(each) for each in reversed(waiting)]

    def shards(self, queue: str) -> list[list[int]]:
        """What they name."""
        bodies = [json.loads(base64.b64decode(message["body"])) for message in self.messages(queue)]
        return [named["shards"] for _, named, _ in bodies]

    def close(self) -> None:
        """Ends the connection."""
        self._redis.close()


@pytest.fixture
def broker(redis_server: str) -> Iterator[Broker]:
    """A broker with empty queues."""
    made = Broker(redis_server)
    yield made
    made.close()


@pytest.fixture
def hints(broker: Broker) -> Iterator[CeleryHints]:
    """Hints to its queues."""
    made = CeleryHints(broker.app, lambda shard: "worker" if shard % 2 else "", Direct())
    yield made
    made.stop()


def until(condition: Any) -> None:
    """Waits for the thread of the hints."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_burst_of_a_thousand_costs_a_few_messages(broker: Broker, hints: CeleryHints) -> None:
    for number in range(1000):
        hints.wake("timer", [number % 512 + 1])
    until(lambda: {shard for some in broker.shards("hugo.timer") for shard in some} == set(range(1, 513)))
    messages = broker.messages("hugo.timer")
    assert len(messages) < 10
    assert all(message["content-type"] == "application/json" for message in messages)
    assert all(message["headers"]["task"] == "hugo.timer" for message in messages)


def test_first_one_is_sent_at_once_and_the_rest_together(
    broker: Broker, hints: CeleryHints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(celery_hints, "MOMENT", 0.3)
    hints.wake("transfer", [7])
    until(lambda: broker.shards("hugo.transfer") == [[7]])
    for shard in (9, 8, 9):
        hints.wake("transfer", [shard])
    until(lambda: broker.shards("hugo.transfer") == [[7], [8, 9]])


def test_queues_do_not_wait_for_each_other(broker: Broker, hints: CeleryHints) -> None:
    hints.wake("timer", [1])
    hints.wake("transfer", [2])
    until(lambda: broker.shards("hugo.timer") == [[1]] and broker.shards("hugo.transfer") == [[2]])


def test_queue_that_nobody_consumes_stays_short(
    broker: Broker, hints: CeleryHints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(celery_hints, "MOMENT", 0.0)
    marked = 0
    while len(broker.messages("hugo.timer")) < BACKLOG:
        hints.wake("timer", [1])
        time.sleep(0.001)
    # What comes behind it in the same round shows that the thread has been there.
    while marked < 5:
        hints.wake("timer", [1])
        hints.wake("transfer", [1])
        until(lambda: len(broker.messages("hugo.transfer")) > marked)  # noqa: B023
        marked = len(broker.messages("hugo.transfer"))
    assert len(broker.messages("hugo.timer")) == BACKLOG


def test_owners_of_other_kinds_are_told_directly(broker: Broker) -> None:
    direct = Direct()
    hints = CeleryHints(broker.app, {1: "worker", 2: "frontend", 3: "dev", 4: ""}.__getitem__, direct)
    hints.wake("timer", {1, 2, 3, 4})
    hints.wake("transfer", {2})
    assert direct.asked == [("timer", [2, 3]), ("transfer", [2])]
    until(lambda: broker.shards("hugo.timer") == [[1, 4]])
    hints.stop()
    assert broker.messages("hugo.transfer") == []


def test_broker_that_is_away_holds_nobody_up(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(celery_hints, "PAUSE", 0.01)
    caplog.set_level(logging.WARNING)
    app = application(f"redis://127.0.0.1:{free_port()}/0", "")
    hints = CeleryHints(app, lambda shard: "worker", Direct())
    hints.wake("timer", [1])
    until(lambda: "the broker does not answer" in caplog.text)
    for shard in range(1, 1000):
        hints.wake("timer", [shard])
    hints.stop()
    assert caplog.text.count("the broker does not answer") == 1


def test_broker_that_comes_back_is_used_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(celery_hints, "PAUSE", 0.01)
    caplog.set_level(logging.WARNING)
    ensure("Redis")
    with tempfile.TemporaryDirectory(prefix="hugo-redis-", dir=short_directory()) as parent:
        Path(parent).chmod(0o755)
        server = RedisServer(Path(parent))
        server.port = free_port()
        hints = CeleryHints(application(server.url, "prefix:"), lambda shard: "worker", Direct())
        hints.wake("timer", [1])
        until(lambda: "the broker does not answer" in caplog.text)
        server.process = server.run(server.service())
        server.wait()
        with closing(Broker(server.url)) as broker:
            broker.prefix = "prefix:"
            hints.wake("timer", [2])
            until(lambda: any(2 in shards for shards in broker.shards("hugo.timer")))
        until(lambda: "the broker answers again" in caplog.text)
        hints.stop()
        server.stop()
