"""The engine for commands that look at a database, or change something in it, beside its servers."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click
from django.db import DatabaseError, connections

from orchestrator.conf import hugo_settings
from orchestrator.errors import ServiceError
from orchestrator.management.database import first_line, place_of
from orchestrator.management.refusal import Refusal
from orchestrator.services.bootstrap import SchemaMismatch
from orchestrator.services.current import current_engine
from orchestrator.services.engine import Engine


@contextmanager
def engine_at_hand() -> Iterator[Engine]:
    """An engine that is not started; raises Refusal where the database cannot be used."""
    place = place_of(connections[hugo_settings().database])
    try:
        yield current_engine()
    except SchemaMismatch as error:
        raise Refusal(f"{place}: {error}") from error
    except (DatabaseError, ServiceError) as error:
        raise Refusal(f"The database {place} cannot be used: {first_line(error)}.") from error


def print_json(value: Any) -> None:
    """Prints a value for programs."""
    click.echo(json.dumps(value, indent=2))


def print_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Prints rows for people, each column as wide as it must be."""
    lines = [list(map(str, row)) for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        click.echo("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
