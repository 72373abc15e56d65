"""Pages: complete, without repetition, in the default order, from any place."""

import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.errors import InvalidArgument
from orchestrator.models.visibility import OPEN, VisibilityRecord
from tests.visibility.test_sql import NAMESPACE, record
from visibility.pages import page
from visibility.query import parse
from visibility.sql import records


def walk(database: str, size: int, few: bool = False) -> list[str]:
    rows = records(database, NAMESPACE, parse(""), {}).rows
    seen, token = [], b""
    while True:
        shown, token = page(rows, size, token, few)
        assert len(shown) <= size
        seen += [each.workflow_id for each in shown]
        if not token:
            return seen
        assert len(shown) == size


TIMES = st.tuples(st.sampled_from([OPEN, OPEN, 5, 6, 7]), st.integers(1, 3))


@given(st.lists(TIMES, max_size=14), st.integers(1, 5), st.booleans())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pages_are_the_whole_list_in_order(
    database_alias: str, times: list[tuple[int, int]], size: int, few: bool
) -> None:
    VisibilityRecord.objects.using(database_alias).all().delete()
    rows = [
        record(workflow_id=str(number), close_time=close_time, start_time=start_time, run_id=str(uuid.uuid4()))
        for number, (close_time, start_time) in enumerate(times)
    ]
    VisibilityRecord.objects.using(database_alias).bulk_create(rows)
    seen = walk(database_alias, size, few)
    assert sorted(seen) == sorted(row.workflow_id for row in rows)
    # Runs of the same times are in the order the database has for UUIDs.
    shown = [(-rows[int(number)].close_time, -rows[int(number)].start_time) for number in seen]
    assert shown == sorted(shown)


def test_runs_that_come_and_go_meanwhile_hide_no_others(database_alias: str) -> None:
    rows = VisibilityRecord.objects.using(database_alias)
    rows.bulk_create([record(workflow_id=str(number), start_time=number) for number in range(1, 7)])
    found = records(database_alias, NAMESPACE, parse(""), {}).rows
    first, token = page(found, 2, b"")
    assert [row.workflow_id for row in first] == ["6", "5"]
    rows.filter(workflow_id__in=["5", "6"]).delete()
    rows.bulk_create([record(workflow_id="9", start_time=9)])
    second, token = page(found, 2, token)
    assert [row.workflow_id for row in second] == ["4", "3"]
    third, token = page(found, 2, token)
    assert ([row.workflow_id for row in third], token) == (["2", "1"], b"")


def test_refuses_a_token_it_did_not_make(database_alias: str) -> None:
    for token in (b"garbage", b"\0", b"\2" + b"\0" * 32, b"\1" + b"\0" * 31, b"x" * 10_000):
        with pytest.raises(InvalidArgument, match="NextPageToken"):
            page(records(database_alias, NAMESPACE, parse(""), {}).rows, 10, token)
