"""Draws what a soak saw."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.soak_samples import Look

PANELS = (
    ("workflows a second", ("per_second",)),
    ("latency, ms", ("p50_ms", "p99_ms")),
    ("CPU ms a workflow", ("cpu_ms",)),
    ("server memory, MB", ("memory_mb",)),
    ("dead rows", ("dead_rows",)),
    ("queue tables, MB", ("queue_mb",)),
    ("database KB a workflow", ("row_kb",)),
)


def draw(path: Path, looks: Sequence[Look]) -> None:
    """Writes a PNG file with a panel for each figure over the minutes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    minutes = [look.seconds / 60 for look in looks]
    figure, axes = pyplot.subplots(len(PANELS), 1, sharex=True, figsize=(9, 2 * len(PANELS)), layout="constrained")
    for axis, (title, names) in zip(axes, PANELS, strict=True):
        for name in names:
            values = [getattr(look, name) for look in looks]
            axis.plot(minutes, [float("nan") if value is None else value for value in values], label=name, linewidth=1)
        axis.set_title(title, loc="left", fontsize=9)
        axis.margins(y=0.2)
        axis.set_ylim(bottom=0)
        axis.grid(visible=True, alpha=0.3)
        if len(names) > 1:
            axis.legend(loc="upper right", fontsize=8)
    axes[-1].set_xlabel("minutes")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
