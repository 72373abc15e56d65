"""How a command says that it will not run."""

from typing import IO, Any

import click


class Refusal(click.ClickException):
    """Something is in the way that the operator can change; the text is one sentence. Exit status 2."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        """Prints the sentence to standard error."""
        click.echo(f"hugo: {self.message}", file=file, err=True)
