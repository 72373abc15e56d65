"""What `hugo dev` refuses, each time with one sentence on standard error and exit status 2."""

import re
import shutil
import socket
import sqlite3
from pathlib import Path
from typing import Any

import psycopg
import pytest

from orchestrator.management.dev import check_data_directory
from orchestrator.management.refusal import Refusal
from tests.management.command import run
from tests.support.processes import free_port

NEWER = "INSERT INTO django_migrations (app, name, applied) VALUES ('hugo_orchestrator', '9999_later', '2030-01-01')"
CONTRACTED = "UPDATE cluster_metadata SET contracted_by = '9999_later'"


def refused(data: Path, *arguments: str, url: str | None = None, **more: str) -> str:
    """The sentence."""
    done = run(data, "--no-sample", *arguments, url=url, **more)
    assert (done.returncode, done.stdout) == (2, ""), done
    assert done.stderr.endswith(".\n"), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr.strip()


@pytest.fixture
def migrated(tmp_path: Path, sqlite_url: str) -> Path:
    """A data directory with a migrated database."""
    data = tmp_path / "data"
    data.mkdir()
    shutil.copyfile(sqlite_url.removeprefix("sqlite:///"), data / "hugo.sqlite3")
    return data


@pytest.mark.parametrize("transport", ["envoy", "aio"])
@pytest.mark.parametrize("option", ["--grpc-port", "--http-port"])
def test_busy_port(migrated: Path, transport: str, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = refused(migrated, "--transport", transport, option, str(port))
    assert said == f"hugo: Port {port} is in use: end what listens there, or choose another with {option}."


def test_data_directory_that_is_a_file(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.write_text("not a directory")
    assert refused(data) == f"hugo: The data directory {data} cannot be used: File exists."


def test_data_directory_inside_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    data = tmp_path / "file" / "data"
    assert refused(data) == f"hugo: The data directory {data} cannot be used: Not a directory."


def test_data_directory_without_a_secret_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    data = tmp_path / "file" / "data"
    said = refused(data, DJANGO_SECRET_KEY="")
    assert said.startswith(f"manage.py: The data directory {data} cannot be used: ")


def test_empty_secret(migrated: Path) -> None:
    (migrated / "secret-key").touch()
    said = refused(migrated, DJANGO_SECRET_KEY="")
    assert said == f"manage.py: The secret key file {migrated / 'secret-key'} is empty: delete it and start again."


def test_database_that_is_a_directory(tmp_path: Path) -> None:
    file = tmp_path / "data" / "hugo.sqlite3"
    file.mkdir(parents=True)
    assert refused(tmp_path / "data") == f"hugo: The database {file} cannot be used: unable to open database file."


def test_database_of_garbage(tmp_path: Path) -> None:
    file = tmp_path / "data" / "hugo.sqlite3"
    file.parent.mkdir()
    file.write_bytes(b"garbage " * 1000)
    assert refused(tmp_path / "data") == f"hugo: The database {file} cannot be used: file is not a database."
    assert file.read_bytes() == b"garbage " * 1000


def test_damaged_database(migrated: Path) -> None:
    file = migrated / "hugo.sqlite3"
    pages = bytearray(file.read_bytes())
    with sqlite3.connect(file) as database:
        size = database.execute("PRAGMA page_size").fetchone()[0]
        page = database.execute("SELECT max(rootpage) FROM sqlite_master").fetchone()[0]
    database.close()
    pages[(page - 1) * size : page * size] = b"\xff" * size
    file.write_bytes(pages)
    assert refused(migrated).startswith(f"hugo: The database {file} is damaged (")


def test_truncated_database(migrated: Path) -> None:
    file = migrated / "hugo.sqlite3"
    file.write_bytes(file.read_bytes()[:20_000])
    assert refused(migrated).startswith(f"hugo: The database {file} ")


def test_locked_database(migrated: Path) -> None:
    file = migrated / "hugo.sqlite3"
    database = sqlite3.connect(file, isolation_level=None)
    database.execute("BEGIN IMMEDIATE")
    try:
        assert refused(migrated) == f"hugo: The database {file} cannot be used: database is locked."
    finally:
        database.close()


def test_database_in_memory(tmp_path: Path) -> None:
    said = refused(tmp_path / "data", url="sqlite://:memory:")
    assert (
        said == "hugo: A server needs a SQLite file, and :memory: is in memory: it would forget what it acknowledged."
    )


def test_newer_schema_on_sqlite(migrated: Path) -> None:
    file = migrated / "hugo.sqlite3"
    with sqlite3.connect(file) as database:
        database.execute(NEWER)
        database.execute(CONTRACTED)
    database.close()
    assert refused(migrated) == f"hugo: {file}: {NEWER_SAID}"


def test_newer_schema_on_postgres(tmp_path: Path, postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as client:
        client.execute(NEWER)
        client.execute(CONTRACTED)
    said = refused(tmp_path / "data", url=postgres_url)
    assert said.startswith("hugo: postgresql://")
    assert said.endswith(f": {NEWER_SAID}")


NEWER_SAID = (
    "The database has migrations this version does not know (9999_later): it belongs to a newer version; "
    "upgrade the server."
)


def test_tables_that_went_missing(migrated: Path) -> None:
    file = migrated / "hugo.sqlite3"
    with sqlite3.connect(file) as database:
        database.execute("DROP TABLE dispatch_task")
    database.close()
    assert refused(migrated) == (
        f"hugo: {file}: The database lacks tables (dispatch_task) although all migrations are applied: it was made "
        "by an unreleased version, or something removed them; start with a new database or restore a backup."
    )


def test_another_shard_count(tmp_path: Path, database_url: str) -> None:
    made_with = 4 if database_url.startswith("sqlite") else 512
    said = refused(tmp_path / "data", url=database_url, HUGO_SHARD_COUNT="8")
    assert said.endswith(
        f": The database was made with {made_with} shards and HUGO['SHARD_COUNT'] is 8: the count is fixed by the "
        "first migrate; set it back."
    )


def test_postgres_that_is_not_there(tmp_path: Path) -> None:
    port = free_port()
    said = refused(tmp_path / "data", url=f"postgresql://hugo:secret@127.0.0.1:{port}/hugo")
    assert said.startswith(
        f"hugo: postgresql://127.0.0.1:{port}/hugo: The database cannot be read: connection failed: "
    )
    assert "secret" not in said


def test_transport_that_does_not_exist(migrated: Path) -> None:
    said = refused(migrated, HUGO_TRANSPORT="pigeon")
    assert said == "hugo: No transport is called 'pigeon'; there are auto, envoy and aio."


def test_once_without_the_sample(tmp_path: Path) -> None:
    done = run(tmp_path / "data", "--once", "--no-sample")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--once ends after the sample, and --no-sample runs none: give one of them." in done.stderr
    assert not (tmp_path / "data").exists()


def test_data_where_the_settings_do_not_know_it(tmp_path: Path, settings: Any) -> None:
    check_data_directory(None)
    check_data_directory(Path(settings.DATA_DIR))
    with pytest.raises(
        Refusal, match=re.escape(f"The settings of this project keep no data in {tmp_path}: ")
    ) as caught:
        check_data_directory(tmp_path)
    assert caught.value.exit_code == 2
