"""Which transport is taken, and what is said about it."""

import pytest

from orchestrator.grpc import transport
from orchestrator.grpc.transport import Unavailable, choose, envoy_obstacle, shared_libpython

MODULE = "orchestrator.grpc.transport"


def test_auto_takes_envoy_where_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "envoy_obstacle", lambda: None)
    assert choose("auto") == ("envoy", "Envoy can run here and is the faster one")
    assert choose("envoy") == ("envoy", "as requested")


def test_auto_says_why_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "envoy_obstacle", lambda: "the C library is not glibc")
    assert choose("auto") == ("aio", "Envoy cannot run here: the C library is not glibc")
    with pytest.raises(Unavailable, match="the C library is not glibc"):
        choose("envoy")


def test_aio_needs_no_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "envoy_obstacle", lambda: pytest.fail("not asked"))
    assert choose("aio") == ("aio", "as requested")


def test_other_names_are_refused() -> None:
    with pytest.raises(ValueError, match="No transport is called 'twisted'"):
        choose("twisted")


@pytest.mark.parametrize(
    ("name", "replacement", "obstacle"),
    [
        ("shared_libpython", lambda: None, "this Python has no shared libpython"),
        ("platform.libc_ver", lambda: ("", ""), "the C library is not glibc"),
        ("importlib.util.find_spec", lambda name: None, "the package pyvoy is not installed"),
        ("sys.platform", "win32", "the platform is win32, not Linux or macOS"),
    ],
)
def test_each_obstacle_is_named(monkeypatch: pytest.MonkeyPatch, name: str, replacement: object, obstacle: str) -> None:
    monkeypatch.setattr(f"{MODULE}.sys.platform", "linux")
    monkeypatch.setattr(f"{MODULE}.platform.libc_ver", lambda: ("glibc", "2.36"))
    monkeypatch.setattr(f"{MODULE}.{name}", replacement)
    assert envoy_obstacle() == obstacle


def test_the_shared_library_is_there() -> None:
    found = shared_libpython()
    assert found is not None
    assert found.exists()
