"""Runs and the current run of a workflow id: created, changed, and refused when somebody else was faster."""

import threading

import pytest

from orchestrator.store.ports import LATEST_NODES, LATEST_SIZE, Changes, Node, RunKey, Store, Stored, VersionConflict
from tests.store.conftest import Opened
from tests.store.rows import creation, node, record, run_key, task, transfer, update, wake, workflow_key


def created(opened: Opened) -> RunKey:
    """A run at version 1."""
    run = run_key()
    opened.write(creation(run))
    return run


def test_reads_what_was_created(opened: Opened, store: Store) -> None:
    run, workflow = run_key(3), workflow_key(shard=3)
    opened.write(creation(run, workflow, b"\x00blob\xff"))
    with store.transaction() as session:
        assert session.lock_current([workflow, workflow_key(shard=3)]) == {workflow: run.run_id}
        row = session.lock_runs({run: 0, run_key(3): 0})
    assert list(row) == [run]
    assert row[run].version == 1
    assert bytes(row[run].blob or b"") == b"\x00blob\xff"


def test_asks_for_nothing(store: Store) -> None:
    with store.transaction() as session:
        assert session.lock_current([]) == {}
        assert session.lock_runs({}) == {}


def test_leaves_out_a_blob_the_caller_knows(opened: Opened, store: Store) -> None:
    known, other = created(opened), created(opened)
    with store.transaction() as session:
        rows = session.lock_runs({known: 1, other: 7})
    assert rows[known] == Stored(1, None)
    assert rows[other].version == 1
    assert bytes(rows[other].blob or b"") == b"state"


def test_a_run_comes_with_the_end_of_its_history(opened: Opened, store: Store) -> None:
    asked, known, other, empty = (created(opened) for _ in range(4))
    history = [node(2 * number + 3, 2 * number + 4, b"%d" % number) for number in range(LATEST_NODES + 3)]
    for run in (asked, known, other):
        opened.write(Changes(nodes=[(run, each) for each in history]))
    with store.transaction() as session:
        runs = {asked: 0, known: 1, other: 0, empty: 0}
        rows = session.lock_runs(runs, [asked, known, empty])
    assert [Node(*each) for each in rows[asked].nodes] == history[3:]
    assert [[Node(*each) for each in rows[run].nodes] for run in (known, other, empty)] == [[], [], [node(1, 2)]]


def test_so_much_of_a_history_comes_with_its_run(opened: Opened, store: Store) -> None:
    run = created(opened)
    large = [node(number, number, bytes(LATEST_SIZE // 3)) for number in (3, 4, 5, 6)]
    opened.write(Changes(nodes=[(run, each) for each in large]))
    with store.transaction() as session:
        row = session.lock_runs({run: 0}, [run])[run]
    assert [each.first_event_id for each in row.nodes] == [4, 5, 6]


def test_an_update_moves_the_version_on(opened: Opened, store: Store) -> None:
    run = created(opened)
    opened.write(update(run, 2, b"second"))
    opened.write(update(run, 3, b"third"))
    with store.transaction() as session:
        row = session.lock_runs({run: 2})[run]
    assert (row.version, bytes(row.blob or b"")) == (3, b"third")


@pytest.mark.parametrize("version", [1, 2, 4])
def test_an_update_of_another_version_is_a_conflict(opened: Opened, version: int) -> None:
    run = created(opened)
    opened.write(update(run, 2))
    before = opened.counts()
    changes = update(run, version, nodes=[(run, node(3, 4))], wakes=[wake(run, 1)], records=[record(run, status=2)])
    changes.created.append((run_key(), workflow_key(), b"beside it"))
    with pytest.raises(VersionConflict):
        opened.write(changes)
    assert opened.version(run) == 2
    assert opened.counts() == before


def test_an_update_of_a_run_that_is_not_there_is_a_conflict(opened: Opened) -> None:
    with pytest.raises(VersionConflict):
        opened.write(update(run_key(), 2))


def test_one_conflict_fails_the_whole_batch(opened: Opened) -> None:
    good, bad = created(opened), created(opened)
    changes = update(good, 2)
    changes.updated.append((bad, 3, b"too new"))
    with pytest.raises(VersionConflict):
        opened.write(changes)
    assert opened.version(good) == 1
    assert opened.version(bad) == 1


def test_a_second_first_run_is_refused(opened: Opened, store: Store) -> None:
    workflow, first = workflow_key(), run_key()
    opened.write(creation(first, workflow))
    before = opened.counts()
    with pytest.raises(store.conflicts):
        opened.write(creation(run_key(), workflow))
    assert opened.counts() == before
    with store.transaction() as session:
        assert session.lock_current([workflow]) == {workflow: first.run_id}


def test_the_current_run_moves_on(opened: Opened, store: Store) -> None:
    workflow, first, second = workflow_key(), run_key(), run_key()
    opened.write(creation(first, workflow))
    changes = Changes(moved={workflow: (first.run_id, second.run_id)}, created=[(second, workflow, b"second")])
    opened.write(changes)
    with store.transaction() as session:
        assert session.lock_current([workflow]) == {workflow: second.run_id}
    assert opened.version(second) == 1


def test_a_current_run_that_has_moved_is_a_conflict(opened: Opened) -> None:
    workflow, first, second = workflow_key(), run_key(), run_key()
    opened.write(creation(first, workflow))
    changes = Changes(moved={workflow: (run_key().run_id, second.run_id)}, created=[(second, workflow, b"late")])
    before = opened.counts()
    with pytest.raises(VersionConflict):
        opened.write(changes)
    assert opened.counts() == before
    assert opened.version(second) == 0


def test_workflows_and_runs_of_other_shards_are_others(opened: Opened, store: Store) -> None:
    here, there = workflow_key("same", 1), workflow_key("same", 2)
    one = run_key(1)
    other = RunKey(2, one.run_id)
    opened.write(creation(one, here))
    opened.write(creation(other, there, b"other"))
    opened.write(update(other, 2))
    assert opened.version(one) == 1
    with store.transaction() as session:
        assert session.lock_current([here, there]) == {here: one.run_id, there: other.run_id}


def double(run: RunKey, what: str) -> Changes:
    """An update with a row that is there already."""
    changes = update(run, 2)
    if what == "execution":
        changes.created.append((run, workflow_key(), b"again"))
    elif what == "node":
        changes.nodes += [(run, node(3, 3)), (run, node(1, 1))]
    elif what == "task":
        changes.tasks[run, 1, 2] = task(run)
    elif what == "record":
        changes.new_records.append(record(run))
    else:
        changes.transfers += [transfer(run, 9), transfer(run, 9)]
    return changes


@pytest.mark.parametrize("what", ["execution", "node", "task", "record", "transfer"])
def test_a_row_that_is_there_already_leaves_nothing_behind(opened: Opened, store: Store, what: str) -> None:
    run = created(opened)
    before = opened.counts()
    with pytest.raises(store.conflicts):
        opened.write(double(run, what))
    assert opened.version(run) == 1
    assert opened.counts() == before
    opened.write(update(run, 2))
    assert opened.version(run) == 2


def test_an_error_before_the_write_leaves_nothing(opened: Opened, store: Store) -> None:
    run = created(opened)
    with pytest.raises(KeyError), store.transaction() as session:
        session.lock_runs({run: 0})[run_key()]
    opened.write(update(run, 2))
    assert opened.version(run) == 2


def test_of_two_writers_of_one_version_one_wins(opened: Opened, store: Store) -> None:
    runs = [created(opened) for _ in range(20)]
    barrier = threading.Barrier(2)
    won: list[tuple[int, RunKey]] = []

    def compete(who: int) -> None:
        barrier.wait()
        for run in runs:
            try:
                opened.write(update(run, 2, f"by {who}".encode()))
            except (VersionConflict, *store.conflicts):
                continue
            won.append((who, run))
        store.close()

    threads = [threading.Thread(target=compete, args=(who,)) for who in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(run for _, run in won) == sorted(runs)
    with store.transaction() as session:
        stored = session.lock_runs(dict.fromkeys(runs, 0))
    assert {run: bytes(row.blob or b"") for run, row in stored.items()} == {
        run: f"by {who}".encode() for who, run in won
    }


def test_tells_the_versions_of_those_runs_that_exist(opened: Opened, store: Store) -> None:
    once, twice, missing = created(opened), created(opened), run_key()
    opened.write(update(twice, 2))
    assert store.versions([once, twice, missing]) == {once: 1, twice: 2}
    assert store.versions([]) == {}


def test_tells_the_versions_of_a_thousand_runs(opened: Opened, store: Store) -> None:
    run = created(opened)
    assert store.versions([*(run_key() for _ in range(1000)), run]) == {run: 1}
