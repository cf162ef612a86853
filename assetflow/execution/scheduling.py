"""Which unit of a run the next task is taken from: a rule without clock, threads or tasks of its own.

A unit is a computation of the plan, or the members of a publish group together. Units are numbered in topological
order. With one slot they come in that order; with several, what the rest of the run waits for longest comes first.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from heapq import heappop, heappush


def urgencies(needs: Sequence[Collection[int]], seconds: Sequence[float]) -> list[float]:
    """By unit, how long the longest chain takes that begins with it; ``needs`` are the units that come before it.

    >>> urgencies([(), (), (0, 1)], [1.0, 5.0, 2.0])
    [3.0, 7.0, 2.0]
    """
    found = list(map(float, seconds))
    after = [0.0] * len(found)
    for unit in range(len(found) - 1, -1, -1):
        found[unit] += after[unit]
        for before in needs[unit]:
            after[before] = max(after[before], found[unit])
    return found


class Schedule:
    """Hands out units that may start a task; is told what became of it.

    >>> schedule = Schedule([(), (0,)], slots=2)
    >>> schedule.next()
    0
    >>> schedule.began(0)
    >>> schedule.dry(0)
    >>> schedule.next() is None
    True
    >>> schedule.ended(0)
    >>> schedule.finished(0)
    >>> schedule.next()
    1
    """

    def __init__(self, needs: Sequence[Collection[int]], slots: int, urgency: Sequence[float] | None = None) -> None:
        self._slots = slots
        self._keys = [(-urgency[unit] if urgency and slots > 1 else 0.0, unit) for unit in range(len(needs))]
        self._missing = [len(set(before)) for before in needs]
        self._after: list[list[int]] = [[] for _ in needs]
        for unit, before in enumerate(needs):
            for each in set(before):
                self._after[each].append(unit)
        self._running = 0
        self._left = len(needs)
        self._ready: list[tuple[float, int]] = []
        self._queued = [False] * len(needs)
        for unit, missing in enumerate(self._missing):
            if not missing:
                self.wake(unit)

    @property
    def done(self) -> bool:
        """Whether every unit has finished."""
        return not self._left

    def next(self) -> int | None:
        """The unit that should start a task now; None while no slot is free, or no unit has a task to start."""
        return self._ready[0][1] if self._ready and self._running < self._slots else None

    def began(self, unit: int) -> None:
        """A task of the unit takes a slot; the unit may start another."""
        assert self._running < self._slots, f"unit {unit} has no slot"
        self._running += 1

    def ended(self, unit: int) -> None:
        """A task of the unit gives its slot back; the unit may have something to start again."""
        self._running -= 1
        self.wake(unit)

    def dry(self, unit: int) -> None:
        """The unit that :meth:`next` gave has nothing to start until one of its tasks ends or it is woken."""
        assert self._ready[0][1] == unit, f"unit {unit} is not the next"
        heappop(self._ready)
        self._queued[unit] = False

    def wake(self, unit: int) -> None:
        """The unit may have something to start."""
        if not self._queued[unit]:
            self._queued[unit] = True
            heappush(self._ready, self._keys[unit])

    def finished(self, unit: int) -> None:
        """The unit that :meth:`next` gave has no task left; those that only waited for it may start."""
        self.dry(unit)
        self._left -= 1
        for after in self._after[unit]:
            self._missing[after] -= 1
            if not self._missing[after]:
                self.wake(after)
