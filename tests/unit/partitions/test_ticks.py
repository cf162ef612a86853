"""Cron expressions: which moments they name, on the clock of which zone."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from assetflow.partitions.ticks import last_tick, next_tick


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "zone", "after", "ticks"),
    [
        ("0 6 * * *", "UTC", "2024-01-01T06:00", "2024-01-02T06:00"),
        ("0 6 * * *", "UTC", "2024-01-01T05:59:59.999999", "2024-01-01T06:00"),
        ("*/15 9-17 * * mon-fri", "UTC", "2024-01-05T17:45", "2024-01-08T09:00"),
        ("5/20 * * * *", "UTC", "2024-01-01T00:06", "2024-01-01T00:25"),
        ("0 0 13 * fri", "UTC", "2024-01-01T00:00", "2024-01-05T00:00"),
        ("0 0 * * 7", "UTC", "2024-01-01T00:00", "2024-01-07T00:00"),
        ("0 0 29 feb *", "UTC", "2096-03-01T00:00", "2104-02-29T00:00"),
        ("30 23 31 12 *", "UTC", "2024-01-01T00:00", "2024-12-31T23:30"),
        ("0 6 * * *", "America/New_York", "2024-03-10T00:00", "2024-03-10T10:00"),
        ("30 2 * * *", "America/New_York", "2024-03-10T00:00", "2024-03-10T07:00"),
        ("30 1 * * *", "America/New_York", "2024-11-03T00:00", "2024-11-03T05:30"),
        ("30 1 * * *", "America/New_York", "2024-11-03T05:30", "2024-11-04T06:30"),
        ("30 2 * * *", "Europe/Berlin", "2024-03-31T00:00", "2024-03-31T01:00"),
        ("0 6 * * *", "Asia/Kolkata", "2024-01-01T00:00", "2024-01-01T00:30"),
        ("15 2 * * *", "Australia/Lord_Howe", "2024-10-05T10:00", "2024-10-05T15:30"),
        ("0 0 * * *", "Pacific/Apia", "2011-12-29T10:00", "2011-12-30T10:00"),
        ("0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00", "2018-11-04T03:00"),
    ],
)
def test_the_next_tick_and_back(cron: str, zone: str, after: str, ticks: str) -> None:
    found = next_tick(cron, at(after), zone)
    assert found == at(ticks)
    assert last_tick(cron, found, zone) == found
    assert last_tick(cron, at(after), zone) <= at(after)


def test_the_last_tick_is_given_for_moments_in_any_zone() -> None:
    moment = datetime(2024, 1, 1, 7, 0, tzinfo=ZoneInfo("Asia/Tokyo"))
    assert last_tick("0 6 * * *", moment, "UTC") == at("2023-12-31T06:00")


def test_there_is_no_next_tick_where_the_calendar_ends() -> None:
    assert next_tick("0 6 * * *", datetime.max.replace(tzinfo=UTC), "UTC") is None
