"""The login of a development server."""

import pytest
from django.contrib.auth import authenticate, get_user_model
from pytest_django.fixtures import Settings

from orchestrator.admin.developer import ensure_developer


def test_only_where_the_settings_say_so(default_database: str) -> None:
    assert ensure_developer() is None
    assert get_user_model().objects.count() == 0


def test_made_once_and_told_while_it_is_true(default_database: str, settings: Settings) -> None:
    settings.HUGO = {"DEVELOPER_LOGIN": True}
    for _ in range(2):
        assert ensure_developer() == ("admin", "admin")
    (user,) = get_user_model().objects.all()
    assert authenticate(username="admin", password="admin") == user
    user.set_password("better")
    user.save()
    assert ensure_developer() is None


@pytest.mark.parametrize("name", ["ann"])
def test_none_where_there_are_users(default_database: str, settings: Settings, name: str) -> None:
    settings.HUGO = {"DEVELOPER_LOGIN": True}
    get_user_model().objects.create_user(name)
    assert ensure_developer() is None
    assert get_user_model().objects.count() == 1
