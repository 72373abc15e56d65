"""What `hugo dev` prints."""

from dataclasses import dataclass

import click

from orchestrator.grpc.transport import Transport
from orchestrator.management import developer
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


@dataclass(frozen=True, slots=True)
class Welcome:
    """What is known about the server before it serves.

    Attributes:
        transport: `envoy` or `aio`.
        reason: why that one.
        version: of the Temporal server it takes the place of.
        database: where the state is.
        login_made: whether the developer's login was made just now.
    """

    transport: str
    reason: str
    version: str
    database: OpenDatabase
    login_made: bool

    def say(self, serving: Transport) -> None:
        """Says what serves where, and last, in one line for machines, that it does."""
        http = f"127.0.0.1:{serving.http_port}"
        login = f" (user {developer.NAME}, password {developer.PASSWORD})" if self.login_made else ""
        say(f"Hugo durable orchestrator, compatible with Temporal server {self.version}")
        say(f"  state   {self.database.place} ({self.database.cluster.shard_count} shards)")
        say(f"  gRPC    127.0.0.1:{serving.port}, by {self.transport} ({self.reason})")
        say(f"  HTTP    http://{http}/api/v1/, http://{http}/admin/{login}")
        say(f"READY grpc=127.0.0.1:{serving.port} http={http}")


def say_next(address: str) -> None:
    """Says how to connect to the server."""
    say(NEXT.format(address=address))
