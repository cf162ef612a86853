"""Late data: what it is left out of, that this is recorded, and that it is taken in when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assetflow import (
    AllPartitions,
    AssetContext,
    DailyPartitions,
    Definitions,
    Input,
    MonthlyPartitions,
    Project,
    asset,
    observable_source,
)

DAYS = DailyPartitions("2024-02-01", end="2024-02-05")
MONTHS = MonthlyPartitions("2024-02", end="2024-03")
FEBRUARY = "2024-02"
READ: dict[str, str] = {}
MARCH = datetime(2024, 3, 1, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = MARCH

    def __call__(self) -> datetime:
        return self.now


@observable_source(partitions=DAYS)
def gauge() -> dict[str, str]:
    return dict(READ)


@asset(partitions=DAYS, deps=[gauge], code_version="1")
def rain(context: AssetContext) -> int:
    return int(READ[context.partition_key])


def totals(tolerance: str | None = "29d") -> Any:
    # The windows of the first days end at the beginning of February; all are in time until the first days of March.
    read = Input("rain", missing="allow", late_tolerance=tolerance)

    @asset(partitions=MONTHS, inputs={"rain": read}, code_version="1")
    def total(rain: dict[str, int]) -> int:
        return sum(rain.values())

    return total


@pytest.fixture
def clock() -> Clock:
    READ.clear()
    READ.update({"2024-02-01": "1", "2024-02-02": "2"})
    return Clock()


@pytest.fixture
def opened(tmp_path: Path, clock: Clock) -> Callable[..., Project]:
    def open_project(*assets: Any) -> Project:
        return Project(
            Definitions(assets=list(assets)), store=f"sqlite:///{tmp_path}/s.db", storage=tmp_path / "data", clock=clock
        )

    return open_project


def counted(result: Any) -> dict[str, int]:
    return {outcome: number for outcome, number in result.counts.items() if number}


def told(project: Any) -> list[str]:
    return [cause.detail for cause in project.why("total", FEBRUARY).tolerated]


def kinds(project: Any) -> list[str]:
    rows = project.catalog.query("select kind from events where asset = 'total' order by seq").to_pylist()
    return [row["kind"] for row in rows]


def test_what_is_in_time_makes_stale_and_what_is_late_does_not(opened: Any, clock: Clock) -> None:
    with opened(gauge, rain, totals()) as project:
        project.materialize()
        READ["2024-02-02"] = "20"
        assert counted(project.materialize()) == {"materialized": 2, "waiting": 2}
        assert project.load("total", FEBRUARY) == 21

        clock.now = MARCH + timedelta(days=10)
        READ["2024-02-02"] = "200"
        assert counted(project.materialize()) == {"materialized": 1, "waiting": 2}
        found = project.why("total", FEBRUARY)
        assert (found.state, found.causes, project.load("total", FEBRUARY)) == ("up_to_date", (), 21)
        assert told(project) == ["rain 2024-02-02 changed late"]
        assert [cause.root for cause in found.tolerated] == [("rain",)]
        assert project.status("total").rows[0].tolerated == 1


def test_a_first_arrival_counts_like_a_change(opened: Any, clock: Clock) -> None:
    with opened(gauge, rain, totals()) as project:
        project.materialize()
        clock.now = MARCH + timedelta(days=10)
        READ["2024-02-04"] = "4"
        plan = project.plan()
        assert [(step.computation, step.certainty) for step in plan.steps] == [("rain", "will")]
        assert counted(project.materialize()) == {"materialized": 1, "waiting": 1}
        assert (told(project), project.load("total", FEBRUARY)) == (["rain 2024-02-04 changed late"], 3)


def test_before_the_first_build_nothing_is_late(opened: Any, clock: Clock) -> None:
    clock.now = MARCH + timedelta(days=90)
    with opened(gauge, rain, totals()) as project:
        assert counted(project.materialize()) == {"materialized": 3, "waiting": 2}
        assert (told(project), project.load("total", FEBRUARY)) == ([], 3)


def late(project: Any, clock: Clock, day: str = "2024-02-02", value: str = "200") -> None:
    """Build all, and then let one day change late."""
    project.materialize()
    clock.now = MARCH + timedelta(days=10)
    READ[day] = value
    project.materialize("rain")


def test_a_run_that_meets_it_records_it_once_and_is_no_run(opened: Any, clock: Clock) -> None:
    with opened(gauge, rain, totals()) as project:
        late(project, clock)
        plan = project.plan()
        assert plan.to_dict()["tolerated"] == [
            {"asset": "total", "partitions": {"count": 1, "ranges": [[FEBRUARY, FEBRUARY]]}}
        ]
        runs = len(project.runs())
        for _ in range(2):
            result = project.materialize()
            assert (result.run_id, counted(result)) == (None, {"waiting": 2})
        assert (kinds(project), len(project.runs())) == (["materialized", "tolerated"], runs)
        assert told(project) == ["rain 2024-02-02 changed late"]
        assert project.plan().steps == ()
        rows = project.catalog.query("select state from partitions where asset = 'total'").to_pylist()
        assert [row["state"] for row in rows] == ["up_to_date"]


@pytest.mark.parametrize("recorded", [False, True])
def test_it_is_taken_in_when_it_is_asked_for(opened: Any, clock: Clock, recorded: bool) -> None:
    with opened(gauge, rain, totals()) as project:
        late(project, clock)
        if recorded:
            project.materialize()
        (step,) = project.plan(include_late=True).steps
        assert [(cause.kind, cause.detail) for cause in step.causes] == [("input_changed", "rain 2024-02-02 changed")]
        assert counted(project.materialize(include_late=True)) == {"materialized": 1, "waiting": 2}
        assert (told(project), project.load("total", FEBRUARY)) == ([], 201)
        assert project.plan(include_late=True).steps == project.plan().steps == ()


@pytest.mark.parametrize("recorded", [False, True])
def test_a_change_in_time_takes_in_the_late_one_too(opened: Any, clock: Clock, recorded: bool) -> None:
    with opened(gauge, rain, totals()) as project:
        project.materialize()
        clock.now = datetime(2024, 3, 2, 12, tzinfo=UTC)
        READ["2024-02-01"] = "100"
        project.materialize() if recorded else project.materialize("rain")
        assert told(project) == ["rain 2024-02-01 changed late"]
        READ["2024-02-04"] = "4"
        assert counted(project.materialize()) == {"materialized": 2, "waiting": 1}
        assert (told(project), project.load("total", FEBRUARY)) == ([], 106)


@pytest.mark.parametrize("recorded", [False, True])
def test_changed_back_there_is_nothing_to_leave_out(opened: Any, clock: Clock, recorded: bool) -> None:
    with opened(gauge, rain, totals()) as project:
        late(project, clock)
        if recorded:
            project.materialize()
        READ["2024-02-02"] = "2"
        project.materialize("rain")
        assert told(project) == []
        assert project.plan().steps == project.plan(include_late=True).steps == ()
        assert project.status("total").rows[0].tolerated == 0


def test_without_the_tolerance_it_makes_stale_again(opened: Any, clock: Clock) -> None:
    with opened(gauge, rain, totals()) as project:
        late(project, clock)
        project.materialize()
    with opened(gauge, rain, totals(None)) as project:
        found = project.why("total", FEBRUARY)
        assert (found.state, [cause.detail for cause in found.causes]) == ("stale", ["rain 2024-02-02 changed"])
        assert counted(project.materialize()) == {"materialized": 1, "waiting": 2}
        assert project.load("total", FEBRUARY) == 201


def test_another_tolerance_makes_nothing_stale_by_itself(opened: Any, clock: Clock) -> None:
    with opened(gauge, rain, totals("29d")) as project:
        project.materialize()
    with opened(gauge, rain, totals("90d")) as project:
        assert project.plan().steps == ()


def test_a_correction_in_the_same_run_is_as_late_as_the_plan_says(opened: Any, clock: Clock) -> None:
    with opened(gauge, rain, totals()) as project:
        project.materialize()
        READ["2024-02-01"], READ["2024-02-02"] = "10", "20"
        clock.now = datetime(2024, 3, 2, 12, tzinfo=UTC)  # the first of February is late by now, the second is not
        plan = project.plan()
        assert [(step.computation, step.certainty) for step in plan.steps] == [("rain", "will"), ("total", "may")]
        assert [cause.partitions for cause in plan.steps[1].inherited] == [("2024-02-02",)]
        assert counted(project.materialize()) == {"materialized": 3, "waiting": 2}
        assert project.load("total", FEBRUARY) == 30


def test_what_may_have_changed_and_has_not_stays_and_says_what_it_leaves_out(opened: Any, clock: Clock) -> None:
    @asset(partitions=DAYS, deps=[gauge], code_version="1")
    def wet(context: AssetContext) -> bool:
        return READ[context.partition_key] != "0"

    read = {"rain": Input("rain", missing="allow", late_tolerance="29d"), "wet": Input("wet", missing="allow")}

    @asset(partitions=MONTHS, inputs=read, code_version="1")
    def total(rain: dict[str, int], wet: dict[str, bool]) -> int:
        return sum(rain.values())

    with opened(gauge, rain, wet, total) as project:
        project.materialize()
        clock.now = MARCH + timedelta(days=10)
        READ["2024-02-02"] = "200"
        assert counted(project.materialize()) == {"materialized": 1, "unchanged": 2, "waiting": 4}
        assert (kinds(project), told(project)) == (["materialized", "tolerated"], ["rain 2024-02-02 changed late"])


def test_a_held_version_stays_held(opened: Any, clock: Clock) -> None:
    with opened(gauge, rain, totals()) as project:
        project.materialize()
        READ["2024-02-02"] = "3"
        project.materialize()
        project.rollback("total", FEBRUARY, to=project.versions("total", FEBRUARY)[-1]["version"])
        late(project, clock)
        project.materialize()
        found = project.why("total", FEBRUARY)
        assert (found.state, found.held, bool(found.tolerated)) == ("up_to_date", True, True)


def test_what_was_left_out_is_no_version_to_reuse(opened: Any, clock: Clock) -> None:
    with opened(gauge, rain, totals()) as project:
        late(project, clock)
        project.materialize()
        assert counted(project.materialize("total", include_late=True)) == {"materialized": 1}
        assert project.load("total", FEBRUARY) == 201
        READ["2024-02-02"] = "2"
        project.materialize("rain")
        assert counted(project.materialize("total", include_late=True)) == {"reused": 1}
        assert project.load("total", FEBRUARY) == 3


def test_of_all_partitions_the_late_ones_are_left_out(opened: Any, clock: Clock) -> None:
    @asset(inputs={"rain": Input("rain", AllPartitions(), late_tolerance="29d")}, code_version="1")
    def ever(rain: dict[str, int]) -> int:
        return sum(rain.values())

    with opened(gauge, rain, ever) as project:
        late(project, clock)
        assert [cause.detail for cause in project.why("ever").tolerated] == ["rain 2024-02-02 changed late"]
        assert counted(project.materialize(include_late=True)) == {"materialized": 1, "waiting": 2}


def test_a_retry_takes_in_late_data_where_the_run_was_to(opened: Any, clock: Clock) -> None:
    broken = {"total"}

    @asset(
        partitions=MONTHS,
        inputs={"rain": Input("rain", missing="allow", late_tolerance="29d")},
        code_version="1",
    )
    def total(rain: dict[str, int]) -> int:
        if "total" in broken:
            raise ValueError("not now")
        return sum(rain.values())

    with opened(gauge, rain, total) as project:
        broken.clear()
        late(project, clock)
        broken.add("total")
        failed = project.materialize(include_late=True)
        assert (failed.status, project.run(failed.run_id)["asked"]["include_late"]) == ("failed", True)
        broken.clear()
        assert counted(project.retry(failed.run_id)) == {"materialized": 1, "waiting": 2}
        assert project.load("total", FEBRUARY) == 201


def test_what_was_left_out_for_a_time_is_explained_as_that(opened: Any, clock: Clock) -> None:
    @asset(partitions=MONTHS, code_version="1")
    def news(total: int) -> int:
        return total

    with opened(gauge, rain, totals(), news) as project:
        late(project, clock)
        project.materialize()
        project.materialize("total", include_late=True)
        reasons = [
            (link.asset, reason.kind, reason.detail)
            for link in project.why("news", FEBRUARY).trace.links
            for reason in link.reasons
        ]
    assert reasons[:2] == [
        ("news", "input_changed", "total 2024-02 changed"),
        ("total", "input_changed", "rain 2024-02-02 changed; late data had been left out until then"),
    ]
