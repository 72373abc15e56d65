"""What is read from the kernel, from PostgreSQL and from the profiler."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from benchmarks.counters import Counts, Statement, collapse, group_statements
from benchmarks.folded import function, hottest, read_folded
from benchmarks.postgres import major_version
from benchmarks.processes import ProcessStat, cpu_seconds, parse_stat, tree

STAT = "42 (a (b) c) S 7 42 42 0 -1 4194560 10 0 0 0 100 20 3 4 20 0 1 0 99 1 1"


def test_stat_line_with_parentheses_in_the_name() -> None:
    assert parse_stat(STAT) == ProcessStat(pid=42, parent=7, ticks=127)


def test_tree_holds_each_process_once_even_when_a_root_is_below_another() -> None:
    processes = {pid: ProcessStat(pid, parent, 1) for pid, parent in [(1, 0), (2, 1), (3, 2), (4, 1), (5, 0)]}
    assert sorted(tree([1, 2, 99], processes)) == [1, 2, 3, 4]


def test_own_cpu_time_is_seen() -> None:
    assert cpu_seconds([os.getpid()]) > 0
    assert cpu_seconds([]) == 0


def test_differences_of_counts_leave_out_what_is_unknown() -> None:
    before = Counts(1, 0, 5, 100, 2, None, None)
    after = Counts(4, 0, 9, 300, 3, 7, 7)
    assert after.since(before) == {"commits": 3, "rollbacks": 0, "writes": 4, "wal_bytes": 200, "wal_syncs": 1}


def test_statements_that_differ_by_their_number_of_rows_are_one() -> None:
    one = "INSERT INTO t (a, b) VALUES ($1, $2)"
    three = "INSERT INTO t  (a, b) VALUES ($1, $2), ($3, $4),($5, $6)"
    grouped = group_statements(
        [Statement(one, 1, 2.0, 1), Statement(three, 2, 3.0, 6), Statement("SELECT 1", 9, 1.0, 9)]
    )
    assert len({collapse(three), collapse(three.replace(",($5, $6)", ""))}) == 1
    assert collapse("SELECT * FROM t WHERE a IN ($1, $2, $3)") == "SELECT * FROM t WHERE a IN ($, ...)"
    assert collapse("SELECT * FROM t WHERE a IN ($1)") == "SELECT * FROM t WHERE a IN ($, ...)"
    assert [s.calls for s in grouped] == [3, 9]
    assert grouped[0].total_ms == 5.0


def test_folded_stacks_give_own_and_total_shares() -> None:
    stacks = read_folded(
        ["main (a.py:1);f (a.py:10) 3", "main (a.py:2);f (a.py:11);f (a.py:10) 1", "", "main (a.py:2) 4"]
    )
    assert sum(stacks.values()) == 8
    first, second = hottest(stacks, 2)
    assert (first.name, first.own, first.total, first.total_share) == ("f (a.py)", 4, 4, 0.5)
    assert (second.name, second.own, second.total_share) == ("main (a.py)", 4, 1.0)
    assert hottest(stacks, 1, by_total=True)[0].name == "main (a.py)"
    assert hottest(Counter(), 5) == []


def test_frames_without_a_line_stay_as_they_are() -> None:
    assert function("f (a.py:12)") == "f (a.py)"
    assert function("0x7f (envoy)") == "0x7f (envoy)"


def test_newest_version_is_told_from_the_path() -> None:
    assert (
        max(map(Path, ("/usr/lib/postgresql/9.6/bin", "/usr/lib/postgresql/15/bin")), key=major_version).parts[4]
        == "15"
    )
