"""The schema keeps its promises: what identifies a row on the hot path stays within its shard."""

import pytest
from django.apps import apps
from django.db import models

from orchestrator.models import (
    CurrentExecution,
    DeadLetter,
    DispatchTask,
    Execution,
    HistoryNode,
    SignalRequests,
    TimerTask,
    TransferTask,
    VisibilityRecord,
)

HOT: list[type[models.Model]] = [
    CurrentExecution,
    DeadLetter,
    Execution,
    HistoryNode,
    SignalRequests,
    DispatchTask,
    TimerTask,
    TransferTask,
    VisibilityRecord,
]
COLD = {"cluster_metadata", "deterministic_record", "member", "namespace", "search_attribute", "shard", "task_queue"}
UNCHANGING = {"id", "shard_id", "run_id", "namespace_id", "workflow_id"}


def uniques(model: type[models.Model]) -> list[tuple[str, ...]]:
    """The columns of every unique constraint, however it was declared, but for the surrogate key."""
    meta = model._meta
    found = [tuple(each.fields) for each in meta.constraints if isinstance(each, models.UniqueConstraint)]
    found += [tuple(each) for each in meta.unique_together]
    found += [(field.name,) for field in meta.local_fields if field.unique and not field.primary_key]
    return found


@pytest.mark.parametrize("model", HOT, ids=lambda model: model._meta.db_table)
def test_unique_constraints_contain_the_shard(model: type[models.Model]) -> None:
    found = uniques(model)
    assert found, "nothing tells two rows apart"
    for columns in found:
        assert "shard_id" in columns
    assert isinstance(model._meta.pk, models.BigAutoField)


def test_every_table_is_known_to_be_hot_or_not() -> None:
    tables = {model._meta.db_table for model in apps.get_app_config("hugo_orchestrator").get_models()}
    assert tables == {model._meta.db_table for model in HOT} | COLD


def test_a_transition_changes_no_indexed_column_of_a_run() -> None:
    """So that PostgreSQL can update the row in place."""
    indexed = {name for columns in uniques(Execution) for name in columns}
    indexed |= {name for index in Execution._meta.indexes for name in index.fields}
    indexed |= {field.name for field in Execution._meta.local_fields if field.db_index or field.primary_key}
    assert indexed <= UNCHANGING
