"""Reads folded stacks (`outer;inner;innermost count` a line, as `py-spy record --format raw` writes them)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Hot:
    """A function: samples in itself, and in itself or what it called; shares are of all samples, 0 to 1."""

    name: str
    own: int
    total: int
    own_share: float
    total_share: float


def read_folded(lines: Iterable[str]) -> Counter[tuple[str, ...]]:
    """Samples by stack, outermost function first."""
    stacks: Counter[tuple[str, ...]] = Counter()
    for line in lines:
        stack, _, count = line.strip().rpartition(" ")
        if stack and count.isdigit():
            stacks[tuple(stack.split(";"))] += int(count)
    return stacks


def function(frame: str) -> str:
    """A frame without its line number, so the lines of one function are taken together."""
    head, separator, tail = frame.rpartition(":")
    return head + ")" if separator and tail.rstrip(")").isdigit() else frame


def hottest(stacks: Counter[tuple[str, ...]], limit: int, by_total: bool = False) -> list[Hot]:
    """The functions with most samples of their own, or in all; a recursive function counts once a sample."""
    own: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for stack, count in stacks.items():
        names = [function(frame) for frame in stack]
        own[names[-1]] += count
        for name in set(names):
            total[name] += count
    everything = sum(stacks.values()) or 1
    ranked = total if by_total else own
    return [
        Hot(name, own[name], total[name], own[name] / everything, total[name] / everything)
        for name, _ in ranked.most_common(limit)
    ]
