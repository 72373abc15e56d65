"""Starting a module as a child process that ends with this one: see `orchestrator.management.guarded`."""

import os
import sys


def child_command(module: str, *arguments: str) -> list[str]:
    """The command line that runs `python -m MODULE ARGUMENTS`; its standard input must be a pipe of ours."""
    return [sys.executable, "-m", "orchestrator.management.guarded", module, *arguments]


def child_environment() -> dict[str, str]:
    """Our environment, with which a child imports what we import and prints without delay."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),
        "PYTHONUNBUFFERED": "1",
    }
