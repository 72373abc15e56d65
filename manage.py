#!/usr/bin/env python
"""Django's command line for this project."""

import os
import sys
from collections.abc import Sequence


def data_directory(arguments: Sequence[str]) -> str | None:
    """What `hugo dev --data DIR` names. Settings are read before a command sees its options, hence this early look."""
    for index, argument in enumerate(arguments):
        if argument == "--data" and index + 1 < len(arguments):
            return arguments[index + 1]
        if argument.startswith("--data="):
            return argument.removeprefix("--data=")
    return None


def main() -> None:
    """Runs one command; settings that cannot be used are one sentence and exit status 2."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
    if sys.argv[1:2] == ["hugo"] and (directory := data_directory(sys.argv[2:])):
        os.environ["HUGO_DATA_DIR"] = directory
    try:
        from django.conf import settings
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line
    except ImportError:
        sys.exit("manage.py: Django is not installed in this Python; `make` makes a virtualenv that has it, in .venv.")
    try:
        _ = settings.INSTALLED_APPS
    except ImproperlyConfigured as error:
        print(f"manage.py: {error}", file=sys.stderr)
        sys.exit(2)
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
