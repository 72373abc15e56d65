"""A database is prepared once, and refused when it does not fit."""

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from pytest_django import Settings

from orchestrator.models import ClusterMetadata, Namespace, Shard
from orchestrator.services.bootstrap import APP, SchemaMismatch, check_database, prepare_database

pytestmark = pytest.mark.usefixtures("default_database")


def forget() -> None:
    """Leaves the schema without its first rows."""
    ClusterMetadata.objects.all().delete()
    Shard.objects.all().delete()
    Namespace.objects.all().delete()


def test_migrate_prepares() -> None:
    cluster = check_database()
    assert cluster.shard_count == (4 if connection.vendor == "sqlite" else 512)
    assert sorted(Shard.objects.values_list("id", flat=True)) == list(range(1, cluster.shard_count + 1))
    assert Namespace.objects.get().name == "default"


def test_prepares_with_the_configured_values(settings: Settings) -> None:
    forget()
    settings.HUGO = {"SHARD_COUNT": 7, "DEFAULT_NAMESPACE_RETENTION": 7200}
    prepare_database()
    assert check_database().shard_count == Shard.objects.count() == 7
    assert Namespace.objects.get().retention == 7200 * 10**9


def test_changes_nothing_that_exists(settings: Settings) -> None:
    before = check_database()
    namespace = Namespace.objects.get()
    Shard.objects.filter(id=1).update(range_id=5)
    Shard.objects.filter(id=2).delete()
    settings.HUGO = {"DEFAULT_NAMESPACE_RETENTION": 7200}
    prepare_database()
    assert check_database() == before
    assert Shard.objects.count() == before.shard_count
    assert Shard.objects.get(id=1).range_id == 5
    assert Namespace.objects.get().retention == namespace.retention


def test_migrating_again_prepares_again() -> None:
    forget()
    call_command("migrate", verbosity=0)
    check_database()


def test_refuses_another_shard_count(settings: Settings) -> None:
    count = check_database().shard_count
    settings.HUGO = {"SHARD_COUNT": count}
    check_database()
    settings.HUGO = {"SHARD_COUNT": 8}
    with pytest.raises(SchemaMismatch, match=rf"made with {count} shards and HUGO\['SHARD_COUNT'\] is 8"):
        check_database()


def migrate_by_a_newer_version() -> None:
    """Applies a migration this code does not know."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES (%s, '9999_future', CURRENT_TIMESTAMP)", [APP]
        )


def test_bears_a_newer_schema_that_only_adds() -> None:
    before = check_database()
    migrate_by_a_newer_version()
    assert check_database() == before
    call_command("migrate", verbosity=0)
    assert check_database() == before


@pytest.mark.parametrize("contracted_by", ["9999_future", ""])
def test_refuses_a_newer_schema_that_takes_away(contracted_by: str) -> None:
    migrate_by_a_newer_version()
    ClusterMetadata.objects.update(contracted_by=contracted_by)
    with pytest.raises(SchemaMismatch, match=r"does not know \(9999_future\).*upgrade the server"):
        check_database()


def test_says_which_migration_every_process_must_know() -> None:
    known = MigrationLoader(connection).disk_migrations
    last = max(name for (app, name), each in known.items() if app == APP and getattr(each, "contracts", False))
    assert ClusterMetadata.objects.get().contracted_by == last
    ClusterMetadata.objects.update(contracted_by="9999_future")
    prepare_database()
    assert ClusterMetadata.objects.get().contracted_by == "9999_future"


def test_refuses_an_older_schema() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = %s AND name = '0002_fillfactor'", [APP])
    with pytest.raises(SchemaMismatch, match=r"lacks migrations \(0002_fillfactor\)"):
        check_database()


def test_refuses_an_unprepared_database() -> None:
    forget()
    with pytest.raises(SchemaMismatch, match="no cluster metadata"):
        check_database()


def test_migrating_back_leaves_nothing() -> None:
    call_command("migrate", APP, "zero", verbosity=0)
    assert "cluster_metadata" not in connection.introspection.table_names()
    with pytest.raises(SchemaMismatch, match="lacks migrations"):
        check_database()


def test_pages_of_updated_rows_keep_room() -> None:
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT reloptions FROM pg_class WHERE relname IN ('execution', 'timer_task')")
        assert cursor.fetchall() == [(["fillfactor=80"],)] * 2
