"""Waiting for several channels at once, and moving items between many and one."""

from hugo.select.builder import SelectBuilder
from hugo.select.cases import Case, on
from hugo.select.fan_in import fan_in, merge, select_fan_in
from hugo.select.fan_out import broadcast, fan_out
from hugo.select.select import select

__all__ = ["Case", "SelectBuilder", "broadcast", "fan_in", "fan_out", "merge", "on", "select", "select_fan_in"]
