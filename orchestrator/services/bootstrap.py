"""Makes a migrated database usable, and refuses one that this code must not touch."""

import dataclasses
import uuid
from typing import Any

from django.apps import apps
from django.db import connections, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.utils import DatabaseError

from orchestrator.conf import hugo_settings
from orchestrator.models import ClusterMetadata, Namespace, Shard
from orchestrator.services.server_version import too_old

DEFAULT_NAMESPACE = "default"
EMBEDDED_SHARDS = 4
SERVER_SHARDS = 512
FIRST_SHARD = 1
APP = "hugo_orchestrator"
REFUSED_BY_POOLERS = "unsupported startup parameter"
POOLER = " A pooler in transaction mode is named by pooling=transaction in DATABASE_URL."


class SchemaMismatch(Exception):
    """The database does not fit this code or its settings; the text is one sentence an operator can act on."""


@dataclasses.dataclass(frozen=True, slots=True)
class Cluster:
    """What a database was made for.

    Attributes:
        id: the identity of the cluster, a dashed UUID.
        shard_count: the number of shards; their ids are 1 to `shard_count`.
    """

    id: str
    shard_count: int


def prepare_database(database: str | None = None) -> None:
    """Writes the rows every cluster has: its metadata, its shards, the namespace `default`.

    Does nothing to rows that exist, so it may run after every migrate and in several processes at once.

    Args:
        database: the Django alias; None for the one of the settings.
    """
    settings = hugo_settings()
    database = database or settings.database
    with transaction.atomic(using=database):
        wanted = settings.shard_count or _default_shard_count(database)
        metadata, _ = ClusterMetadata.objects.using(database).get_or_create(
            id=1, defaults={"cluster_id": uuid.uuid4(), "shard_count": wanted}
        )
        contracted_by = _last_contraction(database)
        if metadata.contracted_by < contracted_by:
            metadata.contracted_by = contracted_by
            metadata.save(using=database, update_fields=["contracted_by"])
        shards = Shard.objects.using(database)
        known = set(shards.values_list("id", flat=True))
        missing = [Shard(id=id) for id in range(FIRST_SHARD, FIRST_SHARD + metadata.shard_count) if id not in known]
        shards.bulk_create(missing, ignore_conflicts=True)
        Namespace.objects.using(database).get_or_create(
            name=DEFAULT_NAMESPACE,
            defaults={"id": uuid.uuid4(), "retention": settings.default_namespace_retention * 1_000_000_000},
        )


def prepare_after_migrate(using: str, **_: Any) -> None:
    """Receiver of `post_migrate`: prepares the server's database once all of its migrations are applied."""
    if using == hugo_settings().database and is_complete(using, APP):
        prepare_database(using)


def check_database(database: str | None = None) -> Cluster:
    """Reads what the database was made for.

    Args:
        database: the Django alias; None for the one of the settings.

    Raises:
        SchemaMismatch: the schema is newer or older than this code, the database was never prepared, or its shard count
            is not the configured one.
    """
    settings = hugo_settings()
    database = database or settings.database
    unapplied = check_not_newer(database)
    if unapplied:
        raise SchemaMismatch(f"The database lacks migrations ({', '.join(unapplied)}): run `manage.py migrate`.")
    if missing := _missing_tables(database):
        raise SchemaMismatch(
            f"The database lacks tables ({', '.join(missing)}) although all migrations are applied: it was made by an "
            "unreleased version, or something removed them; start with a new database or restore a backup."
        )
    metadata = ClusterMetadata.objects.using(database).filter(id=1).first()
    if metadata is None:
        raise SchemaMismatch("The database holds no cluster metadata: run `manage.py migrate`.")
    if settings.shard_count not in (None, metadata.shard_count):
        raise SchemaMismatch(
            f"The database was made with {metadata.shard_count} shards and HUGO['SHARD_COUNT'] is "
            f"{settings.shard_count}: the count is fixed by the first migrate; set it back."
        )
    return Cluster(str(metadata.cluster_id), metadata.shard_count)


def check_shared(database: str) -> None:
    """Refuses a database that only one process may use.

    Args:
        database: the Django alias.

    Raises:
        SchemaMismatch: it is SQLite.
    """
    connection = connections[database]
    if connection.vendor == "sqlite":
        raise SchemaMismatch(
            f"A SQLite file ({connection.settings_dict['NAME']}) is for the one process of `manage.py hugo dev`: set "
            "DATABASE_URL to a PostgreSQL, MySQL or MariaDB database, which the processes of a cluster share."
        )


def check_not_newer(database: str) -> list[str]:
    """Refuses a database that a newer version of this code has migrated so that this one cannot use it any more.

    Migrations that only add to the schema bear processes that do not know them: during a deploy, those of the version
    before go on, and may be started again. The database says which migration a process must know
    (`docs/adr/0008-two-versions-on-one-database.md`).

    Args:
        database: the Django alias.

    Returns:
        The names of the migrations it still lacks.

    Raises:
        SchemaMismatch: it has migrations this code must know and does not, its server is too old, or it cannot be read.
    """
    try:
        if refusal := too_old(connections[database]):
            raise SchemaMismatch(refusal)
        unknown, unapplied = _migrations(database)
    except DatabaseError as error:
        hint = POOLER if REFUSED_BY_POOLERS in str(error) else ""
        raise SchemaMismatch(f"The database cannot be read: {_first_line(error)}.{hint}") from error
    if unknown and not _known(database, _contracted_by(database)):
        raise SchemaMismatch(
            f"The database has migrations this version does not know ({', '.join(unknown)}): "
            "it belongs to a newer version; upgrade the server."
        )
    return unapplied


def _contracted_by(database: str) -> str:
    """The last applied migration that every process must know; empty for a database that does not say."""
    rows = ClusterMetadata.objects.using(database).values_list("contracted_by", flat=True)
    return rows.first() or ""


def _known(database: str, name: str) -> bool:
    return (APP, name) in MigrationLoader(connections[database]).disk_migrations


def _last_contraction(database: str) -> str:
    """The last of our migrations that takes something away which the version before it needs."""
    found = MigrationLoader(connections[database]).disk_migrations
    return max(name for (app, name), each in found.items() if app == APP and getattr(each, "contracts", False))


def _default_shard_count(database: str) -> int:
    return EMBEDDED_SHARDS if connections[database].vendor == "sqlite" else SERVER_SHARDS


def is_complete(database: str, app: str) -> bool:
    """Whether all migrations of an app are applied and its tables are there."""
    return not _migrations(database, app)[1] and not _missing_tables(database, app)


def _migrations(database: str, app: str = APP) -> tuple[list[str], list[str]]:
    """The names of an app's applied migrations this code does not have, and of those it has that are not applied."""
    loader = MigrationLoader(connections[database])
    replaced = {name for migration in loader.disk_migrations.values() for name in migration.replaces}
    known = set(loader.disk_migrations) | replaced
    applied = loader.applied_migrations or {}
    unknown = [name for owner, name in applied if owner == app and (owner, name) not in known]
    unapplied = [name for owner, name in loader.graph.nodes if owner == app and (owner, name) not in applied]
    return sorted(unknown), sorted(unapplied)


def _missing_tables(database: str, app: str = APP) -> list[str]:
    """The names of an app's tables that do not exist; a project that switched our migrations off has none."""
    tables = set(connections[database].introspection.table_names())
    return sorted({model._meta.db_table for model in apps.get_app_config(app).get_models()} - tables)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")
