"""A database server that is too old is refused in one sentence."""

from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from orchestrator.services.bootstrap import SchemaMismatch, check_database
from tests.support.databases import alias
from tests.support.restartable import restartable
from tests.support.servers import MariaDB

OLD = {
    "10.5.29-MariaDB": "MariaDB 10.6 or later is needed, and the server is MariaDB 10.5.29: upgrade it.",
    "8.0.18": "MySQL 8.0.19 or later is needed, and the server is MySQL 8.0.18: upgrade it.",
}


@pytest.mark.usefixtures("mariadb_server")
@pytest.mark.parametrize("said", OLD)
def test_an_old_server_is_refused(said: str, django_db_blocker: DjangoDbBlocker) -> None:
    class Pretending(MariaDB):
        """One that says it is old."""

        def service(self) -> list[str | Path]:
            return [*super().service(), f"--version={said}"]

    with (
        restartable(Pretending) as server,
        django_db_blocker.unblock(),
        alias(server.url) as name,
        pytest.raises(SchemaMismatch) as refusal,
    ):
        check_database(name)
    assert str(refusal.value) == OLD[said]


def test_these_servers_are_not(database_alias: str) -> None:
    assert check_database(database_alias).shard_count
