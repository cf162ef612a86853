"""Running again does nothing; a correction in the source rebuilds what it touches, as far as values differ."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from assetflow.errors import DataMissing


def outcomes(project: Any, result: Any) -> set[tuple[str, str | None, str]]:
    return {(step["asset"], step["partition"], step["status"]) for step in project.run(result.run_id)["steps"]}


def observed_at(project: Any, asset: str) -> datetime:
    return project.store.reader.last_observations()[project.setting.uids[asset]].observed_at


def test_running_again_builds_nothing_and_opens_no_published_file(full_year: Any, tmp_path: Path) -> None:
    year = full_year.without_data(tmp_path / "nyc_weather")
    with year.open() as project:
        before = {asset: observed_at(project, asset) for asset in ("weather_raw", "airport_file")}
        result = project.materialize(now=year.now)
        assert (result.status, result.run_id, set(result.counts.values())) == ("success", None, {0})
        assert all(observed_at(project, asset) > time for asset, time in before.items()), "sources are observed"
        assert not year.data.exists()
        with pytest.raises(DataMissing):
            project.load("weather_daily", "2013-03-10")


def test_three_corrected_hours_rebuild_just_what_they_are_in(full_year: Any, tmp_path: Path) -> None:
    year = full_year.copy(tmp_path / "nyc_weather", hours=("2013-03-10", "2013-11-03"))
    year.correct("EWR", "2013-03-10T06:00:00Z", "temp", 120.2)
    year.correct("JFK", "2013-11-03T05:00:00Z", "temp", 130.1)
    year.correct("LGA", "2013-11-03T06:00:00Z", "precip", 2.5)
    with year.open() as project:
        plan = project.plan(now=year.now)
        assert plan.totals["partitions"] == 3 + 2 + 2 + 1
        result = project.materialize(now=year.now)
        assert outcomes(project, result) == {
            ("weather_hourly", "2013-03-10T01:00-05:00", "materialized"),
            ("weather_hourly", "2013-11-03T01:00-04:00", "materialized"),
            ("weather_hourly", "2013-11-03T01:00-05:00", "materialized"),
            ("weather_daily", "2013-03-10", "materialized"),
            ("weather_daily", "2013-11-03", "materialized"),
            ("weather_monthly", "2013-03", "materialized"),
            ("weather_monthly", "2013-11", "materialized"),
            ("airport_summary", None, "materialized"),
        }
        assert project.plan(now=year.now).steps == ()
        november = project.load("weather_monthly", "2013-11").set_index("origin")
        summary = project.load("airport_summary").set_index("origin")
    rows = year.rows()
    by_origin = rows[rows["month"] == 11].groupby("origin")
    expected = pd.DataFrame(
        {"warmest_celsius": (by_origin["temp"].max() - 32) / 1.8, "precip": by_origin["precip"].sum()}
    )
    pd.testing.assert_frame_equal(november[["warmest_celsius", "precip"]], expected)
    assert summary["precip"].to_dict() == pytest.approx(rows.groupby("origin")["precip"].sum().to_dict())
    assert (summary["warmest_celsius"] * 1.8 + 32).to_dict() == pytest.approx(
        {"EWR": 120.2, "JFK": 130.1, "LGA": rows.loc[rows["origin"] == "LGA", "temp"].max()}
    )


def test_a_correction_that_changes_no_day_stops_there(
    full_year: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    year = full_year.copy(tmp_path / "nyc_weather", hours=("2013-07-04",))
    year.correct("EWR", "2013-07-04T06:00:00Z", "dewp", 12.34)
    with year.open() as project:
        assert project.code
        day = project.versions("weather_daily", "2013-07-04")[0]["version"]
        computed: list[str] = []
        monkeypatch.setattr(sys.modules["weather.assets"], "period_values", lambda days: computed.append("month"))
        plan = project.plan(now=year.now)
        assert {step.computation: step.certainty for step in plan.steps} == {
            "weather_hourly": "will",
            "weather_daily": "may",
            "weather_monthly": "may",
            "airport_summary": "may",
        }
        result = project.materialize(now=year.now)
        assert outcomes(project, result) == {
            ("weather_hourly", "2013-07-04T02:00-04:00", "materialized"),
            ("weather_daily", "2013-07-04", "unchanged"),
            ("weather_monthly", "2013-07", "unchanged"),
            ("airport_summary", None, "unchanged"),
        }
        assert computed == [], "neither the month nor the summary was computed"
        assert [each["version"] for each in project.versions("weather_daily", "2013-07-04")] == [day]
        assert project.load("weather_hourly", "2013-07-04T02:00-04:00").set_index("origin").loc["EWR", "dewp"] == 12.34
        assert project.plan(now=year.now).steps == ()


@pytest.mark.parametrize(
    ("before", "after", "summary"),
    [
        pytest.param("-73.778925,13,", "-73.778925,14,", "materialized", id="an airport of New York"),
        pytest.param("Lansdowne Airport", "Lansdowne Airfield", "unchanged", id="an airport elsewhere"),
    ],
)
def test_a_corrected_airport_goes_as_far_as_it_is_read(
    full_year: Any, tmp_path: Path, before: str, after: str, summary: str
) -> None:
    year = full_year.copy(tmp_path / "nyc_weather", hours=("none",))
    text = year.airports.read_text()
    assert text.count(before) == 1
    year.airports.write_text(text.replace(before, after))
    with year.open() as project:
        result = project.materialize(now=year.now)
        assert outcomes(project, result) == {
            ("airports", None, "materialized"),
            ("airport_summary", None, summary),
        }
        altitudes = project.load("airport_summary").set_index("origin")["altitude"].to_dict()
    assert altitudes == {"EWR": 18, "JFK": 14 if summary == "materialized" else 13, "LGA": 22}
