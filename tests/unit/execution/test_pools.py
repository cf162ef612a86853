"""Pools in runs: steps that have no slot wait, others do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier, Event, Lock, Thread
from typing import Any

import pytest

from assetflow import AssetContext, Project, StaticPartitions, asset
from assetflow.errors import UsageError
from assetflow.execution.attempt import run_task
from assetflow.execution.options import RunOptions
from assetflow.execution.task import Task, TaskResult
from assetflow.execution.workshop import Workshop
from assetflow.results import Result

PATIENCE = 30.0
NUMBERS = StaticPartitions([str(number) for number in range(6)])


class Threads:
    """An executor with several slots in this process."""

    slots = 4
    deferred = True

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._pool = ThreadPoolExecutor(self.slots)

    def submit(self, task: Task) -> Future[TaskResult]:
        return self._pool.submit(run_task, task, self._workshop)

    def stop(self, future: Future[TaskResult]) -> None:
        future.cancel()

    def close(self, *, now: bool = False) -> None:
        self._pool.shutdown(cancel_futures=now)


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs use several threads."""

    def options(self: Any, executor: object, workers: object, *, fail_fast: bool, priority: int) -> RunOptions:
        return RunOptions(Threads, fail_fast, priority=priority)

    monkeypatch.setattr("assetflow.opening.workspace.Workspace.run_options", options)


class Gauge:
    """How many steps of a pool are at work, and how many were at most."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.order: list[str] = []

    @contextmanager
    def using(self, pool: str, weight: int, name: str) -> Iterator[None]:
        with self._lock:
            self.now[pool] += weight
            self.most[pool] = max(self.most[pool], self.now[pool])
            self.order.append(name)
        try:
            yield
        finally:
            with self._lock:
                self.now[pool] -= weight


def opened(folder: Path, assets: list[Any], pools: dict[str, int] | None) -> Project:
    return Project(assets, store=f"sqlite:///{folder}/store.db", storage=folder / "data", pools=pools)


@pytest.mark.usefixtures("threads")
def test_no_more_run_at_once_than_the_pool_has_room_for(tmp_path: Path) -> None:
    gauge = Gauge()

    @asset(partitions=NUMBERS, pool="warehouse", code_version="1")
    def light(context: AssetContext) -> int:
        with gauge.using("warehouse", 1, "light"):
            Event().wait(0.002)
        return 1

    @asset(partitions=NUMBERS, pool=("warehouse", 2), code_version="1")
    def heavy(context: AssetContext) -> int:
        with gauge.using("warehouse", 2, "heavy"):
            Event().wait(0.002)
        return 1

    with opened(tmp_path, [light, heavy], {"warehouse": 3}) as project:
        assert project.materialize().counts["materialized"] == 12
        assert project.store.reader.slots() == []
    assert 2 <= gauge.most["warehouse"] <= 3


@pytest.mark.usefixtures("threads")
def test_steps_without_a_slot_keep_no_others_waiting(tmp_path: Path) -> None:
    together = Barrier(2)

    @asset(partitions=NUMBERS, pool="narrow", code_version="1")
    def narrow(context: AssetContext) -> int:
        if context.partition_key == "0":
            together.wait(PATIENCE)
        return 1

    @asset(code_version="1")
    def free() -> int:
        together.wait(PATIENCE)
        return 1

    with opened(tmp_path, [narrow, free], {"narrow": 1}) as project:
        assert project.materialize().status == "success"


def test_a_slot_of_another_run_is_waited_for(tmp_path: Path) -> None:
    gauge = Gauge()
    began, go_on = Event(), Event()

    @asset(pool="narrow", code_version="1")
    def slow() -> int:
        with gauge.using("narrow", 1, "slow"):
            began.set()
            assert go_on.wait(PATIENCE)
        return 1

    @asset(pool="narrow", code_version="1")
    def quick() -> int:
        with gauge.using("narrow", 1, "quick"):
            return 1

    assets, limits = [slow, quick], {"narrow": 1}
    results: list[Result] = []

    def run(select: str) -> None:
        with opened(tmp_path, assets, limits) as project:
            results.append(project.materialize(select))

    first, second = Thread(target=run, args=["slow"]), Thread(target=run, args=["quick"])
    first.start()
    assert began.wait(PATIENCE)
    second.start()
    with opened(tmp_path, assets, limits) as project:
        slots: list[Any] = []
        while len(slots) < 2:
            slots = project.store.reader.slots()
        assert [(slot.step, slot.granted_at is not None) for slot in slots] == [("slow", True), ("quick", False)]
        (waiting,) = [
            run for run in project.runs() if project.run(str(run["run_id"]))["slots"] and not _granted(project, run)
        ]
        assert waiting["holds"] == 1
        go_on.set()
        first.join(PATIENCE)
        second.join(PATIENCE)
        assert [result.status for result in results] == ["success", "success"]
        assert project.store.reader.slots() == []
    assert (gauge.order, gauge.most["narrow"]) == (["slow", "quick"], 1)


def _granted(project: Project, run: Any) -> bool:
    slots: Any = project.run(str(run["run_id"]))["slots"]
    return all(slot["granted_at"] for slot in slots)


def test_without_limits_nothing_is_asked_of_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @asset(pool="warehouse", code_version="1")
    def some() -> int:
        return 1

    def refuse(*arguments: object) -> None:
        raise AssertionError

    monkeypatch.setattr("assetflow.store.pools.Pools.ask", refuse)
    with opened(tmp_path, [some], None) as project:
        assert project.materialize().status == "success"


def test_a_step_that_is_tried_again_stands_in_line_again(tmp_path: Path) -> None:
    from assetflow import RetryPolicy

    calls: list[int] = []

    @asset(pool="narrow", code_version="1", retry_policy=RetryPolicy(max_retries=2))
    def shaky() -> int:
        calls.append(1)
        if len(calls) < 3:
            raise ValueError("no network")
        return 1

    with opened(tmp_path, [shaky], {"narrow": 1}) as project:
        assert project.materialize().status == "success"
        assert project.store.reader.slots() == []
    assert len(calls) == 3


@pytest.mark.parametrize("priority", [-101, 101, True])
def test_a_priority_has_bounds(tmp_path: Path, priority: int) -> None:
    @asset(code_version="1")
    def some() -> int:
        return 1

    with opened(tmp_path, [some], None) as project:
        with pytest.raises(UsageError) as caught:
            project.materialize(priority=priority)
        assert caught.value.message == f"priority={priority!r} cannot be used"
        assert caught.value.hint == "give a whole number from -100 to 100"
        project.materialize(priority=-3)
        assert [run["priority"] for run in project.runs()] == [-3]
