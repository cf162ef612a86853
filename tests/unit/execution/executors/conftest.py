"""Worker processes for tests: tasks of small assets, carried out by a pool of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest

from assetflow.errors import AssetflowError
from assetflow.execution.executors.launching import MAY_FORK
from assetflow.execution.executors.processes import ProcessExecutor
from assetflow.execution.output.reading import output_lines
from assetflow.execution.output.recording import RunOutput
from assetflow.execution.task import PartitionTask, Task, TaskResult
from assetflow.execution.workshop import Workshop
from assetflow.project import Project


@dataclass
class Pool:
    """An executor with what a run would give it; ``lines`` are what user code has printed."""

    executor: ProcessExecutor
    project: Project
    logs: Path
    versions: Iterator[int] = field(default_factory=lambda: count(1))

    def task(self, name: str, *, attempt: int = 1, timeout: float | None = None, **more: object) -> Task:
        outputs = self.project.graph.nodes[name].outputs
        versions = {key: next(self.versions) for key in outputs}
        partition = PartitionTask(0, None, None, {}, versions, None, {})  # type: ignore[arg-type]
        return Task(name, "build", "r1", attempt, (partition,), {}, timeout=timeout, **more)  # type: ignore[arg-type]

    def run(self, name: str, **more: object) -> TaskResult:
        return self.executor.submit(self.task(name, **more)).result(60)  # type: ignore[arg-type]

    def value(self, name: str) -> str | None:
        """What a task returned, as JSON."""
        (outcome,) = self.run(name).outcomes
        assert outcome.error is None, outcome.error
        return outcome.outputs[0].inline

    def failure(self, name: str, **more: object) -> AssetflowError:
        error = self.executor.submit(self.task(name, **more)).exception(60)  # type: ignore[arg-type]
        assert isinstance(error, AssetflowError), error
        return error

    def lines(self, step: str) -> list[tuple[str, str]]:
        return [(line.stream, line.text) for line in output_lines(self.logs, "r1", step)]


Start = Callable[..., Pool]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a pool for some assets: ``start([numbers], workers=2)``."""
    pools: list[Pool] = []

    def started(assets: object, *, workers: int = 1, isolated: bool = False, may_fork: bool = MAY_FORK) -> Pool:
        project = Project(assets)
        setting = project.setting
        output = RunOutput(tmp_path / "logs", "r1", setting.clock)
        workshop = Workshop(
            setting.graph,
            setting.managers,
            setting.storage,
            setting.codes.checks,
            None,
            setting.clock,
            output=output,
        )
        code = project._workspace.worker_code()
        executor = ProcessExecutor(workshop, code, workers, isolated=isolated, may_fork=may_fork)
        pools.append(Pool(executor, project, tmp_path / "logs"))
        return pools[-1]

    yield started
    for pool in pools:
        pool.executor.close(now=True)
        pool.project.close()
