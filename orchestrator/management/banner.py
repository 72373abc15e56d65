"""What `hugo dev` prints."""

import click

from orchestrator.conf import HugoSettings
from orchestrator.management.database import OpenDatabase

NEXT = """\
Your turn: every Temporal SDK, the CLI and the Web UI connect to {address}, namespace "default", without TLS.

  Python       client = await Client.connect("{address}")
  Go           client.Dial(client.Options{{HostPort: "{address}"}})
  Java         WorkflowServiceStubsOptions.newBuilder().setTarget("{address}").build()
  TypeScript   await Connection.connect({{ address: "{address}" }})
  CLI          temporal --address {address} workflow list

The sample's code is in examples/order; README.md leads to a workflow of your own. Ctrl-C ends the server.
"""


def say(text: str) -> None:
    """Prints a line at once, whatever standard output is."""
    click.echo(text)


def say_ready(
    port: int, http_port: int | None, transport: str, reason: str, library: HugoSettings, database: OpenDatabase
) -> None:
    """Says what serves where, and last, in one line for machines, that it does."""
    shards = f"{database.cluster.shard_count} shards"
    say(f"Hugo durable orchestrator, compatible with Temporal server {library.server_version}")
    say(f"  state   {database.place} ({shards})")
    say(f"  gRPC    127.0.0.1:{port}, by {transport} ({reason})")
    say(f"  HTTP    http://127.0.0.1:{http_port}/admin/")
    say(f"READY grpc=127.0.0.1:{port} http=127.0.0.1:{http_port}")


def say_next(address: str) -> None:
    """Says how to connect to the server."""
    say(NEXT.format(address=address))
