"""A login for the developer, so that the admin of a new `hugo dev` opens without another command."""

from django.contrib.auth import get_user_model
from django.db import DatabaseError, connections, router

from orchestrator.conf import HugoSettings

NAME = "admin"
PASSWORD = "admin"


def make_developer(library: HugoSettings) -> bool:
    """Makes the superuser NAME with PASSWORD where the settings allow it and there is no user at all.

    In a SQLite file only: such a user in a database that a public server may share would be an open door.

    Returns:
        Whether it was made.
    """
    user = get_user_model()
    alias = router.db_for_write(user)
    if not library.developer_login or connections[alias].vendor != "sqlite" or user.USERNAME_FIELD != "username":
        return False
    try:
        if user._default_manager.exists():
            return False
        user._default_manager.create_superuser(NAME, "", PASSWORD)
    except DatabaseError:
        return False  # the project keeps its users elsewhere, in a database that is not migrated yet
    finally:
        connections[alias].close()
    return True
