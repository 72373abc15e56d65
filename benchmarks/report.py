"""The readable report: a table of figures a case, the calls by method, the ratios pair by pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.measure import Measurement
from benchmarks.statistics import median_or_none, ratios


@dataclass(frozen=True)
class Figure:
    """A column: heading, the attribute of a Measurement it shows, decimals, and which way is better when compared."""

    heading: str
    attribute: str
    decimals: int = 1
    higher_is_better: bool | None = None

    def of(self, measurement: Measurement) -> float | None:
        """The value, of an attribute or of one of the per-unit counts."""
        if self.attribute.startswith("counts."):
            return measurement.counts.get(self.attribute.removeprefix("counts."))
        value: float | None = getattr(measurement, self.attribute)
        return value


FIGURES = (
    Figure("per s", "per_second", 1, True),
    Figure("p50 ms", "p50_ms", 1, False),
    Figure("p95 ms", "p95_ms", 1, False),
    Figure("p99 ms", "p99_ms", 1, False),
    Figure("cpu ms", "cpu_ms", 2, False),
    Figure("server", "server_cpu_ms", 2),
    Figure("db", "database_cpu_ms", 2),
    Figure("driver", "driver_cpu_ms", 2),
    Figure("mem MB", "server_memory_mb", 0),
    Figure("commits", "counts.commits", 2),
    Figure("writes", "counts.writes", 2),
    Figure("stmts", "counts.statements", 2),
    Figure("syncs", "counts.wal_syncs", 2),
)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows in columns, the first one a heading, the first column to the left and the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    lines.insert(1, "  ".join("-" * w for w in widths))
    return "\n".join(line.rstrip() for line in lines)


def number(value: float | None, decimals: int = 1) -> str:
    """A figure, or a dash where there is none."""
    return "-" if value is None else f"{value:,.{decimals}f}"


def case_report(rounds: Sequence[Sequence[Measurement]]) -> str:
    """Everything about one case: `rounds` holds for each round the measurement of each system, ours first."""
    first = rounds[0][0]
    shown = [f for f in FIGURES if any(f.of(m) is not None for r in rounds for m in r)]
    rows = [[f"{first.case} (per {first.unit})", *(f.heading for f in shown), "done"]]
    for i in range(len(rounds[0])):
        column = [r[i] for r in rounds]
        name = column[0].system + (f", median of {len(rounds)}" if len(rounds) > 1 else "")
        done, wanted = sum(m.finished for m in column), sum(m.wanted for m in column)
        values = [number(median_or_none([f.of(m) for m in column]), f.decimals) for f in shown]
        rows.append([name, *values, f"{done:,}" + (f" of {wanted:,}" if done < wanted else "")])
    parts = [table(rows), *remarks(rounds)]
    parts += [ratio_table(rounds, peer) for peer in range(1, len(rounds[0]))]
    parts.append(method_table(rounds[-1]))
    return "\n\n".join(p for p in parts if p)


def remarks(rounds: Sequence[Sequence[Measurement]]) -> list[str]:
    """What a reader must know before believing the figures."""
    out: dict[str, None] = {}
    for m in (m for r in rounds for m in r):
        if m.errors:
            out[f"! {m.system}: errors {m.errors}"] = None
        if m.driver_bound:
            out[f"! {m.system}: the driver was busy nearly all the time, the server could do more; try --drivers 2"] = (
                None
            )
        if m.events:
            out[f"  {m.system}: " + ", ".join(f"{v:,} {k}" for k, v in sorted(m.events.items()))] = None
    return ["\n".join(out)] if out else []


def ratio_table(rounds: Sequence[Sequence[Measurement]], peer: int) -> str:
    """How many times better the first system is than another one, round by round, and the median."""
    ours, theirs = [r[0] for r in rounds], [r[peer] for r in rounds]
    rows = [[f"times better than {theirs[0].system}", *(f"round {i + 1}" for i in range(len(rounds))), "median"]]
    for figure in FIGURES:
        if figure.higher_is_better is None:
            continue
        pairs = ratios([figure.of(m) for m in ours], [figure.of(m) for m in theirs], figure.higher_is_better)
        if any(p is not None for p in pairs):
            rows.append([figure.heading, *(number(p, 2) for p in pairs), number(median_or_none(pairs), 2)])
    return table(rows)


def method_table(measurements: Sequence[Measurement]) -> str:
    """Client-observed time by method, of the last round."""
    rows = [["ms as the client sees it"]]
    for m in measurements:
        rows[0] += [f"{m.system}: calls", "p50", "p95"]
    for method in sorted({name for m in measurements for name in m.methods}):
        row = [method + (" (waits)" if method.startswith("Poll") else "")]
        for m in measurements:
            seen = m.methods.get(method, {})
            row += [f"{seen.get('count', 0):,}", number(seen.get("p50_ms")), number(seen.get("p95_ms"))]
        rows.append(row)
    return table(rows) if len(rows) > 1 else ""
