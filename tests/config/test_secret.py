"""The secret of a development server."""

import stat
import threading
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import secret


def test_is_made_once_and_private(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    made = secret.load_or_create(directory)
    assert len(made) >= 50
    assert secret.load_or_create(directory) == made
    assert stat.S_IMODE((directory / "secret-key").stat().st_mode) == 0o600
    assert [path.name for path in directory.iterdir()] == ["secret-key"]


def test_starts_at_once_agree(tmp_path: Path) -> None:
    gate = threading.Barrier(8)
    seen: list[str] = []

    def start() -> None:
        gate.wait()
        seen.append(secret.load_or_create(tmp_path))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    assert len(set(seen)) == 1


def test_unusable_directory_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ImproperlyConfigured, match=r"data directory .*/file cannot be used"):
        secret.load_or_create(tmp_path / "file")


def test_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret-key").touch()
    with pytest.raises(ImproperlyConfigured, match="is empty"):
        secret.load_or_create(tmp_path)
