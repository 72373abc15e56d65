"""Percentiles and ratios: the arithmetic of the reports, pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

__all__ = ["median", "median_or_none", "percentile", "ratios"]


def percentile(values: Sequence[float], fraction: float) -> float | None:
    """The smallest value that at least `fraction` of the values do not exceed (nearest rank); None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    rank = -(-len(ordered) * fraction // 1)  # ceil
    return ordered[min(len(ordered), max(1, int(rank))) - 1]


def median_or_none(values: Sequence[float | None]) -> float | None:
    """Median of the values that are there."""
    present = [v for v in values if v is not None]
    return median(present) if present else None


def ratios(ours: Sequence[float | None], theirs: Sequence[float | None], higher_is_better: bool) -> list[float | None]:
    """How many times better ours is, round by round: above 1 is in our favour whichever way the figure points."""
    out: list[float | None] = []
    for a, b in zip(ours, theirs, strict=False):
        over, under = (a, b) if higher_is_better else (b, a)
        out.append(over / under if over is not None and under else None)
    return out
