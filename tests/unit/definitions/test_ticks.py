"""Cron expressions: which moments they name, on the clock of which zone."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from assetflow.definitions.ticks import parse_cron
from assetflow.errors import DefinitionError


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
    parsed = parse_cron(cron)
    found = parsed.next(at(after), zone)
    assert found == at(ticks)
    assert parsed.last(found, zone) == found
    earlier = parsed.last(at(after), zone)
    assert earlier is not None
    assert earlier <= at(after)


def test_the_last_tick_is_given_for_moments_in_any_zone() -> None:
    moment = datetime(2024, 1, 1, 7, 0, tzinfo=ZoneInfo("Asia/Tokyo"))
    assert parse_cron("0 6 * * *").last(moment, "UTC") == at("2023-12-31T06:00")


@pytest.mark.parametrize(
    ("cron", "said"),
    [
        ("0 6 * *", "is no cron expression"),
        (6, "is no cron expression"),
        ("@daily", "is no cron expression"),
        ("60 6 * * *", "'60' is no minute"),
        ("0 24 * * *", "'24' is no hour"),
        ("0 6 0 * *", "'0' is no day"),
        ("0 6 * 13 *", "'13' is no month"),
        ("0 6 * * 8", "'8' is no weekday"),
        ("0 6 * * mo", "'mo' is no weekday"),
        ("9-5 6 * * *", "'9-5' is no minute"),
        ("*/0 6 * * *", "'*/0' is no minute"),
        ("1,,2 6 * * *", "'' is no minute"),
        ("0 6 30 2 *", "never comes"),
    ],
)
def test_what_is_no_cron_expression_says_which_part(cron: object, said: str) -> None:
    with pytest.raises(DefinitionError, match="cron") as caught:
        parse_cron(cron)
    assert said in caught.value.message
    assert caught.value.hint
