"""What a run tells of the time that is left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from assetflow import NO_DATA, AssetContext, Batch, Project, StaticPartitions, asset, asset_check, multi_asset
from assetflow.definitions.inputs import Out
from assetflow.errors import UsageError
from assetflow.execution.result import RunEvent
from assetflow.planner.plan import Estimate

NOW = datetime(2024, 3, 5, tzinfo=UTC)


class Clock:
    """A clock that whoever works moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def work(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def test_a_run_that_is_followed_counts_its_estimates_down() -> None:
    clock, left = Clock(), list[tuple[str, float | None, bool]]()

    @asset(partitions=StaticPartitions(["x", "y"]), code_version="1")
    def slow() -> int:
        clock.work(10)
        return 1

    @asset(code_version="1")
    def last(slow: dict[str, int]) -> int:
        clock.work(5)
        return 2

    def listen(event: RunEvent) -> None:
        left.append((event.kind, event.left, event.left_complete))

    with Project([slow, last], clock=clock) as project:
        project.materialize("slow", on_event=listen)
        assert {each[1:] for each in left} == {(None, False)}
        left.clear()
        project.materialize("slow or last", force=True, on_event=listen)
        assert left[0] == ("started", 20.0, False)
        left.clear()
        result = project.materialize(force=True, on_event=listen)
        assert [seconds for kind, seconds, _ in left if kind == "partition"] == [15.0, 5.0, 0.0]
        assert left[0] == ("started", 25.0, True)
        assert left[-1] == ("finished", 0.0, True)
        assert [step.estimate for step in result.plan.steps] == [Estimate(20.0, None, 2), Estimate(5.0, None, 1)]
        assert project.materialize(force=True).plan.steps[0].estimate is None


def test_what_is_recorded_of_runs_gives_the_estimates() -> None:
    clock = Clock()

    @asset(partitions=StaticPartitions(["a", "b", "c", "d", "e"]), batch=Batch(max_partitions=2), code_version="1")
    def batched(context: AssetContext) -> dict[str, int]:
        clock.work(6)
        return dict.fromkeys(context.partition_keys, 1)

    @multi_asset(outs={"one": Out(), "two": Out()}, code_version="1")
    def both() -> tuple[object, object]:
        clock.work(3)
        return "abc", NO_DATA

    @asset(code_version="1")
    def failing() -> int:
        clock.work(100)
        raise RuntimeError

    @asset_check(asset="one", blocking=True, code_version="1")
    def look() -> bool:
        clock.work(2)
        return True

    with Project([batched, both, failing, look], clock=clock) as project:
        project.materialize()
        found = {step.computation: step.estimate for step in project.plan(force=True).steps}
        # Two calls of two and one of one; the check is part of the attempt.
        assert found == {
            "batched": Estimate(pytest.approx(3 + 3 + 3 + 3 + 6), None, 5),
            "both": Estimate(5.0, 0, 5),
            "failing": None,
        }


def test_a_number_of_workers_that_makes_no_sense_is_refused() -> None:
    @asset(code_version="1")
    def one() -> int:
        return 1

    with Project([one]) as project, pytest.raises(UsageError, match="workers=0 is no whole number from 1 on"):
        project.plan(workers=0)
