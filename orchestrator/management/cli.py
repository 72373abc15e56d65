"""The commands and options of `manage.py hugo`."""

from pathlib import Path
from typing import Any

import click

from orchestrator.management.dead_letters import dlq
from orchestrator.management.scavenge import scavenge

GRPC_PORT = 7233
HTTP_PORT = 8233
PORT = click.IntRange(0, 65535)


class OptionalPort(click.ParamType[int | None]):
    """A port, or `none`."""

    name = "port or none"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        """See click.ParamType."""
        return None if value in ("none", None) else PORT.convert(value, param, ctx)


TRANSPORT = click.option(
    "--transport",
    type=click.Choice(["auto", "envoy", "aio"]),
    help="What speaks gRPC: Envoy with Python embedded (fast), or grpc.aio (anywhere).  [default: HUGO['TRANSPORT']]",
)


@click.group()
def hugo() -> None:
    """A Temporal-compatible durable-execution server in Django."""


@hugo.command(short_help="Run the whole server in one go, and watch a sample workflow.")
@click.option("--grpc-port", type=PORT, default=GRPC_PORT, show_default=True, help="Temporal's API; 0: a free port.")
@click.option(
    "--http-port", type=PORT, default=HTTP_PORT, show_default=True, help="REST and Django admin; 0: a free port."
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where the SQLite file and the secret key are.  [default: $HUGO_DATA_DIR, else .hugo in the checkout]",
)
@TRANSPORT
@click.option("--no-sample", is_flag=True, help="Serve only; run no sample workflow.")
@click.option("--once", is_flag=True, help="End after the sample: status 0 when it went well, 1 when not.")
def dev(grpc_port: int, http_port: int, data: Path | None, transport: str | None, no_sample: bool, once: bool) -> None:
    """Run the whole server on 127.0.0.1, for development.

    Migrates the database, serves Temporal's API over gRPC and the REST API and Django admin over HTTP, then takes a
    sample order workflow through a real temporalio worker and prints its history as it grows. Ctrl-C or SIGTERM drains
    and ends it.

    State is a SQLite file in the data directory, for one server at a time; with DATABASE_URL=postgresql://USER@HOST/NAME
    in the environment it is in PostgreSQL.

    When it serves, one line on standard output says where:

        READY grpc=127.0.0.1:7233 http=127.0.0.1:8233

    Exit status: 0 after Ctrl-C or SIGTERM; 1 when the server died; 2 with one sentence on standard error when something
    is in the way: a busy port, a data directory that cannot be used, a database of a newer version or of another shard
    count.
    """
    if once and no_sample:
        raise click.UsageError("--once ends after the sample, and --no-sample runs none: give one of them.")
    from orchestrator.management.dev import run_dev

    raise SystemExit(run_dev(grpc_port, http_port, data, transport, sample=not no_sample, once=once))


@hugo.command(short_help="Serve gRPC as one of many processes over PostgreSQL, MySQL or MariaDB.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The name or address to listen on.")
@click.option("--grpc-port", type=PORT, default=GRPC_PORT, show_default=True, help="Temporal's API; 0: a free port.")
@click.option(
    "--http-port",
    type=OptionalPort(),
    default="none",
    show_default=True,
    help="REST and Django admin; 0: a free port; none: any ASGI or WSGI server serves them.",
)
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes that share the ports.")
@TRANSPORT
@click.option("--migrate", is_flag=True, help="Migrate the database first, one process at a time.")
@click.option("--own-shards", is_flag=True, help="Fire timers and pay debts too, where no Celery worker does.")
def frontend(
    host: str,
    grpc_port: int,
    http_port: int | None,
    workers: int,
    transport: str | None,
    migrate: bool,
    own_shards: bool,
) -> None:
    """Serve Temporal's API over gRPC, beside other frontends on the same port and the Celery workers of the cluster.

    Every frontend may share its port with others on the machine (SO_REUSEPORT). With --workers above one this process
    supervises that many: it starts again, with a growing pause, what dies. SIGTERM and Ctrl-C drain and end them.

    A frontend owns no shards: Celery workers on the hugo.* queues fire the timers and pay the debts of runs.

    When all serve, one line on standard output says where:

        READY grpc=127.0.0.1:7233 http=none

    Exit status: 0 after Ctrl-C or SIGTERM; 1 when the server died; 2 with one sentence on standard error when something
    is in the way: a busy port, SQLite, a database that is not migrated, a network nobody said is trusted.
    """
    from orchestrator.management.frontend import run_frontend

    status = run_frontend(host, grpc_port, http_port, workers, transport, migrate=migrate, own_shards=own_shards)
    raise SystemExit(status)


@hugo.command(short_help="Show the processes of the cluster, and what each has done.")
def processes() -> None:
    """Show the live processes of the cluster: who each is, the shards it owns, and what it has done since it started.

    TRANSITIONS are operations on runs, in so many COMMITS; TIMERS fired and DEBTS paid for other runs are the work of
    who owns shards; TASKS SENT went to polls in other processes. Without Redis, or where a process does not answer,
    there is a question mark.
    """
    from orchestrator.management.processes import show_processes

    show_processes()


@hugo.group()
def shard() -> None:
    """Show who owns which shard of a cluster, and move shards by hand."""


JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@shard.command("list", short_help="Show who owns which shard.")
@click.option("--owner", default="", metavar="MEMBER", help="Only shards whose owner's name begins so.")
@JSON
def list_(owner: str, as_json: bool) -> None:
    """Show the owner of each shard, and how often the shard has changed hands (RANGE).

    The owner of a shard fires the timers and pays the debts of its runs. An owner is shown as dead once its lease is
    over and nobody has taken the shard yet.
    """
    from orchestrator.management.shards import list_shards

    list_shards(owner, as_json=as_json)


@shard.command(short_help="Show a shard, and what waits in it.")
@click.argument("shard", type=click.IntRange(1))
@JSON
def describe(shard: int, as_json: bool) -> None:
    """Show the owner of SHARD, and how many runs, timers and debts to other runs it has."""
    from orchestrator.management.shards import describe_shard

    describe_shard(shard, as_json=as_json)


@shard.command(short_help="Move shards to another process.")
@click.argument("shards", type=click.IntRange(1), nargs=-1, required=True, metavar="SHARD...")
@click.option("--to", metavar="MEMBER", help="The name of a process that owns shards, or the beginning of it.")
@click.option("--back", is_flag=True, help="Undo a move: whoever is due by the balance owns the shards.")
@click.option("--no-wait", is_flag=True, help="Do not wait until the shards have moved.")
def move(shards: tuple[int, ...], to: str | None, back: bool, no_wait: bool) -> None:
    """Move shards to a process, where they stay for as long as it lives, whatever the balance.

    The present owner gives a shard back after the work under way on it, which takes a few seconds. Exit status 2 with
    one sentence on standard error when that is not possible, or does not happen.
    """
    if back == (to is not None):
        raise click.UsageError("Say where the shards go: --to MEMBER, or --back.")
    from orchestrator.management.shards import move_shards

    move_shards(set(shards), to or "", wait=not no_wait)


hugo.add_command(dlq)
hugo.add_command(scavenge)
