"""The 46 hours that the source lacks, in three variants: known to be empty, done without, and awaited."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

# By local day, worked out from the CSV: see test_the_source_lacks_46_hours_of_11_days.
LACKING = {
    "2013-01-01": 1,
    "2013-02-21": 1,
    "2013-08-19": 1,
    "2013-08-22": 2,
    "2013-10-25": 4,
    "2013-10-26": 2,
    "2013-11-02": 4,
    "2013-11-03": 1,
    "2013-11-04": 1,
    "2013-12-30": 5,
    "2013-12-31": 24,
}
LATE = "2013-10-26T21:00-04:00"
LATE_ROW = "EWR,2013,10,26,21,99.5,41,50,250,8.05546,NA,0,1013,10,2013-10-27T01:00:00Z\n"
NEW_YEAR = "2014-01-01T00:00:00-05:00"


def row_of(project: Any, asset: str, year: Any) -> Any:
    (row,) = [row for row in project.status(now=year.now, observe=False).rows if row.asset == asset]
    return row


def keys_of(plan: Any) -> dict[str, list[tuple[str, str]] | None]:
    """What would run, by asset, as ranges."""
    return {step.computation: step.partitions.ranges and list(step.partitions.ranges) for step in plan.steps}


def outcomes(project: Any, run_id: str) -> set[tuple[str, str | None, str]]:
    return {(step["asset"], step["partition"], step["status"]) for step in project.run(run_id)["steps"]}


def test_the_source_lacks_46_hours_of_11_days(waiting_year: Any) -> None:
    every = pd.date_range("2013-01-01", "2014-01-01", freq="h", tz="America/New_York", inclusive="left")
    there = pd.to_datetime(waiting_year.rows()["time_hour"].unique()).tz_convert("America/New_York")
    lacking = every.difference(there)
    assert len(lacking) == 46
    assert lacking[0] == every[0], "the very first hour of the year"
    assert lacking.strftime("%Y-%m-%d").value_counts().to_dict() == LACKING


class TestKnownToBeEmpty:
    def test_they_are_empty_and_the_watermark_passes_them(self, opened: Any, full_year: Any) -> None:
        hourly = row_of(opened, "weather_hourly", full_year)
        assert hourly.partitions["empty"] == 46
        for asset in ("weather_raw", "weather_hourly", "weather_daily", "weather_monthly"):
            row = row_of(opened, asset, full_year)
            assert (row.watermark.isoformat(), row.gaps) == (NEW_YEAR, ()), asset

    def test_a_day_is_built_from_the_others(self, opened: Any) -> None:
        assert list(opened.load("weather_daily", "2013-10-25")["rows"]) == [20, 20, 20]

    def test_a_day_of_which_all_are_empty_is_empty(self, opened: Any) -> None:
        (version,) = opened.versions("weather_daily", "2013-12-31")
        assert version["empty"]
        assert version["current"]
        assert opened.why("weather_daily", "2013-12-31", observe=False).state == "up_to_date"


class TestDoneWithout:
    def test_every_day_is_built_from_what_is_there(self, patchy_year: Any) -> None:
        with patchy_year.open() as project:
            assert row_of(project, "weather_hourly", patchy_year).partitions["waiting"] == 46
            daily = row_of(project, "weather_daily", patchy_year)
            assert (daily.partitions["up_to_date"], daily.partitions["empty"]) == (365, 1)
            assert list(project.load("weather_daily", "2013-10-25")["rows"]) == [20, 20, 20]
            plan = project.plan(now=patchy_year.now)
        assert plan.steps == ()
        assert [entry.computation for entry in plan.waiting] == ["weather_hourly"]

    def test_a_late_hour_makes_exactly_its_day_stale(self, patchy_year: Any, tmp_path: Path) -> None:
        year = patchy_year.copy(tmp_path / "nyc_weather", hours=("2013-10-26",))
        year.source.write_text(year.source.read_text() + LATE_ROW)
        with year.open() as project:
            plan = project.plan(now=year.now)
            assert keys_of(plan) == {
                "weather_hourly": [(LATE, LATE)],
                "weather_daily": [("2013-10-26", "2013-10-26")],
                "weather_monthly": [("2013-10", "2013-10")],
                "airport_summary": None,
            }
            result = project.materialize(select="weather_hourly", now=year.now)
            assert outcomes(project, result.run_id) == {("weather_hourly", LATE, "materialized")}
            assert keys_of(project.plan(select="weather_daily", now=year.now)) == {
                "weather_daily": [("2013-10-26", "2013-10-26")]
            }
            why = project.why("weather_daily", "2013-10-26", now=year.now)
            assert why.state == "stale"
            (cause,) = why.causes
            assert (cause.kind, cause.root) == ("input_changed", ("weather_hourly",))
            project.materialize(now=year.now)
            day = project.load("weather_daily", "2013-10-26").set_index("origin")
        assert day["rows"].to_dict() == {"EWR": 23, "JFK": 22, "LGA": 22}
        assert day.loc["EWR", "temp_max"] == 99.5


class TestAwaited:
    def test_the_days_wait_and_nothing_of_them_is_built(self, waiting_year: Any) -> None:
        counts = waiting_year.first_run["counts"]
        assert (counts["materialized"], counts["waiting"]) == (8714 + 354 + 6 + 1 + 1, 46 + 11 + 6)
        assert waiting_year.first_run["status"] == "success"
        with waiting_year.open() as project:
            plan = project.plan(now=waiting_year.now)
            assert plan.steps == ()
            days = next(entry for entry in plan.waiting if entry.computation == "weather_daily")
            assert len(days.partitions.ordinals) == len(LACKING)
            for day in LACKING:
                assert project.why("weather_daily", day, now=waiting_year.now, observe=False).state == "waiting"
                assert project.versions("weather_daily", day) == []

    def test_why_says_for_which_hours(self, waiting_year: Any) -> None:
        with waiting_year.open() as project:
            why = project.why("weather_daily", "2013-10-26", now=waiting_year.now)
        cause = why.causes[0]
        assert (why.state, cause.kind, cause.root) == ("waiting", "waiting", ("weather_raw",))
        assert cause.partitions == ("weather_hourly@2013-10-26T00:00-04:00", f"weather_hourly@{LATE}")
        assert f"weather_hourly@{LATE}" in cause.detail

    def test_the_hour_that_comes_lets_its_day_go(self, waiting_year: Any, tmp_path: Path) -> None:
        year = waiting_year.copy(tmp_path / "nyc_weather", hours=("2013-08-19",))
        row = "EWR,2013,8,19,17,80.5,41,50,250,8.05546,NA,0,1013,10,2013-08-19T21:00:00Z\n"
        year.source.write_text(year.source.read_text() + row)
        with year.open() as project:
            result = project.materialize(now=year.now)
            assert outcomes(project, result.run_id) == {
                ("weather_hourly", "2013-08-19T17:00-04:00", "materialized"),
                ("weather_daily", "2013-08-19", "materialized"),
                ("airport_summary", None, "materialized"),
            }, "August has another day that waits"

    @pytest.mark.parametrize("asset", ["weather_hourly", "weather_daily"])
    def test_the_watermark_stays_before_the_first(self, waiting_year: Any, asset: str) -> None:
        with waiting_year.open() as project:
            row = row_of(project, asset, waiting_year)
        assert row.watermark is None
        assert row.gaps[0].startswith("2013-01-01")
