"""Opens the database of a server: locked where one process only may use it, migrated where asked, and checked."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.core.management import call_command
from django.db import DatabaseError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from orchestrator.management.lock import FileLock
from orchestrator.management.refusal import Refusal
from orchestrator.services.bootstrap import Cluster, SchemaMismatch, check_database, check_not_newer

QUICK_CHECK_BYTES = 64 << 20
"""A SQLite file up to this size is read through for damage; a larger one would delay the start."""

_MIGRATION_LOCKS = {
    "postgresql": (
        "SET LOCAL lock_timeout = '600s'",
        "SET LOCAL statement_timeout = '600s'",
        "SET LOCAL idle_in_transaction_session_timeout = 0",
        "SELECT pg_advisory_xact_lock(1215653743)",
    ),
    "mysql": (
        "/*M! SET STATEMENT max_statement_time=0 FOR */ "
        "SELECT get_lock(concat('hugo migrate ', left(database(), 50)), 600)",
    ),
}
"""The statements that take the lock under which servers that start together migrate one by one."""


class OpenDatabase:
    """What opening found.

    Attributes:
        cluster: what the database was made for.
        place: the file, or server and name, as shown to people; holds no password.
        lock: held while the server runs; None unless it is SQLite.
    """

    def __init__(self, cluster: Cluster, place: str, lock: FileLock | None) -> None:
        self.cluster = cluster
        self.place = place
        self.lock = lock


def open_database(alias: str, *, migrate: bool = True) -> OpenDatabase:
    """Makes the database of a Django alias ready to serve; the connection is closed again.

    Args:
        alias: the Django alias.
        migrate: whether to apply the migrations it lacks; else it is refused when it lacks some.

    Raises:
        Refusal: it cannot be used; the text says why.
    """
    connection = connections[alias]
    place = place_of(connection)
    lock = None
    try:
        if connection.vendor == "sqlite":
            lock = lock_file(connection)
            check_file(connection, place)
        check_not_newer(alias)
        if migrate:
            with one_migration_at_a_time(connection):
                call_command("migrate", database=alias, interactive=False, verbosity=0)
        cluster = check_database(alias)
    except SchemaMismatch as error:
        raise Refusal(f"{place}: {error}") from error
    except DatabaseError as error:
        raise Refusal(f"The database {place} cannot be used: {first_line(error)}.") from error
    finally:
        connection.close()
    return OpenDatabase(cluster, place, lock)


def place_of(connection: BaseDatabaseWrapper) -> str:
    """Where a database is, without its password."""
    settings = connection.settings_dict
    if connection.vendor == "sqlite":
        return str(settings["NAME"])
    port = f":{settings['PORT']}" if settings["PORT"] else ""
    return f"{connection.vendor}://{settings['HOST'] or 'localhost'}{port}/{settings['NAME']}"


def lock_file(connection: BaseDatabaseWrapper) -> FileLock:
    """Makes the directory of a SQLite file and locks the file for this server."""
    path = Path(str(connection.settings_dict["NAME"]))
    if str(path).startswith("file:") or str(path) == ":memory:":
        raise Refusal(f"A server needs a SQLite file, and {path} is in memory: it would forget what it acknowledged.")
    lock = FileLock(path.with_name(path.name + ".lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.take(path)
    except OSError as error:
        raise Refusal(f"The data directory {path.parent} cannot be used: {error.strerror}.") from error
    return lock


def check_file(connection: BaseDatabaseWrapper, place: str) -> None:
    """Refuses a SQLite file that is damaged, not a database, or that cannot be written."""
    with transaction.atomic(using=connection.alias):  # BEGIN IMMEDIATE fails on a file that is read-only
        pass
    if Path(place).stat().st_size > QUICK_CHECK_BYTES:
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA quick_check(1)")
        found = str(cursor.fetchone()[0])
    if found != "ok":
        raise Refusal(f"The database {place} is damaged ({' '.join(found.split())}): restore it from a backup.")


@contextmanager
def one_migration_at_a_time(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Keeps other servers from migrating the same database meanwhile; a SQLite file has one server."""
    if connection.vendor == "sqlite":
        yield
        return
    # In a transaction of its own, which a pooler gives a server session of its own; the end of it gives the lock back.
    holder = connection.copy()
    holder.settings_dict["OPTIONS"].pop("read_timeout", None)
    try:
        holder.set_autocommit(False)
        with holder.cursor() as cursor:
            for statement in _MIGRATION_LOCKS[connection.vendor]:
                cursor.execute(statement)
        yield
    finally:
        holder.close()


def first_line(error: Exception) -> str:
    """The first line of an error, without its full stop."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
