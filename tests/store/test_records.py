"""What lists show of a run: inserted, and changed in all that can change."""

import json
from typing import Any

from orchestrator.models import VisibilityRecord
from orchestrator.store.ports import Changes, Record, RunKey
from tests.store.conftest import Opened
from tests.store.rows import creation, record, run_key, update

CHANGED = {
    "task_queue": "another",
    "status": 2,
    "execution_time": 12,
    "close_time": 99,
    "execution_duration": 88,
    "history_length": 11,
    "history_size_bytes": 1_234,
    "state_transition_count": 7,
    "memo": b"\x00memo\xff",
    "payloads": b"\x00payloads",
    "search_attributes": json.dumps({"Город:Keyword": ["Köln", "東京"], "n:Int": 3}),
    "namespace_division": "division",
}
FIXED = {"namespace_id", "workflow_id", "workflow_type", "start_time", "parent_workflow_id", "root_workflow_id"}


def stored(opened: Opened, run: RunKey) -> Record:
    """The row of a run."""
    row: Any = VisibilityRecord.objects.using(opened.alias).get(shard_id=run.shard_id, run_id=run.run_id)
    values = {name: getattr(row, name) for name in Record._fields}
    values |= {name: str(values[name]) for name in ("run_id", "namespace_id")}
    values |= {name: bytes(values[name]) for name in ("memo", "payloads")}
    return Record(**values | {"search_attributes": json.dumps(values["search_attributes"])})


def create(opened: Opened, wanted: Record) -> RunKey:
    run = RunKey(wanted.shard_id, wanted.run_id)
    changes = creation(run)
    changes.new_records = [wanted]
    opened.write(changes)
    return run


def test_stores_an_open_run(opened: Opened) -> None:
    wanted = record(run_key(), parent_workflow_id="p", parent_run_id="q", workflow_type="Тип", workflow_id="№ 1")
    assert stored(opened, create(opened, wanted)) == wanted


def test_stores_one_with_everything(opened: Opened) -> None:
    wanted = record(run_key(), **CHANGED)
    assert same(stored(opened, create(opened, wanted)), wanted)


def test_changes_all_that_can_change(opened: Opened) -> None:
    first = record(run_key())
    run, neighbour = create(opened, first), create(opened, record(run_key()))
    before = stored(opened, neighbour)
    for name, value in CHANGED.items():
        assert getattr(first, name) != value
    opened.write(update(run, 2, records=[first._replace(**CHANGED)]))
    assert same(stored(opened, run), first._replace(**CHANGED))
    assert stored(opened, neighbour) == before
    opened.write(update(run, 3, records=[first]))
    assert stored(opened, run) == first


def test_changes_some_runs_to_null_and_others_not(opened: Opened) -> None:
    records = [record(run_key(), history_length=None if index % 2 else index) for index in range(6)]
    opened.write(
        Changes(created=[creation(RunKey(r.shard_id, r.run_id)).created[0] for r in records], new_records=records)
    )
    swapped = [each._replace(history_length=None if each.history_length is not None else 3) for each in records]
    updated = [(RunKey(each.shard_id, each.run_id), 2, b"") for each in records]
    opened.write(Changes(updated=updated, records=swapped))
    assert [stored(opened, RunKey(each.shard_id, each.run_id)) for each in records] == swapped


def same(found: Record, wanted: Record) -> bool:
    """Equality; JSON is compared by its values."""
    parsed = json.loads(found.search_attributes) == json.loads(wanted.search_attributes)
    return parsed and found._replace(search_attributes="") == wanted._replace(search_attributes="")


def test_a_record_names_its_columns() -> None:
    assert set(CHANGED) | FIXED | {"shard_id", "run_id", "parent_run_id", "root_run_id"} == set(Record._fields)
