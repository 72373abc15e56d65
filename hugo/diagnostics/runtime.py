"""Metrics of the process itself."""

import gc
import os
import sys
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Meter, Observation


def observe_runtime(meter: "Meter") -> None:
    """Has the meter observe the process's CPU time, memory and threads, and the garbage collector."""
    from opentelemetry.metrics import Observation

    def cpu_time(_: "CallbackOptions") -> "Iterable[Observation]":
        times = os.times()
        return [
            Observation(times.user, {"cpu.mode": "user"}),
            Observation(times.system, {"cpu.mode": "system"}),
        ]

    def threads(_: "CallbackOptions") -> "Iterable[Observation]":
        return [Observation(threading.active_count())]

    def collections(_: "CallbackOptions") -> "Iterable[Observation]":
        return [
            Observation(generation["collections"], {"cpython.gc.generation": number})
            for number, generation in enumerate(gc.get_stats())
        ]

    def peak_memory(_: "CallbackOptions") -> "Iterable[Observation]":
        import resource

        # Linux counts kilobytes, macOS bytes.
        unit = 1 if sys.platform == "darwin" else 1024
        return [Observation(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)]

    meter.create_observable_counter("process.cpu.time", [cpu_time], "s")
    meter.create_observable_up_down_counter("process.thread.count", [threads], "{thread}")
    meter.create_observable_counter("cpython.gc.collections", [collections], "{collection}")
    if sys.platform != "win32":
        meter.create_observable_gauge("process.memory.peak", [peak_memory], "By")
