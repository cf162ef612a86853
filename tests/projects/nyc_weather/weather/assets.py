"""The tables, from single hours up to a line for each airport."""

from __future__ import annotations

from typing import Annotated

import pandas as pd

from assetflow import NO_DATA, AssetContext, Batch, Input, asset
from weather.calendar import days, hours, months
from weather.rules import day_values, period_values
from weather.schemas import Airport, AirportSummary, DailyWeather, HourlyWeather, MonthlyWeather
from weather.sources import AIRPORTS, MISSING_HOURS, WEATHER, airport_file, hour_key, weather_raw


@asset(deps=[weather_raw], partitions=hours, batch=Batch(max_partitions=2000))
def weather_hourly(context: AssetContext) -> dict[str, Annotated[pd.DataFrame, HourlyWeather]]:
    """What the airports measured in an hour."""
    rows = pd.read_csv(WEATHER, parse_dates=["time_hour"]).rename(columns={"time_hour": "time"})
    keys = rows["time"].map({time: hour_key(time) for time in rows["time"].unique()})
    measured = rows[["origin", "time", "temp", "dewp", "wind_speed", "precip"]][keys.isin(context.partition_keys)]
    by_hour = dict(list(measured.groupby(keys)))
    return {key: by_hour.get(key, NO_DATA) for key in context.partition_keys}


@asset(
    partitions=days,
    inputs={"weather_hourly": Input("weather_hourly", missing="allow" if MISSING_HOURS == "allow" else "wait")},
)
def weather_daily(weather_hourly: pd.DataFrame) -> Annotated[pd.DataFrame, DailyWeather]:
    """Extremes, rain and frost of a local day."""
    return day_values(weather_hourly)


@asset(partitions=months)
def weather_monthly(weather_daily: pd.DataFrame) -> Annotated[pd.DataFrame, MonthlyWeather]:
    """The warmest hour and the rain of a month."""
    return period_values(weather_daily)


@asset(deps=[airport_file])
def airports() -> Annotated[pd.DataFrame, Airport]:
    """All airports with their altitude."""
    listed = pd.read_csv(AIRPORTS, keep_default_na=False)
    return listed.rename(columns={"alt": "altitude"})[["faa", "name", "altitude"]]


@asset
def airport_summary(weather_daily: pd.DataFrame, airports: pd.DataFrame) -> Annotated[pd.DataFrame, AirportSummary]:
    """The year of each airport."""
    frost = weather_daily.groupby("origin", as_index=False)["frost_hours"].sum()
    known = airports.rename(columns={"faa": "origin"})
    return known.merge(period_values(weather_daily), on="origin").merge(frost, on="origin")
