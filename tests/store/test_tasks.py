"""Stored tasks, wake-ups and transfers: born, found, and gone. Wake-ups of other tests are later than these."""

import uuid

from django.db import connections
from django.test.utils import CaptureQueriesContext

from orchestrator.models import DispatchTask
from orchestrator.store.ports import Changes, RunKey, Store, Task
from tests.store.conftest import Opened
from tests.store.rows import ACTIVITY, NAMESPACE, WORKFLOW, creation, run_key, task, transfer, update, wake


def queue() -> str:
    """The name of a task queue nobody has used."""
    return f"queue {uuid.uuid4()}"


def add(opened: Opened, *tasks: Task) -> RunKey:
    """Stores tasks, each for a run of its own if they differ; returns the last run."""
    run = RunKey(tasks[-1].shard_id, tasks[-1].run_id)
    changes = creation(run)
    changes.tasks = {(RunKey(t.shard_id, t.run_id), t.kind, t.scheduled_event_id): t for t in tasks}
    opened.write(changes)
    return run


def waiting(store: Store, name: str, kind: int = WORKFLOW, limit: int = 100) -> list[Task]:
    return store.waiting_tasks(NAMESPACE, name, kind, limit)


def test_finds_the_tasks_of_a_queue_by_priority_then_age(opened: Opened, store: Store) -> None:
    name = queue()
    tasks = [task(run_key(), priority=p, task_queue=name) for p in (3, 1, 3, 2, 1)]
    add(opened, *tasks[:3])
    add(opened, *tasks[3:])
    add(opened, task(run_key(), kind=ACTIVITY, task_queue=name), task(run_key(), task_queue=queue()))
    assert waiting(store, name) == [tasks[i] for i in (1, 4, 3, 0, 2)]
    assert waiting(store, name, limit=2) == [tasks[1], tasks[4]]
    assert len(waiting(store, name, ACTIVITY)) == 1
    assert store.waiting_tasks(str(uuid.uuid4()), name, WORKFLOW, 10) == []


def test_tasks_of_a_level_come_by_their_fairness_pass(opened: Opened, store: Store) -> None:
    name = queue()
    places = [(3, 20, "a"), (3, 10, "b"), (1, 30, ""), (3, 10, "c")]
    tasks = [
        task(run_key(), task_queue=name, priority=level, fairness_pass=turn, fairness_key=key, fairness_weight=turn * 7)
        for level, turn, key in places
    ]
    add(opened, *tasks)
    assert waiting(store, name) == [tasks[i] for i in (2, 1, 3, 0)]


def test_counts_the_tasks_of_a_queue_by_level(opened: Opened, store: Store) -> None:
    name = queue()
    for level, born in ((3, 50), (1, 40), (3, 30)):
        add(opened, task(run_key(), task_queue=name, priority=level, created_time=born))
    add(opened, task(run_key(), task_queue=name, kind=ACTIVITY))
    assert store.waiting_by_level(NAMESPACE, name, WORKFLOW) == {1: (1, 40), 3: (2, 30)}
    assert store.waiting_by_level(NAMESPACE, queue(), WORKFLOW) == {}


def test_configurations_of_queues_are_changed_one_after_the_other(store: Store) -> None:
    name, seen = queue(), []

    def change(before: bytes) -> bytes:
        seen.append(before)
        return before + b"+"

    for _ in range(2):
        store.change_task_queue_config((NAMESPACE, name, WORKFLOW), change)
    assert store.change_task_queue_config((NAMESPACE, name, ACTIVITY), change) == b"+"
    assert seen == [b"", b"+", b""]
    found = {key[1:]: config for key, config in store.task_queue_configs().items() if key[1] == name}
    assert found == {(name, WORKFLOW): b"++", (name, ACTIVITY): b"+"}


def test_one_statement_tells_that_none_of_many_queues_has_tasks(opened: Opened, store: Store) -> None:
    DispatchTask.objects.using(opened.alias).delete()
    asked = [(NAMESPACE, queue(), WORKFLOW) for _ in range(250)]
    with CaptureQueriesContext(connections[opened.alias]) as captured:
        assert store.stored_queues(asked) == [False] * 250
    assert len(captured) == 1


def test_says_which_queues_have_tasks(opened: Opened, store: Store) -> None:
    names = [queue() for _ in range(250)]
    add(opened, *(task(run_key(), task_queue=name) for name in names[::7]))
    asked = [(NAMESPACE, name, WORKFLOW) for name in names]
    assert store.stored_queues(asked) == [index % 7 == 0 for index in range(250)]
    assert store.stored_queues([]) == []
    assert store.stored_queues([(NAMESPACE, names[0], ACTIVITY), (NAMESPACE, names[0], WORKFLOW)]) == [False, True]


def test_buries_exactly_what_it_is_told_to(opened: Opened, store: Store) -> None:
    name = queue()
    run, other = run_key(), run_key()
    kept = [
        task(run, 3, task_queue=name),
        task(run, 2, kind=ACTIVITY, task_queue=name),
        task(other, 2, task_queue=name),
    ]
    add(opened, *kept, task(run, 2, task_queue=name))
    opened.write(update(run, 2, buried=[(run, WORKFLOW, 2), (run, WORKFLOW, 99)]))
    assert waiting(store, name) == [kept[0], kept[2]]
    assert waiting(store, name, ACTIVITY) == [kept[1]]


def test_a_task_is_buried_and_born_again_in_one_commit(opened: Opened, store: Store) -> None:
    name = queue()
    first = task(run_key(), task_queue=name)
    run = add(opened, first)
    again = first._replace(stamp=2, created_time=2_000)
    opened.write(update(run, 2, buried=[(run, WORKFLOW, 2)], tasks={(run, WORKFLOW, 2): again}))
    assert waiting(store, name) == [again]


def test_removes_the_row_of_exactly_one_dispatch(opened: Opened, store: Store) -> None:
    name = queue()
    first = task(run_key(), task_queue=name)
    run = RunKey(first.shard_id, first.run_id)
    activity = task(run, 2, kind=ACTIVITY, task_queue=name)
    add(opened, first, activity)
    for near in (
        first._replace(stamp=2),
        first._replace(scheduled_event_id=3),
        first._replace(shard_id=2),
        first._replace(run_id=str(uuid.uuid4())),
    ):
        store.delete_task(near)
    assert waiting(store, name) == [first]
    store.delete_task(first)
    store.delete_task(first)
    assert waiting(store, name) == []
    assert waiting(store, name, ACTIVITY) == [activity]


def test_texts_are_of_any_script(opened: Opened, store: Store) -> None:
    name = f"Очередь 队列 🛒 '\"%s\\ {uuid.uuid4()}"
    odd = task(run_key(), task_queue=name, workflow_id="заказ №1 · 注文 🧾 %(x)s", stamp=2**31 - 1)
    add(opened, odd)
    assert waiting(store, name) == [odd]
    assert store.stored_queues([(NAMESPACE, name, WORKFLOW)]) == [True]


def test_wakes_are_set_moved_and_ended(opened: Opened, store: Store) -> None:
    early, late = run_key(), run_key()
    last = wake(run_key(), 100)
    opened.write(Changes(created=creation(RunKey(1, last.run_id)).created, wakes=[last]))
    opened.write(Changes(created=creation(early).created, wakes=[wake(early, 40)]))
    opened.write(Changes(created=creation(late).created, wakes=[wake(late, 60)]))
    assert store.due(60, 100) == [wake(early, 40), wake(late, 60), last]
    assert store.due(40, 1) == store.due(59, 100) == [wake(early, 40), wake(late, 60)]
    assert store.due(60, 1) == [wake(early, 40), last]
    assert store.due(39, 100) == [wake(early, 40)]
    opened.write(update(early, 2, wakes=[wake(early, 80)]))
    assert store.due(50, 100) == [wake(late, 60)]
    assert store.due(80, 100) == [wake(late, 60), wake(early, 80), last]
    opened.write(update(late, 2, slept=[late, run_key()]))
    assert store.due(80, 100) == [wake(early, 80), last]
    opened.write(update(early, 3, slept=[early]))
    assert store.due(80, 100) == [last]


def test_wakes_and_transfers_of_some_shards(opened: Opened, store: Store) -> None:
    wakes = {}
    for shard in (2, 3, 4):
        run = run_key(shard)
        wakes[shard] = wake(run, 10 * shard)
        changes = Changes(created=creation(run).created, wakes=[wakes[shard]])
        changes.transfers.append(transfer(run, 5, 5_000))
        opened.write(changes)
    assert store.due(40, 100, [3, 4]) == [wakes[3], wakes[4]]
    assert store.due(25, 100, [3, 4]) == [wakes[3]]
    assert store.due(25, 100, [2, 4]) == [wakes[2], wakes[4]]
    assert [each.shard_id for each in store.transfers(5_001, 100, [4, 2])] == [2, 4]
    assert store.transfers(5_000, 100, [4, 2]) == []


def test_transfers_are_found_once_they_have_some_age(opened: Opened, store: Store) -> None:
    run = run_key()
    born = [transfer(run, 5, 10), transfer(run, 6, 20), transfer(run, 7, 30)]
    changes = creation(run)
    changes.transfers = list(born)
    opened.write(changes)
    assert store.transfers(30, 100) == born[:2]
    assert store.transfers(31, 2) == born[:2]
    opened.write(update(run, 2, transferred=[(run, 1, 5), (run, 2, 6), (run, 1, 99)]))
    assert store.transfers(31, 100) == born[1:]


def test_a_thousand_rows_of_a_kind_in_one_commit(opened: Opened, store: Store) -> None:
    name = queue()
    runs = [run_key(1 + index % 4) for index in range(1_000)]
    everything = Changes()
    for run in runs:
        one = creation(run)
        everything.current |= one.current
        everything.created += one.created
        everything.nodes += one.nodes
        everything.wakes += one.wakes
        everything.new_records += one.new_records
        everything.tasks[run, WORKFLOW, 2] = task(run, task_queue=name)
        everything.requests.append((run, 0, b"ids"))
    before = opened.counts()
    opened.write(everything)
    grown = {table: count - before[table] for table, count in opened.counts().items()}
    assert grown == dict.fromkeys(grown, 1_000) | {"transfer_task": 0}
    with store.transaction() as session:
        assert len(session.lock_current(list(everything.current))) == 1_000
        assert len(session.lock_runs(dict.fromkeys(runs, 0))) == 1_000
    opened.write(
        Changes(
            updated=[(run, 2, b"next") for run in runs],
            buried=[(run, WORKFLOW, 2) for run in runs],
            slept=runs,
            records=[each._replace(status=2) for each in everything.new_records],
        )
    )
    with store.transaction() as session:
        assert all(row.version == 2 for row in session.lock_runs(dict.fromkeys(runs, 0)).values())
    assert not DispatchTask.objects.using(opened.alias).filter(task_queue=name).exists()
