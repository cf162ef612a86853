"""Which edits of the code make which assets stale; nothing but the code versions is looked at, so no data is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def code_only(full_year: Any, tmp_path: Path) -> Any:
    """The full year with its store and code, and without its data."""
    return full_year.without_data(tmp_path / "nyc_weather")


def planned(year: Any) -> dict[str, tuple[str, int, list[str]]]:
    """By asset: certainty, partitions, and the parts of the code that changed."""
    with year.open() as project:
        plan = project.plan(now=year.now, observe=False)
    return {
        step.computation: (
            step.certainty,
            len(step.partitions.ordinals),
            sorted(name for cause in step.causes if cause.kind == "code_changed" for name in cause.components),
        )
        for step in plan.steps
    }


def why(year: Any, asset: str, partition: str | None = None) -> Any:
    with year.open() as project:
        return project.why(asset, partition, now=year.now, observe=False)


@pytest.mark.parametrize(
    ("module", "before", "after"),
    [
        pytest.param("rules", "FROST = 32.0\n", "FROST = 32.0  # where water freezes\n", id="a comment"),
        pytest.param(
            "rules", '"""Degrees Celsius."""', '"""Of degrees Fahrenheit, those of Celsius."""', id="a docstring"
        ),
        pytest.param("rules", '    """Degrees Celsius."""\n', "", id="a docstring that goes"),
        pytest.param("assets", "of a local day.", "of a day, by New York's clocks.", id="the docstring of an asset"),
        pytest.param(
            "rules", "(fahrenheit - 32) * 5 / 9", "(\n        (fahrenheit - 32)\n        * 5 / 9\n    )", id="a layout"
        ),
        pytest.param("rules", "frost: pd.Series =", 'frost: "pd.Series[bool]" =', id="a local variable's annotation"),
        pytest.param("rules", "frost: pd.Series =", "frost =", id="a local variable's annotation that goes"),
        pytest.param("rules", "knots * 1.15078", "knots * 1.150779", id="an unrelated function"),
        pytest.param("rules", "FROST = 32.0\n", "FROST = 32.0\nHEAT = 86.0\n", id="an unrelated constant"),
    ],
)
def test_an_edit_that_changes_nothing_makes_nothing_stale(code_only: Any, module: str, before: str, after: str) -> None:
    code_only.edit(module, before, after)
    assert planned(code_only) == {}


def test_renaming_a_local_variable_counts(code_only: Any) -> None:
    code_only.edit("rules", "frost: pd.Series =", "freezing: pd.Series =")
    code_only.edit("rules", "frost=frost", "frost=freezing")
    assert planned(code_only) == {
        "weather_daily": ("will", 365, ["weather.rules.day_values"]),
        "weather_monthly": ("may", 12, []),
        "airport_summary": ("may", 1, []),
    }


def test_a_changed_helper_two_calls_away_makes_stale_what_reaches_it(code_only: Any) -> None:
    code_only.edit("rules", "(fahrenheit - 32) * 5 / 9", "(fahrenheit - 32) / 1.8")
    assert planned(code_only) == {
        "weather_monthly": ("will", 12, ["weather.rules.celsius"]),
        "airport_summary": ("will", 1, ["weather.rules.celsius"]),
    }
    month = why(code_only, "weather_monthly", "2013-07")
    assert (month.state, [cause.kind for cause in month.causes]) == ("stale", ["code_changed"])
    assert "celsius" in month.causes[0].detail
    assert why(code_only, "weather_daily", "2013-07-04").state == "up_to_date"


def test_a_changed_constant_counts_where_it_is_used(code_only: Any) -> None:
    code_only.edit("rules", "FROST = 32.0", "FROST = 30.2")
    assert planned(code_only) == {
        "weather_daily": ("will", 365, ["weather.rules.FROST"]),
        "weather_monthly": ("may", 12, []),
        "airport_summary": ("may", 1, []),
    }
    assert "FROST" in why(code_only, "weather_daily", "2013-07-04").causes[0].detail


def test_a_changed_helper_rebuilds_what_reaches_it_and_nothing_else(full_year: Any, tmp_path: Path) -> None:
    year = full_year.copy(tmp_path / "nyc_weather", hours=("none",))
    year.edit("rules", "(fahrenheit - 32) * 5 / 9", "(fahrenheit - 32) / 2")
    with year.open() as project:
        result = project.materialize(now=year.now)
        assert {asset: sum(counts.values()) for asset, counts in result.by_asset.items()} == {
            "weather_monthly": 12,
            "airport_summary": 1,
        }
        assert result.counts["materialized"] == 13
        rows = year.rows()
        july = (rows.loc[rows["month"] == 7].groupby("origin")["temp"].max() - 32) / 2
        built = project.load("weather_monthly", "2013-07").set_index("origin")["warmest_celsius"]
        assert built.to_dict() == pytest.approx(july.to_dict())
