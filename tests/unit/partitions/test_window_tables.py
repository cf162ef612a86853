"""Windows in UTC, written by hand from the rules of each zone, for every definition that cuts time.

New York and Berlin change their clocks at night, Kolkata never and is half an hour off, Lord Howe shifts by half an
hour, Apia skipped 30 December 2011, and in Sao Paulo midnight itself was skipped or shown twice.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from assetflow import CronPartitions, DailyPartitions, HourlyPartitions, MonthlyPartitions, WeeklyPartitions
from assetflow.errors import InvalidPartition
from assetflow.partitions.definitions import TimePartitions
from assetflow.partitions.dictionary import KeyDictionary
from assetflow.partitions.spaces import PartitionSpace, bind

DEFINITIONS = {
    "daily": DailyPartitions,
    "hourly": HourlyPartitions,
    "weekly": WeeklyPartitions,
    "monthly": MonthlyPartitions,
}
BEGINNING = "2000-01-01"
END = "2030-01-01"

TABLE = """
America/New_York     daily           2024-03-10                   2024-03-10T05:00  2024-03-11T04:00
America/New_York     daily           2024-11-03                   2024-11-03T04:00  2024-11-04T05:00
America/New_York     hourly          2024-03-10T01:00-05:00       2024-03-10T06:00  2024-03-10T07:00
America/New_York     hourly          2024-03-10T03:00-04:00       2024-03-10T07:00  2024-03-10T08:00
America/New_York     hourly          2024-11-03T01:00-04:00       2024-11-03T05:00  2024-11-03T06:00
America/New_York     hourly          2024-11-03T01:00-05:00       2024-11-03T06:00  2024-11-03T07:00
America/New_York     weekly          2024-03-04                   2024-03-04T05:00  2024-03-11T04:00
America/New_York     weekly          2024-10-28                   2024-10-28T04:00  2024-11-04T05:00
America/New_York     monthly         2024-03                      2024-03-01T05:00  2024-04-01T04:00
America/New_York     monthly         2024-11                      2024-11-01T04:00  2024-12-01T05:00
America/New_York     30_1_*_*_*      2024-11-03T01:30-04:00       2024-11-03T05:30  2024-11-04T06:30
America/New_York     30_2_*_*_*      2024-03-10T03:00-04:00       2024-03-10T07:00  2024-03-11T06:30
America/New_York     0_*_*_*_*       2024-11-03T01:00-05:00       2024-11-03T06:00  2024-11-03T07:00
Europe/Berlin        daily           2024-03-31                   2024-03-30T23:00  2024-03-31T22:00
Europe/Berlin        daily           2024-10-27                   2024-10-26T22:00  2024-10-27T23:00
Europe/Berlin        hourly          2024-03-31T03:00+02:00       2024-03-31T01:00  2024-03-31T02:00
Europe/Berlin        hourly          2024-10-27T02:00+02:00       2024-10-27T00:00  2024-10-27T01:00
Europe/Berlin        hourly          2024-10-27T02:00+01:00       2024-10-27T01:00  2024-10-27T02:00
Europe/Berlin        weekly          2024-10-21                   2024-10-20T22:00  2024-10-27T23:00
Europe/Berlin        weekly          2020-12-28                   2020-12-27T23:00  2021-01-03T23:00
Europe/Berlin        weekly          2024-12-30                   2024-12-29T23:00  2025-01-05T23:00
Europe/Berlin        monthly         2024-02                      2024-01-31T23:00  2024-02-29T23:00
Europe/Berlin        monthly         2024-10                      2024-09-30T22:00  2024-10-31T23:00
Europe/Berlin        0_2_*_*_*       2024-10-27T02:00+02:00       2024-10-27T00:00  2024-10-28T01:00
Europe/Berlin        0_17_*_*_fri    2024-03-29T17:00+01:00       2024-03-29T16:00  2024-04-05T15:00
Asia/Kolkata         daily           2024-02-29                   2024-02-28T18:30  2024-02-29T18:30
Asia/Kolkata         hourly          2024-02-29T00:00+05:30       2024-02-28T18:30  2024-02-28T19:30
Asia/Kolkata         weekly          2024-12-30                   2024-12-29T18:30  2025-01-05T18:30
Asia/Kolkata         monthly         2024-02                      2024-01-31T18:30  2024-02-29T18:30
Asia/Kolkata         */15_*_*_*_*    2024-02-29T09:45+05:30       2024-02-29T04:15  2024-02-29T04:30
Australia/Lord_Howe  daily           2024-04-07                   2024-04-06T13:00  2024-04-07T13:30
Australia/Lord_Howe  daily           2024-10-06                   2024-10-05T13:30  2024-10-06T13:00
Australia/Lord_Howe  hourly          2024-04-07T01:00+11:00       2024-04-06T14:00  2024-04-06T15:30
Australia/Lord_Howe  hourly          2024-10-06T02:30+11:00       2024-10-05T15:30  2024-10-05T16:00
Australia/Lord_Howe  weekly          2024-04-01                   2024-03-31T13:00  2024-04-07T13:30
Australia/Lord_Howe  monthly         2024-04                      2024-03-31T13:00  2024-04-30T13:30
Australia/Lord_Howe  45_1_*_*_*      2024-04-07T01:45+11:00       2024-04-06T14:45  2024-04-07T15:15
Pacific/Apia         daily           2011-12-29                   2011-12-29T10:00  2011-12-30T10:00
Pacific/Apia         daily           2011-12-31                   2011-12-30T10:00  2011-12-31T10:00
Pacific/Apia         hourly          2011-12-29T23:00-10:00       2011-12-30T09:00  2011-12-30T10:00
Pacific/Apia         hourly          2011-12-31T00:00+14:00       2011-12-30T10:00  2011-12-30T11:00
Pacific/Apia         weekly          2011-12-26                   2011-12-26T10:00  2012-01-01T10:00
Pacific/Apia         monthly         2011-12                      2011-12-01T10:00  2011-12-31T10:00
Pacific/Apia         0_12_*_*_*      2011-12-29T12:00-10:00       2011-12-29T22:00  2011-12-30T10:00
Pacific/Apia         0_12_*_*_*      2011-12-31T00:00+14:00       2011-12-30T10:00  2011-12-30T22:00
America/Sao_Paulo    daily           2018-02-17                   2018-02-17T02:00  2018-02-18T03:00
America/Sao_Paulo    daily           2018-11-04                   2018-11-04T03:00  2018-11-05T02:00
America/Sao_Paulo    hourly          2018-02-17T23:00-02:00       2018-02-18T01:00  2018-02-18T02:00
America/Sao_Paulo    hourly          2018-02-17T23:00-03:00       2018-02-18T02:00  2018-02-18T03:00
America/Sao_Paulo    hourly          2018-11-04T01:00-02:00       2018-11-04T03:00  2018-11-04T04:00
America/Sao_Paulo    weekly          2018-02-12                   2018-02-12T02:00  2018-02-19T03:00
America/Sao_Paulo    monthly         2018-11                      2018-11-01T03:00  2018-12-01T02:00
America/Sao_Paulo    0_0_*_*_*       2018-11-04T01:00-02:00       2018-11-04T03:00  2018-11-05T02:00
UTC                  daily           2000-02-29                   2000-02-29T00:00  2000-03-01T00:00
UTC                  daily           2023-02-28                   2023-02-28T00:00  2023-03-01T00:00
UTC                  daily           2024-02-28                   2024-02-28T00:00  2024-02-29T00:00
UTC                  hourly          2024-12-31T23:00Z            2024-12-31T23:00  2025-01-01T00:00
UTC                  weekly          2020-12-28                   2020-12-28T00:00  2021-01-04T00:00
UTC                  weekly          2024-02-26                   2024-02-26T00:00  2024-03-04T00:00
UTC                  monthly         2023-02                      2023-02-01T00:00  2023-03-01T00:00
UTC                  monthly         2023-12                      2023-12-01T00:00  2024-01-01T00:00
UTC                  0_0_29_2_*      2024-02-29T00:00Z            2024-02-29T00:00  2028-02-29T00:00
"""
ROWS = [line.split() for line in TABLE.strip().splitlines()]


def space_of(zone: str, kind: str) -> PartitionSpace:
    definition: TimePartitions
    if kind in DEFINITIONS:
        definition = DEFINITIONS[kind](BEGINNING, end=END, timezone=zone)
    else:
        definition = CronPartitions(kind.replace("_", " "), BEGINNING, end=END, timezone=zone)
    return bind(definition, KeyDictionary())


@pytest.mark.parametrize("row", ROWS, ids=["-".join(row[:3]) for row in ROWS])
def test_a_window_is_the_one_of_the_table(row: list[str]) -> None:
    zone, kind, key, begin, end = row
    space = space_of(zone, kind)
    ordinal = space.ordinal(key)
    window = space.window(ordinal)
    assert window is not None
    assert [each.astimezone(UTC) for each in window] == [_utc(begin), _utc(end)]
    assert space.key(ordinal) == key
    # It exists from the moment its window ends, and its neighbours touch it.
    assert ordinal not in space.existing(_utc(begin))
    existing = space.existing(_utc(end)).array()
    assert existing[-1] == ordinal
    before = space.window(int(existing[-2]))
    assert before is not None
    assert before[1] == window[0]


@pytest.mark.parametrize("zone", list(dict.fromkeys(row[0] for row in ROWS)))
@pytest.mark.parametrize("kind", DEFINITIONS)
def test_every_zone_has_every_definition_in_the_table(zone: str, kind: str) -> None:
    assert [zone, kind] in [row[:2] for row in ROWS]
    assert any(row[0] == zone and row[1] not in DEFINITIONS for row in ROWS)


@pytest.mark.parametrize(
    ("zone", "kind", "key"),
    [
        ("America/New_York", "hourly", "2024-03-10T02:00"),
        ("Pacific/Apia", "daily", "2011-12-30"),
        ("America/Sao_Paulo", "hourly", "2018-11-04T00:00"),
        ("UTC", "daily", "2023-02-29"),
        ("UTC", "weekly", "2024-12-31"),
    ],
)
def test_what_the_clock_skips_has_no_partition(zone: str, kind: str, key: str) -> None:
    space = space_of(zone, kind)
    with pytest.raises(InvalidPartition):
        space.ordinal(key)


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
