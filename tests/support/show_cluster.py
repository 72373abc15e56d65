"""`make cluster`: a whole cluster on this machine, and orders that go through it.

PostgreSQL, Redis, two frontends on one port, two Celery workers, beat, and two workers of the SDK; all on free ports,
with their data in a temporary directory, or in the one that `--data` names. Ctrl-C ends all of it.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from orchestrator.management.child import child_command
from tests.support import binaries, servers
from tests.support.cluster import Cluster, Process
from tests.support.databases import migrate
from tests.support.services import handled_by

ORDERS = 8
"""Orders that go through the cluster beside the one that is watched."""


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status: 0, 1 when an order was not delivered, 2 when there is no cluster."""
    parser = argparse.ArgumentParser(prog="make cluster", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end after the orders")
    parser.add_argument("--data", type=Path, help="where PostgreSQL and the logs are, and stay")
    options = parser.parse_args(arguments)
    told = threading.Event()
    try:
        # Until the cluster is up a signal ends us through SystemExit, so that every `finally` on the way is passed.
        with handled_by(lambda number, _: sys.exit(0)), ExitStack() as stack:
            binaries.ensure("PostgreSQL", "Redis")
            directory = options.data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hugo-cluster-")))
            directory.mkdir(parents=True, exist_ok=True)
            data = options.data.absolute() / "servers" if options.data else None
            urls = stack.enter_context(servers.running((servers.PostgreSQL, servers.Redis), data))
            url, redis_url = urls[servers.PostgreSQL.variable], urls[servers.Redis.variable]
            migrate(url)
            cluster = stack.enter_context(Cluster(directory, url, redis_url))
            status = show(cluster, url, redis_url)
            if not options.once:
                with handled_by(lambda number, _: told.set()):
                    print("The cluster goes on; Ctrl-C ends it.", flush=True)
                    told.wait()
            cluster.stop()
    except (binaries.Missing, RuntimeError, LookupError, subprocess.TimeoutExpired) as error:
        print(f"make cluster: {error}", file=sys.stderr)
        return 2
    return status


def show(cluster: Cluster, url: str, redis_url: str) -> int:
    """Starts the processes, takes the orders through them, and prints who did what."""
    first = cluster.frontend("frontend-1", "--http-port", "0").start()
    assert first.match is not None
    address, http = first.match["grpc"], first.match["http"]
    ports = ("--grpc-port", address.rpartition(":")[2], "--http-port", http.rpartition(":")[2])
    beat = cluster.beat("beat")
    rest = [cluster.frontend("frontend-2", *ports), beat]
    rest += [cluster.worker(f"celery-{number}") for number in (1, 2)]
    cluster.start(*rest)
    print(f"  PostgreSQL      {url}")
    print(f"  Redis           {redis_url}")
    for process in (first, *rest):
        print(f"  {process.name:<15} process {process.pid}, log {process.log}")
    print(f"  gRPC            {address}, shared by both frontends; HTTP http://{http}/admin/", flush=True)
    order_workers = [
        cluster.process(f"orders-{number}", ["-m", "examples.order.worker", "--address", address], "Working on")
        for number in (1, 2)
    ]
    cluster.start(*order_workers)
    orders = [
        cluster.process(f"order-{number}", ["-m", "examples.order.client", "--address", address], "result")
        for number in range(1, ORDERS + 1)
    ]
    for order in orders:
        order.launch()
    # A process of the SDK that ends may abort while the interpreter is torn down; this one ends before that.
    watched = subprocess.Popen(child_command("examples.order.client", "--address", address), stdin=subprocess.PIPE)
    with watched:
        delivered = [watched.wait() == 0]
    for order in orders:
        order.wait()
        delivered.append("Receipt(" in order.printed)
    print(f"\n{sum(delivered)} of {len(delivered)} orders are delivered. Who did what:\n", flush=True)
    say_who_did_what(cluster, beat)
    return 0 if all(delivered) else 1


def say_who_did_what(cluster: Cluster, beat: Process) -> None:
    """Prints `manage.py hugo processes`, and what beat has sent."""
    told: Process = cluster.process("processes", ["manage.py", "hugo", "processes"], "")
    told.launch().wait()
    print(f"{told.printed}\nbeat has sent {beat.printed.count('Sending due task')} ticks.", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
