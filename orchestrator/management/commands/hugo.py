"""`manage.py hugo`: hands the command line to the click commands."""

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from orchestrator.management.cli import hugo


class Command(BaseCommand):
    """The entry point Django finds; `orchestrator.management.cli` says what there is."""

    help = "Runs the Hugo durable orchestrator; `manage.py hugo --help` lists its commands."
    requires_system_checks = ()

    def run_from_argv(self, argv: list[str]) -> None:
        """Runs a command line, and ends the process with its status."""
        hugo.main(argv[2:], prog_name=f"{Path(argv[0]).name} {argv[1]}")

    def print_help(self, prog_name: str, subcommand: str) -> None:
        """Prints what `manage.py help hugo` asks for."""
        hugo.main(["--help"], prog_name=f"{Path(prog_name).name} {subcommand}")

    def add_arguments(self, parser: CommandParser) -> None:
        """Leaves everything to click."""
        parser.add_argument("arguments", nargs=argparse.REMAINDER)

    def handle(self, *args: Any, **options: Any) -> None:
        """Runs what `call_command("hugo", ...)` is given; a failure raises click's exception."""
        hugo.main(options["arguments"], prog_name="manage.py hugo", standalone_mode=False)
