"""Where calendars do not fit into each other: years into weeks, weeks into months, February into years."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from assetflow import (
    AssetContext,
    CronPartitions,
    DailyPartitions,
    DimensionMapping,
    Identity,
    Input,
    MonthlyPartitions,
    MultiPartitions,
    Project,
    StaticPartitions,
    TimeWindow,
    WeeklyPartitions,
    asset,
)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def project(upstream: Any, downstream: Any, mapping: Any = None) -> Project:
    """Two assets, the second of which keeps the keys that it read of the first."""

    @asset(partitions=upstream, code_version="1")
    def parent() -> int:
        return 1

    @asset(partitions=downstream, inputs={"parent": Input("parent", mapping)}, code_version="1")
    def child(context: AssetContext, parent: dict[str, int]) -> list[str]:
        return [*parent]

    return Project([parent, child])


def test_a_child_whose_parent_cannot_exist_does_not_ask_for_it_and_says_so() -> None:
    """The parent begins later: the first days of the child have no parent, and are built without one."""
    with project(DailyPartitions("2024-01-03", "2024-01-05"), DailyPartitions("2024-01-01", "2024-01-05")) as opened:
        plan = opened.plan("child")
        assert plan.outside == ("parent",)
        assert [(each.partitions.ranges, each.lacking) for each in plan.waiting] == [
            ((("2024-01-03", "2024-01-04"),), ("parent@2024-01-03...2024-01-04",))
        ]
        assert [step.partitions.ranges for step in plan.steps] == [(("2024-01-01", "2024-01-02"),)]
        assert plan.notes == (
            (
                "child 2024-01-01...2024-01-02: asks for partitions that parent (daily from 2024-01-03 until "
                "2024-01-05, UTC) cannot have; it is built from those that it can"
            ),
        )
        result = opened.materialize()
        assert result.counts["materialized"] == 6
        assert opened.plan().steps == ()


def test_a_child_that_needs_a_parent_that_cannot_exist_waits_and_says_why() -> None:
    strict = TimeWindow(allow_nonexistent=False)
    days = DailyPartitions("2024-01-01", "2024-01-05")
    with project(DailyPartitions("2024-01-03", "2024-01-05"), days, strict) as opened:
        result = opened.materialize()
        assert (result.counts["materialized"], result.counts["waiting"]) == (4, 2)
        (cause,) = [cause for cause in opened.why("child", "2024-01-02").causes if cause.kind == "waiting"]
        assert cause.detail == (
            "waits for parent; parent (daily from 2024-01-03 until 2024-01-05, UTC) cannot have all that it asks for"
        )


def test_a_combination_whose_parent_cannot_exist_says_so_too() -> None:
    regions = StaticPartitions(["north", "south"])
    up = MultiPartitions({"day": DailyPartitions("2024-01-02", "2024-01-04"), "region": regions})
    down = MultiPartitions({"region": regions, "day": DailyPartitions("2024-01-01", "2024-01-04")})
    with project(up, down, DimensionMapping({"day": ("day", Identity()), "region": "region"})) as opened:
        plan = opened.plan()
        assert [note.partition(":")[0] for note in plan.notes] == ["child north|2024-01-01...south|2024-01-01"]
        assert opened.materialize().counts["materialized"] == 10
        assert opened.load("child", "south|2024-01-03") == ["2024-01-03|south"]


def test_a_month_waits_for_the_week_that_straddles_its_end() -> None:
    weeks, months = WeeklyPartitions("2024-01-01"), MonthlyPartitions("2024-01", end="2024-03")
    with project(weeks, months) as opened:
        early = opened.materialize(now=moment("2024-02-01"))
        assert (early.counts["materialized"], early.counts["waiting"]) == (4, 1)
        (waiting,) = early.plan.waiting
        assert waiting.lacking == ("parent@2024-01-29",)
        causes = opened.why("child", "2024-01", now=moment("2024-02-04T23:59:59")).causes
        assert "waits for parent@2024-01-29" in [cause.detail for cause in causes]
        late = opened.materialize(now=moment("2024-02-05"))
        assert late.counts["materialized"] == 2
        assert opened.load("child", "2024-01") == [f"2024-01-{day:02}" for day in (1, 8, 15, 22, 29)]
        # The same week is the first of February.
        opened.materialize(now=moment("2024-03-04"))
        assert opened.load("child", "2024-02") == ["2024-01-29", *(f"2024-02-{day:02}" for day in (5, 12, 19, 26))]


@pytest.mark.parametrize(
    ("week", "days"),
    [
        (
            "2020-12-28",
            ["2020-12-28", "2020-12-29", "2020-12-30", "2020-12-31", "2021-01-01", "2021-01-02", "2021-01-03"],
        ),
        (
            "2024-12-30",
            ["2024-12-30", "2024-12-31", "2025-01-01", "2025-01-02", "2025-01-03", "2025-01-04", "2025-01-05"],
        ),
        ("2023-12-25", [f"2023-12-{day}" for day in range(25, 32)]),
    ],
)
def test_a_week_across_the_end_of_a_year_is_one_week(week: str, days: list[str]) -> None:
    """ISO calls it week 53 of the one year or week 1 of the next; here it is called by its first day."""
    with project(DailyPartitions("2020-12-21", "2025-01-10"), WeeklyPartitions("2020-12-21", "2025-01-10")) as opened:
        # A year stands for the weeks that lie in it wholly.
        (_, last), *_ = opened.plan("+child", week[:4]).steps[-1].partitions.ranges or ()
        assert (last == week) == (days[-1][:4] == week[:4])
        opened.materialize("+child", week)
        assert opened.load("child", week) == days


def test_february_has_its_leap_day() -> None:
    days, months = DailyPartitions("2023-01-01", "2025-01-01"), MonthlyPartitions("2023-01", "2025-01")
    with project(days, months) as opened:
        opened.materialize("+child", ["2023-02", "2024-02"])
        assert [len(opened.load("child", key)) for key in ("2023-02", "2024-02")] == [28, 29]
    with project(days, days, TimeWindow(-1, -1)) as opened:
        opened.materialize("+child", ["2023-03-01", "2024-03-01", "2024-02-29"])
        read = [opened.load("child", key) for key in ("2023-03-01", "2024-03-01", "2024-02-29")]
        assert read == [["2023-02-28"], ["2024-02-29"], ["2024-02-28"]]


def test_a_tick_on_the_leap_day_comes_every_four_years() -> None:
    leap = CronPartitions("0 0 29 2 *", "2016-02-29", "2024-03-01")
    with project(DailyPartitions("2019-12-31", "2020-03-02"), leap) as opened:
        plan = opened.plan("child")
        (waiting,) = plan.waiting
        assert waiting.partitions.ranges == (("2016-02-29T00:00Z", "2020-02-29T00:00Z"),)
        opened.materialize()
        assert opened.load("child", "2020-02-29T00:00Z") == ["2020-02-29", "2020-03-01"]
        assert opened.load("child", "2016-02-29T00:00Z")[-1] == "2020-02-28"
