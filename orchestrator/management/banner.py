"""What a server prints when it serves."""

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
        title: what serves.
        transport: `envoy` or `aio`.
        reason: why that one.
        version: of the Temporal server it takes the place of.
        database: where the state is.
        login_made: whether the developer's login was made just now.
    """

    title: str
    transport: str
    reason: str
    version: str
    database: OpenDatabase
    login_made: bool = False

    def say(self, serving: Transport) -> None:
        """Says what serves where, and last, in one line for machines, that it does."""
        self.say_places("127.0.0.1", serving.port, serving.http_port)

    def say_places(self, address: str, grpc_port: int, http_port: int | None) -> None:
        """Says the same of an address and its ports; without an HTTP port the machines read `http=none`."""
        grpc = place(address, grpc_port)
        login = f" (user {developer.NAME}, password {developer.PASSWORD})" if self.login_made else ""
        say(f"{self.title}, compatible with Temporal server {self.version}")
        say(f"  state   {self.database.place} ({self.database.cluster.shard_count} shards)")
        say(f"  gRPC    {grpc}, by {self.transport} ({self.reason})")
        if http_port is None:
            say(f"READY grpc={grpc} http=none")
            return
        http = place(address, http_port)
        say(f"  HTTP    http://{http}/api/v1/, http://{http}/admin/{login}")
        say(f"READY grpc={grpc} http={http}")


def place(address: str, port: int) -> str:
    """HOST:PORT, with the brackets of an IPv6 address."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def say_next(address: str) -> None:
    """Says how to connect to the server."""
    say(NEXT.format(address=address))
