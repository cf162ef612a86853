"""What the run loop hands to an executor, and what is to happen with what comes back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

from assetflow.execution.task import Task, TaskResult


@dataclass(frozen=True, slots=True)
class Work:
    """A task, and what settles it: called once with its result, it gives what is to be tried again."""

    task: Task
    settle: Callable[[TaskResult], Iterable[Retry]]


@dataclass(frozen=True, slots=True)
class Retry:
    """Another attempt after ``delay`` seconds, or ``give_up`` where the run does not go on for so long."""

    work: Callable[[], Work]
    """Made when it is due: an attempt stages at places of its own."""
    delay: float
    give_up: Callable[[], None]


Phase = Iterator[Work]
"""Works that may run at once. The next phase of their unit begins when all of them are settled."""


@dataclass(frozen=True, slots=True)
class Unit:
    """What is scheduled as one: a computation, or a publish group. ``needs`` are the units before that it reads."""

    needs: Collection[int]
    seconds: float
    begin: Callable[[], Iterator[Phase]]
    """Closing the iterator early lets go of what it holds."""
