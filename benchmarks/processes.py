"""CPU time and memory of process trees, read from /proc (Linux)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class ProcessStat:
    """One line of /proc/PID/stat. `ticks` counts user and system time, of the process and of its reaped children."""

    pid: int
    parent: int
    ticks: int


def parse_stat(line: str) -> ProcessStat:
    """Read a stat line; the command name may itself hold spaces and parentheses, so cut at the last one."""
    head, tail = line.rsplit(")", 1)
    fields = tail.split()
    return ProcessStat(int(head.split("(", 1)[0]), int(fields[1]), sum(int(f) for f in fields[11:15]))


def snapshot() -> dict[int, ProcessStat]:
    """All processes of the machine by pid."""
    out = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                out[int(entry.name)] = parse_stat((entry / "stat").read_text())
            except OSError:
                continue  # gone since it was listed
    return out


def tree(roots: Iterable[int], processes: Mapping[int, ProcessStat]) -> list[int]:
    """The roots that are alive and everything below them, each once."""
    children: dict[int, list[int]] = {}
    for process in processes.values():
        children.setdefault(process.parent, []).append(process.pid)
    found: dict[int, None] = {}
    todo = [pid for pid in roots if pid in processes]
    while todo:
        pid = todo.pop()
        if pid not in found:
            found[pid] = None
            todo += children.get(pid, ())
    return list(found)


def cpu_seconds(roots: Iterable[int]) -> float:
    """CPU seconds used so far by the trees under `roots`.

    A child that ends is counted in its parent once it was reaped, so backends that come and go are not lost.
    """
    processes = snapshot()
    return sum(processes[pid].ticks for pid in tree(roots, processes)) / TICKS_PER_SECOND


def memory_mb(roots: Iterable[int]) -> float | None:
    """Proportional set size of the trees in MB (shared pages counted once); resident size where that is unreadable."""
    total, seen = 0, False
    for pid in tree(roots, snapshot()):
        for name, key in (("smaps_rollup", "Pss:"), ("status", "VmRSS:")):
            try:
                lines = (PROC / str(pid) / name).read_text().splitlines()
            except OSError:
                continue
            found = [int(line.split()[1]) for line in lines if line.startswith(key)]
            if found:
                total, seen = total + found[0], True
                break
    return total / 1024 if seen else None


def command_line(pid: int) -> str:
    """The command line of a process, empty when it is gone."""
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""
