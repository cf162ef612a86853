"""Several steps at once: through an executor of threads that behaves as one of processes does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from assetflow import (
    AllPartitions,
    AssetContext,
    DailyPartitions,
    Input,
    Project,
    RetryPolicy,
    StaticPartitions,
    TimeWindow,
    asset,
    asset_check,
)
from assetflow.errors import StepCanceled, WorkerDied
from assetflow.execution import driving, loop
from assetflow.execution.attempt import run_task
from assetflow.execution.options import RunOptions
from assetflow.execution.result import RunEvent, RunResult
from assetflow.execution.task import Task, TaskResult
from assetflow.execution.workshop import Workshop

Opened = Callable[..., Project]


class Threads:
    """Runs each task in a thread of its own, which knows the storage only; ``deaths`` are tasks that never answer."""

    deferred = True

    def __init__(self, workshop: Workshop, slots: int, deaths: int = 0) -> None:
        self.slots = slots
        self.workshop = replace(workshop, open_folder=None)
        self.running: set[Future[TaskResult]] = set()
        self.most = 0
        self.deaths = deaths
        self.order: list[str] = []
        self.closed: list[bool] = []

    def submit(self, task: Task) -> Future[TaskResult]:
        future: Future[TaskResult] = Future()
        self.running.add(future)
        self.most = max(self.most, len(self.running))
        self.order.append(task.computation)

        def work() -> None:
            if self.deaths:
                self.deaths -= 1
                answer: TaskResult | WorkerDied = WorkerDied(f"{task.computation}: its worker was killed by SIGKILL")
            else:
                answer = run_task(task, self.workshop)
            self.running.discard(future)
            if future.done():
                return
            if isinstance(answer, TaskResult):
                future.set_result(answer)
            else:
                future.set_exception(answer)

        threading.Thread(target=work, daemon=True).start()
        return future

    def stop(self, future: Future[TaskResult]) -> None:
        if not future.done():
            future.set_exception(StepCanceled("stopped"))

    def close(self, *, now: bool = False) -> None:
        self.closed.append(now)


@contextmanager
def through(
    monkeypatch: pytest.MonkeyPatch, slots: int = 2, *, deaths: int = 0, fail_fast: bool = False
) -> Iterator[list[Threads]]:
    """Every run of the block goes through threads."""
    made: list[Threads] = []

    def executor(workshop: Workshop) -> Threads:
        made.append(Threads(workshop, slots, deaths))
        return made[-1]

    def run_plan(*given: Any, **keywords: Any) -> RunResult:
        return real(*given, **{**keywords, "options": RunOptions(executor, fail_fast)})

    real = loop.run_plan
    with monkeypatch.context() as patch:
        patch.setattr(loop, "run_plan", run_plan)
        yield made


def test_independent_steps_run_at_once_and_dependent_ones_after_each_other(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = threading.Barrier(2, timeout=20)

    @asset(code_version="1")
    def left() -> object:
        together.wait()
        return {1}

    @asset(code_version="1")
    def right() -> object:
        together.wait()
        return {2}

    @asset(code_version="1")
    def both(left: set[int], right: set[int]) -> object:
        return left | right

    with opened(left, right, both) as project, through(monkeypatch) as made:
        result = project.materialize()
        assert (result.status, project.load("both")) == ("success", {1, 2})
        assert (made[0].most, made[0].order[-1], made[0].closed) == (2, "both", [False])
        (run,) = project.store.reader.runs()
        assert (run.executor, run.workers) == ("inline", 2)
        assert project.store.reader.intents() == []


def test_partitions_of_one_computation_run_at_once_within_the_slots(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = threading.Barrier(3, timeout=20)

    @asset(partitions=StaticPartitions([*"abcdef"]), code_version="1")
    def parts(context: AssetContext) -> object:
        together.wait()
        return {context.partition_key}

    with opened(parts) as project, through(monkeypatch, 3) as made:
        assert project.materialize().counts["materialized"] == 6
        assert made[0].most == 3


def test_what_reads_itself_goes_one_partition_after_the_other(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []

    @asset(
        partitions=DailyPartitions("2024-01-01", end="2024-01-07"),
        inputs={"before": Input("total", mapping=TimeWindow(-1, -1), missing="allow")},
        code_version="1",
    )
    def total(context: AssetContext, before: dict[str, int]) -> int:
        begun.append(context.partition_key)
        return sum(before.values(), 1)

    with opened(total) as project, through(monkeypatch, 4) as made:
        result = project.materialize()
        assert result.status == "success", result.failures
        assert made[0].most == 1
        assert all(earlier < later for earlier, later in pairwise(begun))


def test_members_of_a_publish_group_are_committed_together(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    @asset(publish_group="g", code_version="1")
    def first() -> object:
        return {1}

    @asset(publish_group="g", code_version="1")
    def second() -> object:
        raise ValueError

    @asset(code_version="1")
    def other() -> object:
        return {3}

    with opened(first, second, other) as project, through(monkeypatch, 3):
        counts = {outcome: n for outcome, n in project.materialize().counts.items() if n}
        assert counts == {"failed": 1, "blocked": 1, "materialized": 1}
        assert project.store.reader.intents() == []
        assert len(list(project.storage.root.rglob("v-*"))) == 1


def test_a_worker_that_dies_is_one_failed_attempt(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    @asset(retry_policy=RetryPolicy(max_retries=1), code_version="1")
    def lucky() -> object:
        return {1}

    with opened(lucky) as project, through(monkeypatch, deaths=1):
        result = project.materialize()
        assert result.status == "success"
        assert result.run_id is not None
        steps = project.store.reader.steps(result.run_id)
        assert [(step.attempt, step.status) for step in steps] == [(1, "failed"), (2, "materialized")]
        assert steps[0].error is not None
        assert steps[0].error["type"] == "WorkerDied"
        assert project.store.reader.intents() == []


def test_a_worker_that_dies_during_checks_fails_the_step(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    @asset(code_version="1")
    def made() -> int:
        return 1

    @asset_check(asset="made", code_version="1")
    def fine(made: int) -> bool:
        return True

    with opened(made) as project:
        project.materialize()
    with opened(made, checks=[fine]) as project, through(monkeypatch, deaths=1):
        assert [step.certainty for step in project.plan().steps] == ["check"]
        result = project.materialize()
        assert [failure.error["type"] for failure in result.failures] == ["WorkerDied"]
        assert project.load("made") == 1
        assert project.materialize(retry_failed=True).status == "failed", "each run has one death here"


def test_canceling_stops_what_runs(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driving, "_LOOK_EVERY", 0.01)
    never, third = threading.Event(), threading.Event()

    @asset(partitions=StaticPartitions([*"abcd"]), code_version="1")
    def parts(context: AssetContext) -> object:
        if context.partition_key == "b":
            third.wait(20)
            project.cancel(context.run_id)
        if context.partition_key != "a":
            third.set()  # it took the slot of the first, which is published then
            never.wait(20)
        return {1}

    with opened(parts) as project, through(monkeypatch) as made:
        try:
            result = project.materialize()
        finally:
            never.set()
        counts = {outcome: n for outcome, n in result.counts.items() if n}
        assert (result.status, counts) == ("canceled", {"materialized": 1, "canceled": 3})
        assert made[0].closed == [True]
        assert result.run_id is not None
        statuses = {step.ordinal: step.status for step in project.store.reader.steps(result.run_id)}
        assert sorted(statuses.values()) == ["canceled", "canceled", "materialized"]


def test_what_runs_may_finish_when_something_else_has_failed(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(2, timeout=20)
    failed = threading.Event()

    @asset(code_version="1")
    def bad() -> object:
        together.wait()
        raise ValueError

    @asset(code_version="1")
    def good() -> object:
        together.wait()
        failed.wait(20)
        return {1}

    @asset(code_version="1")
    def later(good: set[int]) -> object:
        return good

    def told(event: RunEvent) -> None:
        if event.outcome == "failed":
            failed.set()

    with opened(bad, good, later) as project, through(monkeypatch, fail_fast=True):
        counts = {outcome: n for outcome, n in project.materialize(on_event=told).counts.items() if n}
        assert counts == {"failed": 1, "materialized": 1, "canceled": 1}


def test_an_interrupt_stops_what_runs_and_tells_what_was_published(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted:
        def now(self) -> float:
            return 0.0

        def wait(self, futures: Any, seconds: float | None) -> None:
            raise KeyboardInterrupt

    @asset(code_version="1")
    def slow() -> object:
        threading.Event().wait(0.2)
        return {1}

    made: list[Threads] = []
    real = loop.run_plan

    def run_plan(*given: Any, **keywords: Any) -> RunResult:
        def executor(workshop: Workshop) -> Threads:
            made.append(Threads(workshop, 1))
            return made[-1]

        return real(*given, **{**keywords, "options": RunOptions(executor, waiting=Interrupted())})

    monkeypatch.setattr(loop, "run_plan", run_plan)
    with opened(slow) as project:
        result = project.materialize()
        assert (result.status, result.counts["canceled"]) == ("canceled", 1)
        assert made[0].closed == [True]
        assert project.store.reader.intents() == []


def test_several_rounds_of_many_steps_give_what_one_after_the_other_gives(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = StaticPartitions([*"abcd"])

    @asset(partitions=keys, code_version="1")
    def one(context: AssetContext) -> str:
        return context.partition_key

    @asset(partitions=keys, code_version="1")
    def two(one: str) -> str:
        return one * 2

    @asset(partitions=keys, inputs={"recent": Input("two", mapping=AllPartitions())}, code_version="1")
    def three(recent: dict[str, str]) -> str:
        return "".join(recent.values())

    @asset(code_version="1")
    def four(three: dict[str, str]) -> str:
        return "".join(three[key] for key in sorted(three))

    with opened(one, two, three, four) as project:
        project.materialize()
        expected = project.load("four")
        with through(monkeypatch, 4):
            assert project.materialize(force=True).counts["unchanged"] == 13
        assert project.load("four") == expected
        assert project.plan().steps == ()
