"""Proves, without a network, that the pinned requirements are those of pyproject.toml and those of this virtualenv.

For each set (base, test, dev): every requirement that pyproject.toml declares is pinned to a version it allows; so is
every requirement of a pinned package; nothing is pinned that nobody requires; and what is installed is what is pinned.
"""

import re
import sys
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = ("postgres", "redis")
"""The extras in every set, as `lock.sh` has them."""
GROUPS: dict[str, str | None] = {"base": None, "test": "test", "dev": "dev"}


def declared(project: dict[str, Any], group: str | None) -> list[Requirement]:
    """What pyproject.toml asks for in one set."""
    texts = list(project["project"]["dependencies"])
    for extra in EXTRAS:
        texts += project["project"]["optional-dependencies"][extra]
    if group:
        texts += _group(project["dependency-groups"], group)
    return [Requirement(text) for text in texts]


def _group(groups: dict[str, list[Any]], name: str) -> Iterable[str]:
    for entry in groups[name]:
        if isinstance(entry, dict):
            yield from _group(groups, entry["include-group"])
        else:
            yield entry


def pinned(path: Path) -> dict[str, Requirement]:
    """The pins of a file by canonical name."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return {canonicalize_name(pin.name): pin for pin in map(Requirement, filter(None, lines))}


def version_of(pin: Requirement) -> str | None:
    """The version of `name==version`; None for anything looser."""
    found = re.fullmatch(r"==([^*,]+)", str(pin.specifier))
    return found.group(1) if found else None


def verify(name: str, wanted: list[Requirement], pins: dict[str, Requirement]) -> list[str]:
    """Walks from what is declared to all that it needs here; returns what does not fit, in sentences."""
    wrong = [f"{pin} is not pinned to one version" for pin in pins.values() if version_of(pin) is None]
    reached: set[tuple[str, str]] = set()
    todo: list[tuple[Requirement, str]] = [(requirement, "pyproject.toml") for requirement in wanted]
    while todo:
        requirement, source = todo.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        key = canonicalize_name(requirement.name)
        pin = pins.get(key)
        if pin is None:
            wrong.append(f"{requirement} (required by {source}) is not pinned")
            continue
        version = version_of(pin)
        if version and not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{pin} does not fit {requirement} (required by {source})")
        for extra in {"", *requirement.extras}:
            if (key, extra) not in reached:
                reached.add((key, extra))
                todo += [(each, key) for each in requirements_of(key, extra)]
    names = {key for key, _ in reached}
    for here in (each for each in pins.values() if each.marker is None or each.marker.evaluate()):
        wrong += installation(here)
        if canonicalize_name(here.name) not in names:
            wrong.append(f"{here} is pinned but nothing requires it")
    return [f"requirements/{name}.txt: {text}" for text in wrong]


def requirements_of(key: str, extra: str) -> list[Requirement]:
    """What an installed distribution requires for one extra ('' for none), markers for this machine applied."""
    try:
        texts = metadata.requires(key) or []
    except metadata.PackageNotFoundError:
        return []
    found = [Requirement(text) for text in texts]
    for each in found:
        if each.marker and each.marker.evaluate({"extra": extra}):
            each.marker = None
    return [each for each in found if each.marker is None]


def installation(pin: Requirement) -> list[str]:
    """Whether this virtualenv has the pinned version."""
    try:
        installed = metadata.version(pin.name)
    except metadata.PackageNotFoundError:
        return [f"{pin} is not installed"]
    return [] if pin.specifier.contains(installed, prereleases=True) else [f"{pin} is pinned, {installed} is installed"]


def main() -> int:
    """Prints what does not fit; returns 1 when something does not."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wrong = []
    below: dict[str, Requirement] = {}
    for name, group in GROUPS.items():
        pins = pinned(ROOT / "requirements" / f"{name}.txt")
        wrong += verify(name, declared(project, group), pins)
        changed = [pin for key, pin in below.items() if pins.get(key) != pin]
        wrong += [f"requirements/{name}.txt: lacks or changes {pin}, which a smaller set has" for pin in changed]
        below = pins
    for text in wrong:
        print(text)
    if wrong:
        print("`make requirements` exports pyproject.toml again")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
