"""`manage.py hugo dlq`: work that was given up because it always failed."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click

from orchestrator.core.transfers import TransferKind
from orchestrator.core.wire import SECOND
from orchestrator.management.at_hand import engine_at_hand, print_json, print_table
from orchestrator.management.refusal import Refusal
from orchestrator.models import DeadLetter, Namespace
from orchestrator.services import redrive as services
from orchestrator.services.engine import Engine

KINDS = {kind.name.lower().replace("_", "-"): kind for kind in TransferKind}
LETTERS = 100
ERROR_WIDTH = 80


@click.group()
def dlq() -> None:
    """Show work that was given up because it always failed, and put it back.

    A wake-up of a run, or what it owes another one, is tried some times (HUGO['DEAD_LETTER_ATTEMPTS']) with growing
    pauses, and then put aside with its error, so that it keeps nobody busy. Once the cause is mended, redrive it.
    """


def filters(command: Callable[..., None]) -> Callable[..., None]:
    """The options that choose letters."""
    for option in (
        click.option("--queue", type=click.Choice(DeadLetter.Queue.values), help="Only of this queue."),
        click.option("--kind", type=click.Choice(list(KINDS)), help="Only transfers of this kind."),
        click.option("--namespace", metavar="NAME", help="Only of this namespace."),
        click.option("--workflow-id", metavar="ID", help="Only of this workflow."),
        click.option("--run-id", metavar="ID", type=click.UUID, help="Only of this run."),
        click.option("--shard", type=click.IntRange(1), help="Only of this shard."),
        click.option("--error", metavar="TEXT", help="Only those whose error contains this."),
    ):
        command = option(command)
    return command


@dlq.command("list", short_help="Show what there is.")
@filters
@click.option("--limit", type=click.IntRange(1), default=LETTERS, show_default=True, help="The latest so many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_letters(limit: int, as_json: bool, **chosen: Any) -> None:
    """Show dead letters, the latest first."""
    with engine_at_hand() as engine:
        found = list(_choose(engine, chosen).order_by("-id")[:limit])
        names = _namespaces(engine)
    if as_json:
        print_json([_described(letter, names) for letter in found])
        return
    print_table(
        ("ID", "QUEUE", "KIND", "WORKFLOW", "ATTEMPTS", "LAST FAILURE", "ERROR"),
        [
            (
                letter.id,
                letter.queue,
                _kind(letter),
                letter.workflow_id,
                letter.attempts,
                _moment(letter.last_failure),
                letter.error.partition("\n")[0][:ERROR_WIDTH],
            )
            for letter in found
        ],
    )


@dlq.command(short_help="Show one with all that is known of it.")
@click.argument("letter_id", type=int, metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(letter_id: int, as_json: bool) -> None:
    """Show a dead letter, with its error and where that was raised."""
    with engine_at_hand() as engine:
        described = _described(_find(engine, letter_id), _namespaces(engine))
    if as_json:
        print_json(described)
        return
    error = described.pop("error")
    for name, value in described.items():
        click.echo(f"{name:<14} {value}")
    click.echo(f"\n{error.rstrip()}")


@dlq.command(short_help="Put work back.")
@click.argument("letter_ids", type=int, nargs=-1, metavar="[ID]...")
@filters
@click.option("--all", "everything", is_flag=True, help="All there are.")
def redrive(letter_ids: tuple[int, ...], everything: bool, **chosen: Any) -> None:
    """Put the work of dead letters back where it waited; what fails again comes back here."""
    with engine_at_hand() as engine:
        done = services.redrive(engine, _named(engine, letter_ids, everything, chosen))
    click.echo(f"{done} redriven.")


@dlq.command(short_help="Forget work for ever.")
@click.argument("letter_ids", type=int, nargs=-1, metavar="[ID]...")
@filters
@click.option("--all", "everything", is_flag=True, help="All there are.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(letter_ids: tuple[int, ...], everything: bool, yes: bool, **chosen: Any) -> None:
    """Delete dead letters: what they were to do is never done, and a run may wait for it for ever."""
    with engine_at_hand() as engine:
        ids = _named(engine, letter_ids, everything, chosen)
        if not yes:
            click.confirm(f"Forget {len(ids)} for ever?", abort=True)
        done = services.forget(engine, ids)
    click.echo(f"{done} deleted.")


def _named(engine: Engine, letter_ids: tuple[int, ...], everything: bool, chosen: dict[str, Any]) -> list[int]:
    """The letters a command is about: those named, or those the filters choose, and never all by omission."""
    filtered = any(value is not None for value in chosen.values())
    if sum((bool(letter_ids), filtered, everything)) != 1:
        raise click.UsageError("Name the letters by their ids, or choose them with options, or say --all.")
    if letter_ids:
        return [_find(engine, letter_id).id for letter_id in letter_ids]
    return list(_choose(engine, chosen).order_by("id").values_list("id", flat=True))


def _find(engine: Engine, letter_id: int) -> DeadLetter:
    found = DeadLetter.objects.using(engine.settings.database).filter(id=letter_id).first()
    if found is None:
        raise Refusal(f"There is no dead letter {letter_id}: `manage.py hugo dlq list` shows those there are.")
    return found


def _choose(engine: Engine, chosen: dict[str, Any]) -> Any:
    lookups = {
        "queue": chosen["queue"],
        "kind": KINDS[chosen["kind"]] if chosen["kind"] else None,
        "workflow_id": chosen["workflow_id"],
        "run_id": chosen["run_id"],
        "shard_id": chosen["shard"],
        "error__contains": chosen["error"],
    }
    if chosen["namespace"] is not None:
        ids = {name: id for id, name in _namespaces(engine).items()}
        if chosen["namespace"] not in ids:
            raise Refusal(f"There is no namespace {chosen['namespace']}: known are {', '.join(sorted(ids))}.")
        lookups["namespace_id"] = ids[chosen["namespace"]]
    wanted = {name: value for name, value in lookups.items() if value is not None}
    return DeadLetter.objects.using(engine.settings.database).filter(**wanted)


def _namespaces(engine: Engine) -> dict[str, str]:
    rows = Namespace.objects.using(engine.settings.database).values_list("id", "name")
    return {str(id): name for id, name in rows}


def _described(letter: DeadLetter, namespaces: dict[str, str]) -> dict[str, Any]:
    namespace_id = str(letter.namespace_id)
    return {
        "id": letter.id,
        "queue": letter.queue,
        "kind": _kind(letter),
        "event_id": letter.event_id,
        "shard": letter.shard_id,
        "namespace": namespaces.get(namespace_id, namespace_id),
        "workflow_id": letter.workflow_id,
        "run_id": str(letter.run_id),
        "attempts": letter.attempts,
        "first_failure": _moment(letter.first_failure),
        "last_failure": _moment(letter.last_failure),
        "payload": letter.payload,
        "error": letter.error,
    }


def _kind(letter: DeadLetter) -> str:
    names = {int(kind): name for name, kind in KINDS.items()}
    return names.get(letter.kind, str(letter.kind)) if letter.queue == DeadLetter.Queue.TRANSFER else "wake-up"


def _moment(ns: int) -> str:
    return datetime.fromtimestamp(ns / SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
