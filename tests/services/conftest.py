"""Processes that pay what runs owe, over a database of their own."""

from collections.abc import Iterator

import pytest
from pytest_django import DjangoDbBlocker

from tests.services.paying import Paying
from tests.store.process import ALIAS
from tests.support.databases import alias


@pytest.fixture
def on_sqlite(sqlite_url: str, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """A fresh SQLite file in place of the default database."""
    with django_db_blocker.unblock(), alias(sqlite_url, ALIAS):
        yield


@pytest.fixture
def process(on_sqlite: None) -> Iterator[Paying]:
    """A process over it."""
    with Paying() as running:
        yield running
