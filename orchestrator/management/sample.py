"""Runs the sample of `examples/` beside the server, as a process of its own: a user's worker is one too."""

import asyncio
import importlib.util
import subprocess
import sys

from orchestrator.management.child import child_command, child_environment

MODULE = "examples.order"
PATIENCE = 120.0
"""Seconds the sample may take; it needs about five."""


def sample_exists() -> bool:
    """Whether the sample is there: it belongs to the checkout, not to the installed package."""
    try:
        return importlib.util.find_spec(f"{MODULE}.__main__") is not None
    except ModuleNotFoundError:
        return False


async def run_sample(address: str) -> int:
    """Runs the sample against a server and returns its exit status, which is not 0 when it took too long.

    Args:
        address: HOST:PORT of the gRPC API.
    """
    with _start(address) as process:
        try:
            async with asyncio.timeout(PATIENCE):
                return await asyncio.to_thread(process.wait)
        except TimeoutError:
            print(f"The sample did not end within {PATIENCE:g} seconds.", file=sys.stderr)
            return 1
        finally:
            process.kill()


def _start(address: str) -> "subprocess.Popen[bytes]":
    # Not asyncio's subprocess: uvloop forks, and where gRPC serves from this process it then writes that this came at a
    # bad moment.
    return subprocess.Popen(
        child_command(MODULE, "--address", address),
        stdin=subprocess.PIPE,
        env=child_environment(),
        # A Ctrl-C at the terminal is for the parent, which ends this one.
        start_new_session=True,
    )
