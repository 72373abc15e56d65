"""The secret of a development server: made once, kept beside its data."""

import os
import secrets
import tempfile
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def load_or_create(directory: Path, name: str = "secret-key") -> str:
    """Reads the secret in `directory`, or makes one there that only the owner can read.

    It is kept because task tokens are signed with it: a worker that holds a task across a restart of the server must
    still be able to answer.
    """
    path = directory / name
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _create(path)
        secret = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"The data directory {directory} cannot be used: {error}.") from error
    if not secret:
        raise ImproperlyConfigured(f"The secret key file {path} is empty: delete it and start again.")
    return secret


def _create(path: Path) -> None:
    """Writes a file of our own and links it into place, so that two that start at once agree on one secret."""
    descriptor, draft = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)  # readable by its owner only
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(50) + "\n")
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(draft)
