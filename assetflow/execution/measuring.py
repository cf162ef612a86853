"""What a call takes: time by phase, CPU and memory, read from a meter that is handed in."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from assetflow.execution.task import Measures

Phase = Literal["load", "compute", "stage", "check"]

_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024


class Reading(NamedTuple):
    """Of this process until now: CPU seconds, and the most bytes of memory that it has ever had."""

    cpu: float
    peak_memory: int | None


@dataclass(frozen=True, slots=True)
class Meter:
    """Where measures are read: a clock that never goes back, in seconds, and what the process has used."""

    clock: Callable[[], float]
    read: Callable[[], Reading]


def process_usage() -> Reading:
    """What this process has used, all of its threads together."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return Reading(used.ru_utime + used.ru_stime, used.ru_maxrss * _MAXRSS_UNIT)


THIS_PROCESS = Meter(time.perf_counter, process_usage)


@dataclass(slots=True)
class Stopwatch:
    """Times the phases of one call, which may come several times in any order.

    >>> ticks = iter([0.0, 2.0, 2.5, 3.0])
    >>> watch = Stopwatch(Meter(lambda: next(ticks), lambda: Reading(1.0, None)))
    >>> watch.lap("load"), watch.lap("compute"), watch.lap("load")
    (None, None, None)
    >>> watch.measures()
    Measures(load=2.5, compute=0.5, stage=0.0, check=0.0, cpu=0.0, peak_memory=None)
    """

    meter: Meter
    seconds: dict[Phase, float] = field(init=False)
    _last: float = field(init=False)
    _cpu: float = field(init=False)

    def __post_init__(self) -> None:
        self.seconds = {"load": 0.0, "compute": 0.0, "stage": 0.0, "check": 0.0}
        self._cpu = self.meter.read().cpu
        self._last = self.meter.clock()

    def lap(self, phase: Phase) -> None:
        """Count the time since the last lap as this phase's."""
        now = self.meter.clock()
        self.seconds[phase] += now - self._last
        self._last = now

    def measures(self) -> Measures:
        """All laps, and what was used since the beginning."""
        used = self.meter.read()
        return Measures(**self.seconds, cpu=used.cpu - self._cpu, peak_memory=used.peak_memory)
