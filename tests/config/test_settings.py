"""Environment variables reach the settings; what cannot be used stops the start with one sentence."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client

from manage import data_directory
from orchestrator import conf
from tests.support.databases import ROOT

SHOW = "import json; from django.conf import settings; print(json.dumps([settings.HUGO, str(settings.DATA_DIR)]))"


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH",)}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=kept | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_environment_becomes_the_hugo_dict(tmp_path: Path) -> None:
    done = run(
        "-c",
        SHOW,
        DJANGO_SETTINGS_MODULE="config.settings.dev",
        HUGO_DATA_DIR=str(tmp_path),
        HUGO_SHARD_COUNT="8",
        HUGO_SUGGEST_CONTINUE_AS_NEW_COUNT="50",
        HUGO_TRANSPORT="aio",
        HUGO_DEFAULT_NAMESPACE_RETENTION="3600",
    )
    assert done.returncode == 0, done.stderr
    values, directory = json.loads(done.stdout)
    assert directory == str(tmp_path)
    settings = conf.load(values)
    assert (settings.shard_count, settings.suggest_continue_as_new_count) == (8, 50)
    assert (settings.transport, settings.default_namespace_retention) == ("aio", 3600)


def test_unset_variables_leave_the_defaults(tmp_path: Path) -> None:
    done = run("-c", SHOW, DJANGO_SETTINGS_MODULE="config.settings.dev", HUGO_DATA_DIR=str(tmp_path))
    # What the development settings add is not from the environment.
    values = json.loads(done.stdout)[0]
    assert set(values) == {"DEVELOPER_LOGIN", "REST_PERMISSION"}


def test_unusable_data_directory_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run("manage.py", "hugo", "dev", "--data", str(tmp_path / "file"))
    assert done.returncode == 2
    assert done.stderr.startswith("manage.py: The data directory ")
    assert done.stderr.count("\n") == 1
    assert not done.stdout


def test_bad_database_url_is_one_sentence(tmp_path: Path) -> None:
    done = run("manage.py", "check", DATABASE_URL="oracle://host/name", HUGO_DATA_DIR=str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "sqlite, postgresql and mysql are supported" in done.stderr


def test_production_refuses_to_start_without_a_key() -> None:
    done = run("manage.py", "check", DJANGO_SETTINGS_MODULE="config.settings.production")
    assert done.returncode == 2
    assert "DJANGO_SECRET_KEY" in done.stderr


def test_production_passes_the_deployment_checks(tmp_path: Path) -> None:
    done = run(
        "manage.py",
        "check",
        "--deploy",
        "--fail-level=ERROR",
        DJANGO_SETTINGS_MODULE="config.settings.production",
        DJANGO_SECRET_KEY="k" * 30 + "0123456789abcdefghijklmnopqrstuv",
        DJANGO_ALLOWED_HOSTS="hugo.example.org",
        HUGO_DATA_DIR=str(tmp_path),
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["dev"], None),
        (["dev", "--data", "a"], "a"),
        (["dev", "--once", "--data=b"], "b"),
        (["dev", "--data"], None),
    ],
)
def test_data_directory_of_the_command_line(arguments: list[str], expected: str | None) -> None:
    assert data_directory(arguments) == expected


@pytest.mark.django_db
def test_admin_asks_for_a_login(client: Client) -> None:
    response = client.get("/admin/", follow=True)
    assert response.status_code == 200
    assert b"password" in response.content
