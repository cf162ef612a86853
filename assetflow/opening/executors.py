"""Choosing the executor of a run: by what was asked for, else by the project's settings."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assetflow.errors import UsageError

if TYPE_CHECKING:
    from assetflow.execution.executors.setup import WorkerCode
    from assetflow.execution.task import Executor, ExecutorFactory
    from assetflow.execution.workshop import Workshop

EXECUTORS = ("inline", "processes")


@dataclass(frozen=True, slots=True)
class ExecutorSettings:
    """What holds where nothing else is asked for; ``isolation``: every step in a process of its own."""

    executor: str = "inline"
    workers: int | None = None
    isolation: bool = False


@dataclass(frozen=True, slots=True)
class ChosenExecutor:
    """An executor's name, how many workers it has, and how to make it for a run."""

    name: str
    workers: int
    make: ExecutorFactory


def chosen_executor(
    name: str | None, workers: int | None, settings: ExecutorSettings, code: Callable[[], WorkerCode]
) -> ChosenExecutor:
    """The executor that a run is asked to use; ``code`` gives what workers load. Raises UsageError."""
    if workers is not None and workers < 1:
        raise UsageError(f"workers={workers} is no whole number from 1 on", hint="leave it out for one worker")
    chosen = settings.executor if name is None else name
    if chosen not in EXECUTORS:
        raise UsageError(f"there is no executor {chosen!r}", hint=f"there are {' and '.join(EXECUTORS)}")
    if chosen == "inline":
        from assetflow.execution.executors.inline import InlineExecutor

        if workers is not None and workers != 1:
            raise UsageError(
                f"the inline executor has one worker, not {workers}",
                hint='use executor="processes" (--executor processes) for several, or leave workers out',
            )
        return ChosenExecutor(chosen, 1, InlineExecutor)
    number = workers or settings.workers or _cores()
    handed_over = code()

    def processes(workshop: Workshop) -> Executor:
        from assetflow.execution.executors.processes import ProcessExecutor

        return ProcessExecutor(workshop, handed_over, number, isolated=settings.isolation)

    return ChosenExecutor(chosen, number, processes)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
