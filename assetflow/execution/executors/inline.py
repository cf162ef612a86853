"""The executor that runs tasks in the caller's thread, one after the other."""

from __future__ import annotations

from concurrent.futures import Future

from assetflow.execution.attempt import run_task
from assetflow.execution.task import Task, TaskResult
from assetflow.execution.workshop import Workshop


class InlineExecutor:
    """Runs each task when it is submitted."""

    slots = 1
    deferred = False

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    def submit(self, task: Task) -> Future[TaskResult]:
        """Run the task; its future is done on return. An interrupt is raised."""
        future: Future[TaskResult] = Future()
        future.set_result(run_task(task, self._workshop))
        return future

    def stop(self, future: Future[TaskResult]) -> None:
        """Nothing to stop: it is done."""

    def close(self, *, now: bool = False) -> None:
        """Nothing to let go of."""
