"""Migrations only add: processes of the version before go on while they are applied, and after.

One that takes something away says so with `contracts = True`, and is written down here with the reason why it may. It
is released at the earliest one version after the last code that needs what it takes
(`docs/adr/0008-two-versions-on-one-database.md`).
"""

from itertools import pairwise

import pytest
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation

from orchestrator.models.fields import NameField
from orchestrator.services.bootstrap import APP

CONTRACTIONS = {
    "0001_initial": "there is nothing before it",
    "0005_members": "it drops shard.lease_expires, which no version has used but to show it",
}
JUDGED = {"0002_fillfactor": "it changes how PostgreSQL fills pages, and no column"}
"""Migrations that run code, and why no process of an earlier version minds it."""

MIGRATIONS = {
    name: migration
    for (app, name), migration in sorted(MigrationLoader(None, ignore_no_migrations=True).disk_migrations.items())
    if app == APP
}


def takes_away(operation: Operation) -> str:
    """Why a process that does not know an operation cannot work after it; empty when it can."""
    match operation:
        case migrations.CreateModel() | migrations.AddIndex() | migrations.RemoveIndex():
            return ""
        case migrations.RemoveConstraint() | migrations.AlterModelOptions():
            return ""
        case migrations.AddField(field=field) if field.null or field.has_db_default() or field.many_to_many:
            return ""
        case migrations.AddField():
            return f"rows without {operation.name} cannot be inserted: give it a db_default, or null"
    return f"{type(operation).__name__} is not known to be harmless"


@pytest.mark.parametrize("name", MIGRATIONS)
def test_a_migration_only_adds_or_says_that_it_does_not(name: str) -> None:
    migration = MIGRATIONS[name]
    assert getattr(migration, "contracts", False) == (name in CONTRACTIONS)
    if name not in CONTRACTIONS and name not in JUDGED:
        assert [problem for each in migration.operations if (problem := takes_away(each))] == []


def test_migrations_are_applied_in_the_order_of_their_names() -> None:
    names = list(MIGRATIONS)
    assert [name[:4] for name in names] == [f"{number:04}" for number in range(1, len(names) + 1)]
    for earlier, later in pairwise(names):
        assert (APP, earlier) in MIGRATIONS[later].dependencies


@pytest.mark.parametrize(
    "operation",
    [
        migrations.RemoveField("shard", "owner"),
        migrations.DeleteModel("Shard"),
        migrations.RenameField("shard", "owner", "holder"),
        migrations.RenameModel("Shard", "Part"),
        migrations.AlterField("shard", "owner", models.TextField()),
        migrations.AlterModelTable("Shard", "part"),
        migrations.AddField("shard", "host", NameField(max_length=10)),
        migrations.AddField("shard", "host", NameField(max_length=10, default="")),
        migrations.AddConstraint("shard", models.UniqueConstraint(fields=["owner"], name="unique")),
        migrations.RunPython(migrations.RunPython.noop),
        migrations.RunSQL("SELECT 1"),
    ],
    ids=lambda operation: type(operation).__name__,
)
def test_what_takes_away_is_found(operation: Operation) -> None:
    assert takes_away(operation)


@pytest.mark.parametrize(
    "field", [NameField(max_length=10, null=True), NameField(max_length=10, db_default="")], ids=["null", "db_default"]
)
def test_a_column_that_older_code_need_not_fill_is_harmless(field: NameField) -> None:
    assert not takes_away(migrations.AddField("shard", "host", field))
