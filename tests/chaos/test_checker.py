"""The checker of chaos finds nothing wrong with a healthy server, and every damage that is done on purpose."""

import asyncio
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path

import pytest
from msgspec import structs
from pytest_django import DjangoDbBlocker
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from config.databases import sqlite_url
from orchestrator.core.state import RUNNING
from tests.chaos.checker import violations
from tests.chaos.journal import Journal
from tests.chaos.load import Load
from tests.chaos.replay import replay_failures
from tests.chaos.workflows import Errand, Traveller, mark
from tests.functional.stored import Stored, read_stored
from tests.functional.workers import all_of, eventually, new_worker
from tests.support.server import Server

PATIENCE_S = 60.0


class Left:
    """What a healthy server has left: its file, and the log of its clients."""

    def __init__(self, directory: Path) -> None:
        self.server = Server(directory)
        self.journal = asyncio.run(self._live())
        self.file = directory / "data" / "hugo.sqlite3"
        self.stored = read_stored(sqlite_url(self.file))

    async def _live(self) -> Journal:
        with self.server:
            client = await Client.connect(self.server.grpc)
            load = Load([client], "queue", random.Random(1))
            async with new_worker(client, "queue", workflows=[Traveller, Errand], activities=[mark]):
                load.start()
                await eventually(lambda: self._enough(load.journal), "a life of everything there is")
                assert await load.end(PATIENCE_S)
        return load.journal

    async def _enough(self, journal: Journal) -> bool:
        return bool(
            len(journal.results) > 20
            and journal.updates
            and journal.completed
            and journal.queried
            and journal.contested
        )

    def damaged(self, directory: Path, statement: str) -> Stored:
        """What is read after a statement."""
        copy = directory / "copy.sqlite3"
        shutil.copyfile(self.file, copy)
        with sqlite3.connect(copy) as connection:
            assert connection.execute(statement).rowcount
        connection.close()
        return read_stored(sqlite_url(copy))


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker) -> Iterator[Left]:
    with django_db_blocker.unblock():
        yield Left(tmp_path_factory.mktemp("healthy"))


def test_nothing_is_wrong_with_a_healthy_server(left: Left) -> None:
    assert violations(left.stored, left.journal) == []


async def test_its_histories_are_replayed(left: Left) -> None:
    assert await replay_failures(left.stored) == []


COLUMNS = "shard_id, run_id, namespace_id, workflow_id"
ROWS = {
    "an event is lost": "DELETE FROM history_node WHERE id = (SELECT max(id) - 1 FROM history_node)",
    "a run is lost": "DELETE FROM execution WHERE id = (SELECT max(id) FROM execution)",
    "a timer is left": f"INSERT INTO timer_task ({COLUMNS}, fire_time) SELECT {COLUMNS}, 1 FROM execution LIMIT 1",
    "a debt is left": (
        f"INSERT INTO transfer_task ({COLUMNS}, kind, event_id, created_time) "
        f"SELECT {COLUMNS}, 1, 1, 1 FROM execution LIMIT 1"
    ),
    "a list shows another status": "UPDATE visibility_record SET status = 1 WHERE id = 3",
    "a list shows another length": "UPDATE visibility_record SET history_length = 1 WHERE id = 3",
    "a run is not in lists": "DELETE FROM visibility_record WHERE id = 3",
    "a workflow has no current run": "DELETE FROM current_execution WHERE id = 3",
}


@pytest.mark.parametrize("damage", ROWS)
def test_damaged_rows_are_found_out(
    left: Left, tmp_path: Path, damage: str, django_db_blocker: DjangoDbBlocker
) -> None:
    with django_db_blocker.unblock():
        stored = left.damaged(tmp_path, ROWS[damage])
    assert violations(stored, left.journal)


def event(stored: Stored, name: str) -> HistoryEvent:
    """An event of a type, from some history."""
    return next(each for events in stored.histories.values() for each in all_of(events, name))


def fire_early(stored: Stored) -> None:
    event(stored, "TIMER_FIRED").event_time.FromSeconds(1)


def begin_again(stored: Stored) -> None:
    run_id, state = next((run_id, state) for run_id, state in stored.states.items() if "journey" in state.workflow_id)
    stored.states["another"] = structs.replace(state, run_id="another", first_run_id="another")
    stored.histories["another"] = stored.histories[run_id]
    stored.shown["another"] = stored.shown[run_id]


def double_event(stored: Stored) -> None:
    events = max(stored.histories.values(), key=len)
    events.insert(5, events[5])


def complete_activity_twice(stored: Stored) -> None:
    name = "ACTIVITY_TASK_COMPLETED"
    first, second, *_ = max((all_of(events, name) for events in stored.histories.values()), key=len)
    second.CopyFrom(first)


def stay_open(stored: Stored) -> None:
    next(iter(stored.states.values())).status = RUNNING


HISTORIES: list[Callable[[Stored], None]] = [fire_early, begin_again, double_event, complete_activity_twice, stay_open]


@pytest.mark.parametrize("damage", HISTORIES)
def test_damaged_runs_are_found_out(left: Left, damage: Callable[[Stored], None]) -> None:
    stored = deepcopy(left.stored)
    damage(stored)
    assert violations(stored, left.journal)


def some(rows: dict[str, dict[str, list[str]]]) -> list[str]:
    """A list of a log that is not empty."""
    return next(each for lists in rows.values() for each in lists.values() if each)


def lose_start(journal: Journal) -> None:
    journal.started["a workflow that is not there"] = "a run that is not there"
    journal.results["a workflow that is not there"] = []


def lose_signal(journal: Journal) -> None:
    some(journal.signals).append("sender-0 99")


def double_signal(journal: Journal) -> None:
    some(journal.signals).pop()


def swap_signals(journal: Journal) -> None:
    next(each for senders in journal.signals.values() for each in senders.values() if len(each) > 1).reverse()


def lose_update(journal: Journal) -> None:
    next(iter(journal.updates.values()))["visit-99"] = "never"


def answer_update_otherwise(journal: Journal) -> None:
    next(iter(journal.updates.values()))["visit-0"] = "otherwise"


def accept_what_was_rejected(journal: Journal) -> None:
    next(iter(journal.updates.values()))["visit-0"] = None


def lose_completion(journal: Journal) -> None:
    some(journal.completed)[:] = ["another result"]


def complete_twice(journal: Journal) -> None:
    some(journal.completed).append("another result")


def invent_result(journal: Journal) -> None:
    some(journal.reported).clear()


def see_too_little(journal: Journal) -> None:
    journal.queried[0] = type(journal.queried[0])("journey", before=2, answer=1, after=3)


def lose_result(journal: Journal) -> None:
    journal.results.popitem()


def order_starts_otherwise(journal: Journal) -> None:
    attempts = next(iter(journal.contested.values()))
    attempts.append(attempts[-1])


LOGS: list[Callable[[Journal], None]] = [
    lose_start,
    lose_signal,
    double_signal,
    swap_signals,
    lose_update,
    answer_update_otherwise,
    accept_what_was_rejected,
    lose_completion,
    complete_twice,
    invent_result,
    see_too_little,
    lose_result,
    order_starts_otherwise,
]


@pytest.mark.parametrize("damage", LOGS)
def test_what_contradicts_the_log_is_found_out(left: Left, damage: Callable[[Journal], None]) -> None:
    journal = deepcopy(left.journal)
    damage(journal)
    assert violations(left.stored, journal)


async def test_a_history_that_cannot_be_replayed_is_found_out(left: Left) -> None:
    stored = deepcopy(left.stored)
    event(stored, "ACTIVITY_TASK_SCHEDULED").activity_task_scheduled_event_attributes.activity_type.name = "another"
    assert await replay_failures(stored)
