"""Builds the engine of a process from the settings."""

import hashlib
import os
import socket
import time
from functools import partial

from django.conf import settings as django_settings
from django.db import connections
from django.utils.module_loading import import_string

from orchestrator import __version__
from orchestrator.conf import HugoSettings, hugo_settings
from orchestrator.services.bootstrap import check_database
from orchestrator.services.cluster_clock import ClusterClock
from orchestrator.services.engine import Engine, uuid7
from orchestrator.services.shard_controller import Membership
from orchestrator.services.shard_hints import Hints
from orchestrator.services.transfer_kinds import pay
from orchestrator.store.members_sql import SqlClusterStore
from orchestrator.store.mysql import MysqlStore
from orchestrator.store.notifier import Notifier, Silence
from orchestrator.store.ports import Store
from orchestrator.store.sql import SqlStore

NAME_LENGTH = 63
"""Of what PostgreSQL keeps of a name, in bytes."""


def build_engine(settings: HugoSettings, secret: str, role: str = "dev", *, owns_shards: bool = True) -> Engine:
    """An engine over the database of the settings.

    Args:
        settings: of the library.
        secret: from which the key of task tokens is derived; the same in every process of a cluster.
        role: what this process is; its name as a member, and the names of its connections, tell it.
        owns_shards: whether it takes its share of the shards.

    Raises:
        SchemaMismatch: the database was made for another version or other settings.
    """
    name_connections(settings.database, role)
    cluster = check_database(settings.database)
    lanes = lanes_of(settings)
    membership = membership_of(settings, role, owns_shards=owns_shards)
    member = f"{role}-{socket.gethostname()}-{os.getpid()}-{os.urandom(4).hex()}"
    key = hashlib.sha256(b"hugo task tokens\0" + secret.encode()).digest()
    engine = Engine(
        settings,
        cluster,
        store_of(settings.database, cluster.shard_count),
        token_key=key,
        clock=membership.clock if membership else time.time_ns,
        new_uuid=lambda: uuid7(time.time_ns(), os.urandom(10)),
        lanes=lanes,
        notifier=notifier_of(settings, cluster.id, member),
        membership=membership,
    )
    engine.transfers.pay = partial(pay, engine)
    if settings.celery_app:
        engine.hints = celery_hints(settings, engine)
    return engine


def engine_of_process(role: str, *, owns_shards: bool = True) -> Engine:
    """The engine of a server process, by the settings.

    The connection it used on the calling thread, which need not live on, is closed.

    Args:
        role, owns_shards: see `build_engine`.

    Raises:
        SchemaMismatch: the database was made for another version or other settings.
    """
    settings = hugo_settings()
    try:
        return build_engine(settings, django_settings.SECRET_KEY, role, owns_shards=owns_shards)
    finally:
        connections[settings.database].close()


def store_of(alias: str, shard_count: int) -> Store:
    """The store for a Django database alias."""
    connection = connections[alias]
    vendor = connection.vendor
    if vendor == "postgresql":
        from orchestrator.store.pooled import PooledPostgresStore
        from orchestrator.store.postgres import PostgresStore

        # Django's own word for a pooler in transaction mode, where a cursor of the server would be lost.
        pooled = connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS", False)
        return (PooledPostgresStore if pooled else PostgresStore)(alias, shard_count)
    if vendor == "mysql":
        return MysqlStore(alias, shard_count)
    return SqlStore(alias, shard_count)


def membership_of(settings: HugoSettings, role: str, *, owns_shards: bool) -> Membership | None:
    """How a process shares the shards with others; None on SQLite, which has one process only."""
    if connections[settings.database].vendor == "sqlite":
        return None
    return Membership(
        SqlClusterStore(settings.database),
        ClusterClock(),
        role=role,
        version=__version__,
        owns_shards=owns_shards,
        lease=settings.shard_lease,
    )


def notifier_of(settings: HugoSettings, cluster_id: str, member: str) -> Notifier:
    """What reaches the other processes of the cluster; nothing without a Redis."""
    if not settings.redis_url:
        return Silence(member)
    from orchestrator.store.redis_client import connect
    from orchestrator.store.redis_notifier import RedisNotifier
    from orchestrator.store.redis_urls import parse_redis_url

    counts = parse_redis_url(settings.redis_url).kind != "cluster"
    return RedisNotifier(connect(settings.redis_url), cluster_id, member, counts=counts)


def celery_hints(settings: HugoSettings, engine: Engine) -> Hints:
    """What reaches Celery workers that own shards."""
    from orchestrator.services.celery_hints import CeleryHints

    def role(shard: int) -> str:
        owner = engine.shards.owner(shard)
        return next((member.role for member in engine.members if member.name == owner), "")

    return CeleryHints(import_string(settings.celery_app), role, engine.shard_hints)


def lanes_of(settings: HugoSettings) -> int:
    """How many threads commit: SQLite has one writer, more would only wait for each other."""
    return 1 if connections[settings.database].vendor == "sqlite" else settings.writer_lanes


def name_connections(alias: str, role: str) -> None:
    """Lets the connections that this process opens from now on tell PostgreSQL whose they are."""
    options = connections.settings[alias].get("OPTIONS", {})
    if options.get("application_name") == "hugo":
        options["application_name"] = f"hugo {role} {socket.gethostname()}:{os.getpid()}"[:NAME_LENGTH]
