"""Driving units through an executor: as many tasks at once as it takes, retries when they are due, stops when asked."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from datetime import datetime
from heapq import heappop, heappush
from itertools import count
from typing import Literal, Protocol

from assetflow.errors import StepError
from assetflow.execution.scheduling import Schedule, urgencies
from assetflow.execution.task import Executor, PartitionOutcome, Task, TaskResult
from assetflow.execution.waiting import Waiting
from assetflow.execution.work import Phase, Retry, Unit, Work

Ending = Literal["done", "failed", "canceled", "lost"]
"""``lost``: what was going on may not be published any more, and the rest was not begun."""

_LOOK_EVERY = 1.0
"""Seconds between two looks whether another process wants the run to stop."""

_STOPPING = 10.0
"""Seconds that stopped tasks have until their futures tell."""


class Gate(Protocol):
    """Decides of each task, before it starts, whether there is room for it."""

    look_at: float | None
    """When it is worth asking again, while tasks wait; as :meth:`Waiting.now`."""

    def enter(self, task: Task) -> bool:
        """Whether the task may start now; if not, it is asked again."""
        ...

    def leave(self, task: Task) -> None:
        """A task that entered is settled."""
        ...


class _Open:
    """A unit that has begun."""

    def __init__(self, phases: Iterator[Phase]) -> None:
        self.phases = phases
        self._works: Phase = iter(())
        self.due: deque[Work] = deque()
        self.running = 0
        self.delayed = 0
        self.over = False

    def take(self) -> Work | None:
        """What can be started now; None for nothing at present, or, with ``over``, nothing any more."""
        if self.due:
            return self.due.popleft()
        while True:
            work = next(self._works, None)
            if work is not None or self.running or self.delayed:
                return work
            phase = next(self.phases, None)
            if phase is None:
                self.over = True
                return None
            self._works = phase


class Driver:
    """Carries out the units of one run.

    ``stop_asked`` is looked at from time to time and cancels; once ``failed`` holds, nothing new is started, and once
    ``lost`` holds, nothing is settled either. A task that has no room in the ``gate`` keeps no other unit waiting.
    """

    def __init__(
        self,
        executor: Executor,
        waiting: Waiting,
        clock: Callable[[], datetime],
        *,
        stop_asked: Callable[[], bool],
        failed: Callable[[], bool] = lambda: False,
        lost: Callable[[], bool] = lambda: False,
        gate: Gate | None = None,
    ) -> None:
        self._executor = executor
        self._waiting = waiting
        self._clock = clock
        self._stop_asked = stop_asked
        self._failed = failed
        self._lost = lost
        self._gate = gate
        self._gated: set[int] = set()
        self._looked = waiting.now()
        self._running: dict[Future[TaskResult], tuple[int, Work, datetime]] = {}
        self._later: list[tuple[float, int, int, Retry]] = []
        self._numbers = count()

    def carry_out(self, units: Sequence[Unit]) -> Ending:
        """Run all units, or those that can be until it ends early. Raises what settling raises, and interrupts."""
        needs = [unit.needs for unit in units]
        slots = self._executor.slots
        urgency = urgencies(needs, [unit.seconds for unit in units]) if slots > 1 else None
        schedule = Schedule(needs, slots, urgency)
        opened: dict[int, _Open] = {}
        try:
            return self._drive(units, schedule, opened)
        except BaseException as error:
            self._stop_all(opened, schedule if isinstance(error, KeyboardInterrupt) else None)
            raise
        finally:
            self._later.clear()
            for each in opened.values():
                close = getattr(each.phases, "close", None)
                if close is not None:
                    close()

    def _drive(self, units: Sequence[Unit], schedule: Schedule, opened: dict[int, _Open]) -> Ending:
        while not schedule.done:
            now = self._waiting.now()
            if now - self._looked >= _LOOK_EVERY:
                self._looked = now
                if self._stop_asked():
                    self._stop_all(opened, schedule)
                    return "canceled"
            if self._lost():
                self._stop_all(opened)
                return "lost"
            if self._failed():
                self._let_finish(opened, schedule)
                return "failed"
            if self._later:
                self._bring_due(now, opened, schedule)
            self._look_at_gate(now, schedule)
            number = schedule.next()
            if number is None:
                self._wait(now)
                self._collect(opened, schedule)
                continue
            unit = opened.get(number)
            if unit is None:
                unit = opened[number] = _Open(units[number].begin())
            work = unit.take()
            if work is not None and self._gate is not None and not self._gate.enter(work.task):
                unit.due.appendleft(work)
                self._gated.add(number)
                schedule.dry(number)
            elif work is not None:
                self._start(number, work, unit, schedule)
            elif unit.over:
                del opened[number]
                schedule.finished(number)
            else:
                schedule.dry(number)
        return "done"

    def _start(self, number: int, work: Work, unit: _Open, schedule: Schedule) -> None:
        schedule.began(number)
        unit.running += 1
        began = self._clock()
        future = self._executor.submit(work.task)
        if future.done():
            self._settle(number, unit, work, _answer(future, work.task, began, self._clock), schedule)
        else:
            self._running[future] = (number, work, began)

    def _collect(self, opened: dict[int, _Open], schedule: Schedule) -> None:
        for future in [future for future in self._running if future.done()]:
            number, work, began = self._running.pop(future)
            self._settle(number, opened[number], work, _answer(future, work.task, began, self._clock), schedule)

    def _settle(self, number: int, unit: _Open, work: Work, result: TaskResult, schedule: Schedule) -> None:
        for retry in work.settle(result):
            unit.delayed += 1
            heappush(self._later, (self._waiting.now() + retry.delay, next(self._numbers), number, retry))
        if self._gate is not None:
            self._gate.leave(work.task)
        unit.running -= 1
        schedule.ended(number)

    def _look_at_gate(self, now: float, schedule: Schedule) -> None:
        if self._gated and self._gate is not None and self._gate.look_at is not None and self._gate.look_at <= now:
            for number in self._gated:
                schedule.wake(number)
            self._gated.clear()

    def _bring_due(self, now: float, opened: dict[int, _Open], schedule: Schedule) -> None:
        while self._later and self._later[0][0] <= now:
            _, _, number, retry = heappop(self._later)
            opened[number].delayed -= 1
            opened[number].due.append(retry.work())
            schedule.wake(number)

    def _wait(self, now: float) -> None:
        until = self._looked + _LOOK_EVERY
        if self._later:
            until = min(until, self._later[0][0])
        if self._gated and self._gate is not None and self._gate.look_at is not None:
            until = min(until, self._gate.look_at)
        self._waiting.wait(self._running.keys(), max(until - now, 0.0))

    def _let_finish(self, opened: dict[int, _Open], schedule: Schedule) -> None:
        """Wait for what runs; what was to be tried again has failed."""
        while self._running:
            self._waiting.wait(self._running.keys(), None)
            self._collect(opened, schedule)
        for _, _, _, retry in sorted(self._later, key=lambda each: each[:2]):
            retry.give_up()

    def _stop_all(self, opened: dict[int, _Open], schedule: Schedule | None = None) -> None:
        """End what runs, and wait until it has ended; with a schedule, settle what came of it."""
        for future in list(self._running):
            self._executor.stop(future)
        until = self._waiting.now() + _STOPPING
        while any(not future.done() for future in self._running) and self._waiting.now() < until:
            left = [future for future in self._running if not future.done()]
            self._waiting.wait(left, until - self._waiting.now())
        if schedule is not None:
            self._collect(opened, schedule)
        self._running.clear()


def _answer(future: Future[TaskResult], task: Task, began: datetime, clock: Callable[[], datetime]) -> TaskResult:
    """What came back; that a task did not come to its end is the error of all its partitions."""
    try:
        return future.result()
    except StepError as error:
        ended = clock()
        return TaskResult(tuple(PartitionOutcome(each.ordinal, began, ended, error=error) for each in task.partitions))
