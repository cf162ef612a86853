"""The executor that runs tasks in the caller's thread, one after the other."""

from __future__ import annotations

from concurrent.futures import Future

from assetflow.execution.attempt import run_task
from assetflow.execution.task import PartitionOutcome, Task
from assetflow.execution.workshop import Workshop


class InlineExecutor:
    """Runs each task when it is submitted."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    def submit(self, task: Task) -> Future[tuple[PartitionOutcome, ...]]:
        """Run the task; its future is done on return. An interrupt is raised."""
        future: Future[tuple[PartitionOutcome, ...]] = Future()
        future.set_result(run_task(task, self._workshop))
        return future

    def close(self) -> None:
        """Nothing to let go of."""
