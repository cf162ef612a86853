"""The executor that runs tasks in the caller's thread, one after the other."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FrameType
from typing import NoReturn

from assetflow.execution.attempt import run_task
from assetflow.execution.executors.deaths import attempt_of
from assetflow.execution.output.capturing import captured
from assetflow.execution.task import Task, TaskResult, timed_out
from assetflow.execution.workshop import Workshop


class InlineExecutor:
    """Runs each task when it is submitted.

    A timeout interrupts user code in the main thread of a process; elsewhere there is nothing that could.
    """

    slots = 1
    deferred = False

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    def submit(self, task: Task) -> Future[TaskResult]:
        """Run the task; its future is done on return. An interrupt is raised."""
        future: Future[TaskResult] = Future()
        if task.timeout is None or threading.current_thread() is not threading.main_thread():
            with self._captured(task):
                future.set_result(run_task(task, self._workshop))
            return future
        try:
            with self._captured(task), _alarm(task.timeout):
                result = run_task(task, self._workshop)
        except _TimeIsUp:
            future.set_exception(timed_out(task))
        else:
            future.set_result(result)
        return future

    def _captured(self, task: Task) -> AbstractContextManager[None]:
        output = self._workshop.output
        return nullcontext() if output is None else captured(output.attempt(*attempt_of(task)))

    def stop(self, future: Future[TaskResult]) -> None:
        """Nothing to stop: it is done."""

    def close(self, *, now: bool = False) -> None:
        """Nothing to let go of."""


class _TimeIsUp(KeyboardInterrupt):
    """Passes wherever an interrupt does: code that goes on after any exception must not swallow it."""


@contextmanager
def _alarm(seconds: float) -> Generator[None]:
    """Raise in the middle of whatever runs after so many seconds."""
    before = signal.signal(signal.SIGALRM, _ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _ring(number: int, frame: FrameType | None) -> NoReturn:
    raise _TimeIsUp
