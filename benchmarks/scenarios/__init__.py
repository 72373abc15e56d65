"""The scenarios, one file each; a new file with a SCENARIO in it is found by itself."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, TypeVar

from benchmarks.load import Load, LoadOptions

Options = TypeVar("Options", bound=LoadOptions)


@dataclass(frozen=True)
class Case:
    """One thing to measure: a load with its options.

    `unit` is what is counted: a workflow, a call. `warm` says whether a small run of the same comes first.
    """

    name: str
    load: type[Load]
    options: LoadOptions
    unit: str = "workflow"
    warm: bool = True


@dataclass(frozen=True)
class Overrides:
    """What the command line says about the load; None leaves the scenario's own choice."""

    count: int | None = None
    concurrency: int | None = None
    pollers: int | None = None
    activities: int | None = None
    eager: bool | None = None
    channels: int | None = None
    timeout: float | None = None
    namespace: str | None = None

    def apply(self, options: Options) -> Options:
        """The options with what was said put in."""
        said: dict[str, Any] = {k: v for k, v in vars(self).items() if v is not None}
        return replace(options, **said)


@dataclass(frozen=True)
class Scenario:
    """A named set of cases; `cases` makes them from what the command line says."""

    name: str
    summary: str
    cases: Callable[[Overrides], list[Case]]
    default: bool = True


@cache
def scenarios() -> dict[str, Scenario]:
    """All scenarios by name."""
    modules = [importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)]
    return {m.SCENARIO.name: m.SCENARIO for m in modules}
