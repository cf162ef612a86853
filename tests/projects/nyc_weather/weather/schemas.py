"""The columns of every table. Temperatures are in degrees Fahrenheit where a column does not say otherwise."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import pyarrow as pa

from assetflow import Field, Schema


class HourlyWeather(Schema):
    origin: str = Field(unique=True)
    time: Annotated[datetime, pa.timestamp("us", tz="UTC")]
    temp: float | None = Field(ge=-60, le=140)
    dewp: float | None
    wind_speed: float | None = Field(ge=0)
    precip: float = Field(ge=0)


class DailyWeather(Schema):
    origin: str = Field(unique=True)
    rows: int = Field(ge=1, le=25)
    temp_max: float | None
    temp_min: float | None
    precip: float = Field(ge=0)
    frost_hours: int = Field(ge=0, le=25)


class MonthlyWeather(Schema):
    origin: str = Field(unique=True)
    days: int = Field(ge=1, le=31)
    warmest_celsius: float | None
    precip: float = Field(ge=0)


class Airport(Schema):
    faa: str = Field(unique=True)
    name: str
    altitude: int = Field(description="in feet")


class AirportSummary(Schema):
    origin: str = Field(unique=True)
    name: str
    altitude: int
    days: int = Field(ge=1, le=366)
    warmest_celsius: float
    precip: float = Field(ge=0)
    frost_hours: int = Field(ge=0)
