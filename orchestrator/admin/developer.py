"""The user of a development server: so that the admin can be looked at without preparing anything."""

from typing import NamedTuple

from django.contrib.auth import get_user_model

from orchestrator.conf import hugo_settings

NAME = PASSWORD = "admin"


class Login(NamedTuple):
    """What to type at the admin's door."""

    name: str
    password: str


def ensure_developer() -> Login | None:
    """Makes a superuser "admin" with the password "admin" where the settings allow it and there is no user yet.

    To be called only by a server that listens on a loopback address.

    Returns:
        The login while its password is still this one; None where there is no such user.
    """
    if not hugo_settings().developer_login:
        return None
    users = get_user_model()._default_manager
    if not users.exists():
        users.create_superuser(NAME, password=PASSWORD)
        return Login(NAME, PASSWORD)
    user = users.filter(**{get_user_model().USERNAME_FIELD: NAME}).first()
    return Login(NAME, PASSWORD) if user is not None and user.check_password(PASSWORD) else None
