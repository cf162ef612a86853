"""Every hour, day and month of 2013 and every airport is right: the expected values come from the CSV, by pandas."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from assetflow import Project

HOURLY = ["origin", "time", "temp", "dewp", "wind_speed", "precip"]


def expected_hours(rows: pd.DataFrame) -> pd.DataFrame:
    times = pd.to_datetime(rows["time_hour"])
    keys = times.dt.tz_convert("America/New_York").map(lambda time: time.isoformat(timespec="minutes"))
    return rows.assign(time=times, key=keys)[["key", *HOURLY]]


def expected_periods(rows: pd.DataFrame, parts: list[str]) -> pd.core.groupby.DataFrameGroupBy[Any, Any]:
    """By the local date parts that the source has beside its UTC times."""
    return rows.assign(frost=rows["temp"] <= 32).groupby([*parts, "origin"])


def together(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Tables by partition as one, with the partition as a column."""
    return pd.concat(tables, names=["key"]).reset_index(level="key").reset_index(drop=True)


def assert_same(actual: pd.DataFrame, expected: pd.DataFrame) -> None:
    columns = ["key", "origin", *sorted(set(expected.columns) - {"key", "origin"})]
    ordered = [table[columns].sort_values(["key", "origin"], ignore_index=True) for table in (actual, expected)]
    pd.testing.assert_frame_equal(*ordered, check_dtype=False, rtol=1e-12)


@pytest.fixture(scope="module")
def rows(full_year: Any) -> pd.DataFrame:
    return full_year.rows()


@pytest.fixture(scope="module")
def hours(opened: Project) -> dict[str, pd.DataFrame]:
    return opened.load("weather_hourly", as_type=dict[str, pd.DataFrame])


@pytest.fixture(scope="module")
def days(opened: Project) -> dict[str, pd.DataFrame]:
    return opened.load("weather_daily", as_type=dict[str, pd.DataFrame])


def test_every_partition_is_built(full_year: Any) -> None:
    assert full_year.first_run["status"] == "success"
    with full_year.open() as project:
        status = {row.asset: row.partitions for row in project.status(now=full_year.now, observe=False).rows}
    assert {name: (counts["total"], counts["up_to_date"], counts["empty"]) for name, counts in status.items()} == {
        "weather_raw": (8760, 8760, 46),
        "airport_file": (1, 1, 0),
        "weather_hourly": (8760, 8760, 46),
        "weather_daily": (365, 365, 1),
        "weather_monthly": (12, 12, 0),
        "airports": (1, 1, 0),
        "airport_summary": (1, 1, 0),
    }


def test_every_hour_is_right(hours: dict[str, pd.DataFrame], rows: pd.DataFrame) -> None:
    assert len(hours) == 8760 - 46
    assert_same(together(hours), expected_hours(rows))


def test_every_day_is_right(days: dict[str, pd.DataFrame], rows: pd.DataFrame) -> None:
    expected = expected_periods(rows, ["year", "month", "day"]).agg(
        rows=("hour", "count"),
        temp_max=("temp", "max"),
        temp_min=("temp", "min"),
        precip=("precip", "sum"),
        frost_hours=("frost", "sum"),
    )
    expected = expected.reset_index()
    keys = expected.apply(lambda row: f"{row['year']}-{row['month']:02}-{row['day']:02}", axis="columns")
    assert len(days) == 364, "there is no row of 31 December"
    assert_same(together(days), expected.drop(columns=["year", "month", "day"]).assign(key=keys))


def test_every_month_is_right(opened: Project, rows: pd.DataFrame) -> None:
    months = opened.load("weather_monthly", as_type=dict[str, pd.DataFrame])
    expected = expected_periods(rows, ["month"]).agg(
        days=("day", "nunique"), temp_max=("temp", "max"), precip=("precip", "sum")
    )
    expected = expected.reset_index()
    expected["warmest_celsius"] = (expected["temp_max"] - 32) / 1.8
    expected["key"] = expected["month"].map("2013-{:02}".format)
    assert list(months) == [f"2013-{month:02}" for month in range(1, 13)]
    assert_same(together(months), expected.drop(columns=["month", "temp_max"]))


def test_every_airport_is_right(opened: Project, rows: pd.DataFrame) -> None:
    summary = opened.load("airport_summary", as_type=pd.DataFrame)
    airports = {"EWR": ("Newark Liberty Intl", 18), "JFK": ("John F Kennedy Intl", 13), "LGA": ("La Guardia", 22)}
    whole = expected_periods(rows, []).agg(
        temp_max=("temp", "max"), precip=("precip", "sum"), frost_hours=("frost", "sum")
    )
    expected = whole.reset_index().assign(days=364, key="2013")
    expected["warmest_celsius"] = (expected.pop("temp_max") - 32) / 1.8
    expected["name"] = [airports[origin][0] for origin in expected["origin"]]
    expected["altitude"] = [airports[origin][1] for origin in expected["origin"]]
    assert_same(summary.assign(key="2013"), expected)


@pytest.mark.parametrize(("day", "length"), [("2013-03-09", 24), ("2013-03-10", 23), ("2013-11-03", 25)])
def test_a_day_has_the_hours_that_clocks_show(opened: Project, day: str, length: int) -> None:
    plan = opened.plan(select="weather_hourly", partitions=day, force=True, observe=False)
    assert plan.totals["partitions"] == length


def test_the_day_without_two_o_clock_has_23_hours_of_rows(
    hours: dict[str, pd.DataFrame], days: dict[str, pd.DataFrame]
) -> None:
    keys = [key for key in hours if key.startswith("2013-03-10")]
    assert keys[1:3] == ["2013-03-10T01:00-05:00", "2013-03-10T03:00-04:00"]
    assert list(days["2013-03-10"]["rows"]) == [23, 23, 23]


def test_the_repeated_hour_has_two_keys(hours: dict[str, pd.DataFrame], days: dict[str, pd.DataFrame]) -> None:
    repeated = [key for key in hours if key.startswith("2013-11-03T01:00")]
    assert repeated == ["2013-11-03T01:00-04:00", "2013-11-03T01:00-05:00"]
    newark = [hours[key].set_index("origin").loc["EWR", "temp"] for key in repeated]
    assert newark == [51.98, 50.0]
    # The hour at midnight is one of those that the source lacks.
    assert list(days["2013-11-03"]["rows"]) == [24, 24, 24]


def test_the_repeated_hour_must_be_named_in_full(opened: Project) -> None:
    from assetflow.errors import InvalidPartition

    with pytest.raises(InvalidPartition, match="2013-11-03T01:00"):
        opened.load("weather_hourly", "2013-11-03T01:00")
