"""How rows become days, months and years, one function each."""

from __future__ import annotations

import pandas as pd

FROST = 32.0


def day_values(hours: pd.DataFrame) -> pd.DataFrame:
    """Extremes, rain and frost of each airport over the hours of a day."""
    frost: pd.Series = hours["temp"] <= FROST
    by_airport = hours.assign(frost=frost).groupby("origin", as_index=False)
    return by_airport.agg(
        rows=("time", "count"),
        temp_max=("temp", "max"),
        temp_min=("temp", "min"),
        precip=("precip", "sum"),
        frost_hours=("frost", "sum"),
    )


def period_values(days: pd.DataFrame) -> pd.DataFrame:
    """The warmest hour and the rain of each airport over many days."""
    by_airport = days.groupby("origin", as_index=False)
    summed = by_airport.agg(days=("rows", "count"), warmest=("temp_max", "max"), precip=("precip", "sum"))
    return summed.assign(warmest_celsius=celsius(summed["warmest"])).drop(columns="warmest")


def celsius(fahrenheit: pd.Series) -> pd.Series:
    """Degrees Celsius."""
    return (fahrenheit - 32) * 5 / 9


def miles_per_hour(knots: pd.Series) -> pd.Series:
    """No table of this project needs this."""
    return knots * 1.15078
