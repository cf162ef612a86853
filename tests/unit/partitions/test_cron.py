"""Cron partitions: what an expression means, its ticks around the calendar's odd places, keys, exclusions, mistakes."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pytest

from assetflow.errors import InvalidPartition
from assetflow.partitions import CronPartitions, DailyPartitions, HourlyPartitions, Identity, TimeWindow
from assetflow.partitions.cron_expressions import parse_cron
from assetflow.partitions.defaults import default_mapping, mapping_problem
from assetflow.partitions.dictionary import KeyDictionary
from assetflow.partitions.sets import PartitionSet
from assetflow.partitions.spaces import PartitionSpace, bind

LATER = datetime(2026, 1, 1, tzinfo=UTC)
NEW_YORK = "America/New_York"


def space_of(definition: CronPartitions | DailyPartitions | HourlyPartitions) -> PartitionSpace:
    assert definition.problems() == []
    return bind(definition, KeyDictionary())


def ticks(cron: str, start: str, end: str, zone: str = "UTC") -> list[str | None]:
    space = space_of(CronPartitions(cron, start, end, timezone=zone))
    return space.keys(space.existing(LATER).array())


@pytest.mark.parametrize(
    ("text", "minutes", "days", "months", "weekdays"),
    [
        ("5 1 * * *", (65,), 31, 12, (0, 1, 2, 3, 4, 5, 6)),
        ("*/20 1,3 * * *", (60, 80, 100, 180, 200, 220), 31, 12, (0, 1, 2, 3, 4, 5, 6)),
        ("50/5 23 1-7/2 JAN-MAR Mon,wed-FRI", (1430, 1435), 4, 3, (1, 3, 4, 5)),
        ("0 0 1 */6 7", (0,), 1, 2, (0,)),
        ("@weekly", (0,), 31, 12, (0,)),
        (" @yearly ", (0,), 1, 1, (0, 1, 2, 3, 4, 5, 6)),
    ],
)
def test_what_an_expression_means(
    text: str, minutes: tuple[int, ...], days: int, months: int, weekdays: tuple[int, ...]
) -> None:
    read = parse_cron(text)
    assert (read.minutes, len(read.days), len(read.months), read.weekdays) == (minutes, days, months, weekdays)


@pytest.mark.parametrize(
    ("cron", "problem"),
    [
        ("* * * *", "it has 4 fields: write minute hour day-of-month month day-of-week"),
        ("0 0 0 * * *", "it has 6 fields: write minute hour day-of-month month day-of-week"),
        ("60 * * * *", "minute '60' is not from 0 to 59"),
        ("0 0 * * funday", "day of week 'funday' is not from 0 to 7, or sun to sat"),
        ("0 0 L * *", "day of month 'L' is not from 1 to 31"),
        (
            "0 0 * * mon#1",
            "day of week 'mon#1' is not understood: write *, a value, a-b, */n, or a list of these",
        ),
        ("0 17-9 * * *", "hour '17-9' ends before it begins: write 17-23,0-9"),
        ("*/0 * * * *", "minute '*/0' has the step 0: write a whole number from 1 on"),
        ("0 0 30 2 *", "it never ticks: none of its months has such a day"),
        ("@dayly", "there is no '@dayly': did you mean @daily"),
        ("@noon", "there is no '@noon': write one of @hourly, @daily,"),
        (None, "it is no text: write five fields such as '0 6 * * mon-fri'"),
    ],
)
def test_an_expression_that_is_none(cron: str, problem: str) -> None:
    definition = CronPartitions(cron, "2013-01-01")
    assert len(definition.problems()) == 1
    assert definition.problems()[0].startswith(f"cron {cron!r}: {problem}")
    assert definition.signature() == definition.signature() != CronPartitions("0 0 * * *", "2013-01-01").signature()
    with pytest.raises(ValueError, match="cron "):
        bind(definition, KeyDictionary())


@pytest.mark.parametrize(
    ("definition", "problem"),
    [
        (CronPartitions("0 5 * * *", "May"), "start 'May' is no time that partitions can begin at: write it like"),
        (CronPartitions("0 5 * * *", "2013", "2012"), "end 2012 is not after start 2013: end is exclusive;"),
        (
            CronPartitions("0 5 * * *", "2013-01-01T06:00", "2013-01-02T07:00"),
            "no whole window lies between 2013-01-01T06:00 and 2013-01-02T07:00: widen the bounds",
        ),
        (
            CronPartitions("0 5 * * *", "2013", timezone="Europe/Berln"),
            "timezone 'Europe/Berln' is unknown: did you mean Europe/Berlin",
        ),
        (CronPartitions("0 5 * * *", "2013", end_offset=True), "end_offset True is no whole number:"),
        (CronPartitions("0 5 * * *", "2013", exclude="2013"), "exclude is '2013', not a list:"),
        (CronPartitions("0 5 * * *", "2013", exclude=["xmas"]), "exclude 'xmas' is no time, or none at which"),
        (
            CronPartitions("0 5 * * *", "2013", exclude=["2013-01-01T06:00"]),
            "exclude '2013-01-01T06:00' is no time, or none at which '0 5 * * *' ticks in UTC: write a date such as",
        ),
    ],
)
def test_mistakes_say_what_to_do(definition: CronPartitions, problem: str) -> None:
    assert [text.startswith(problem) for text in definition.problems()] == [True], definition.problems()


# Fixed times tick once for each, whatever the clocks do.
@pytest.mark.parametrize(
    ("cron", "zone", "start", "end", "keys"),
    [
        (
            "30 2 * * *",
            NEW_YORK,
            "2013-03-09",
            "2013-03-12T02:30",
            ["09T02:30-05:00", "10T03:00-04:00", "11T02:30-04:00"],
        ),
        ("30 1 * * *", NEW_YORK, "2013-11-02", "2013-11-05", ["02T01:30-04:00", "03T01:30-04:00"]),
        ("30 2 * * *", "Europe/Berlin", "2013-03-31", "2013-04-01T03:00", ["31T03:00+02:00"]),
        ("30 2 * * *", "Europe/Berlin", "2013-10-27", "2013-10-28T02:30", ["27T02:30+02:00"]),
        ("15 0 * * *", "Asia/Kolkata", "2013-03-31", "2013-04-01T00:15", ["31T00:15+05:30"]),
        ("15 2 * * *", "Australia/Lord_Howe", "2013-10-06", "2013-10-07T02:15", ["06T02:30+11:00"]),
        ("45 1 * * *", "Australia/Lord_Howe", "2013-04-07", "2013-04-08T01:45", ["07T01:45+11:00"]),
        ("0 0 * * *", "Pacific/Apia", "2011-12-29", "2012-01-01", ["29T00:00-10:00", "31T00:00+14:00"]),
        ("0 12 * * *", "Pacific/Apia", "2011-12-29", "2012-01-01", ["29T12:00-10:00", "31T00:00+14:00"]),
        ("0 0 * * *", "America/Sao_Paulo", "2013-10-20", "2013-10-21", ["20T01:00-02:00"]),
        ("30 23 * * *", "America/Sao_Paulo", "2013-02-16", "2013-02-17T23:30", ["16T23:30-02:00"]),
        ("0 6 29 2 *", "UTC", "2012-01-01", "2016-02-29T06:00", ["29T06:00Z"]),
    ],
)
def test_fixed_times_when_clocks_change(cron: str, zone: str, start: str, end: str, keys: list[str]) -> None:
    assert [str(key)[8:] for key in ticks(cron, start, end, zone)] == keys


# What ticks through the hours follows the clock: 02:00 is never shown, 01:00 twice.
@pytest.mark.parametrize(
    ("cron", "zone", "start", "end", "hours"),
    [
        (
            "0 * * * *",
            NEW_YORK,
            "2013-03-10",
            "2013-03-10T05:00",
            ["00:00-05:00", "01:00-05:00", "03:00-04:00", "04:00-04:00"],
        ),
        ("0 */2 * * *", NEW_YORK, "2013-03-10", "2013-03-10T06:00", ["00:00-05:00", "04:00-04:00"]),
        ("0 * * * *", NEW_YORK, "2013-11-03", "2013-11-03T02:00", ["00:00-04:00", "01:00-04:00", "01:00-05:00"]),
        (
            "*/30 1 * * *",
            NEW_YORK,
            "2013-11-03",
            "2013-11-04T01:00",
            ["01:00-04:00", "01:30-04:00", "01:00-05:00", "01:30-05:00"],
        ),
        ("0 * * * *", "Australia/Lord_Howe", "2013-10-06T01:00", "2013-10-06T04:00", ["01:00+10:30", "03:00+11:00"]),
        ("45 * * * *", "Australia/Lord_Howe", "2013-04-07T01:00", "2013-04-07T02:45", ["01:45+11:00", "01:45+10:30"]),
        ("0 */12 * * *", "Pacific/Apia", "2011-12-29T12:00", "2011-12-31T12:00", ["12:00-10:00", "00:00+14:00"]),
        ("0 */12 * * *", "America/Sao_Paulo", "2013-10-19T12:00", "2013-10-21", ["12:00-03:00", "12:00-02:00"]),
    ],
)
def test_floating_times_when_clocks_change(cron: str, zone: str, start: str, end: str, hours: list[str]) -> None:
    assert [str(key)[11:] for key in ticks(cron, start, end, zone)] == hours


def test_a_day_is_enough_where_both_days_are_restricted() -> None:
    assert ticks("0 0 13 * fri", "2013-09-10", "2013-09-28") == [
        "2013-09-13T00:00Z",
        "2013-09-20T00:00Z",
    ]
    assert ticks("0 0 13 * fri", "2013-10-10", "2013-10-19") == ["2013-10-11T00:00Z", "2013-10-13T00:00Z"]


def test_leap_days_over_a_century_without_one() -> None:
    assert ticks("0 0 29 2 *", "1890", "1909") == [f"{year}-02-29T00:00Z" for year in (1892, 1896, 1904)]


def test_ordinals_are_utc_minutes_and_never_move() -> None:
    minute = (date(2013, 1, 1).toordinal() - 1) * 24 * 60
    for definition in (
        CronPartitions("0 0 * * *", "2013-01-01"),
        CronPartitions("0 0 * * *", "2001-01-01", end="2014", exclude=["2012"]),
        CronPartitions("* * * * *", "2012-06-01"),
        CronPartitions("0 1 * * *", "2012-06-01", timezone="Europe/Berlin"),
    ):
        space = space_of(definition)
        assert space.ordinal("2013-01-01T00:00Z" if definition.timezone == "UTC" else "2013-01-01T01:00") == minute


def test_excluded_ticks_do_not_happen_and_the_window_before_runs_on() -> None:
    closed = ["2024-12-25", date(2024, 12, 26), "2024-12-30T18:00"]
    space = space_of(CronPartitions("0 18 * * mon-fri", "2024-12-23", "2025-01-01", exclude=closed))
    keys = space.keys(space.existing(LATER).array())
    assert [str(key)[:10] for key in keys] == ["2024-12-23", "2024-12-24", "2024-12-27"]
    window = space.window(space.ordinal("2024-12-24T18:00"))
    assert window is not None
    assert window[1].isoformat() == "2024-12-27T18:00:00+00:00"
    excluded = space_of(CronPartitions("0 18 * * mon-fri", "2024-12-23")).ordinals(["2024-12-25T18:00Z"])
    assert space.has(excluded).tolist() == [False]
    with pytest.raises(InvalidPartition, match="no window begins at '2024-12-25T18:00Z' in UTC") as error:
        space.ordinal("2024-12-25T18:00Z")
    assert error.value.hint == "the nearest is 2024-12-24T18:00Z"
    assert space.within("2024-12-25") is None


def test_a_window_exists_once_the_next_tick_has_come() -> None:
    space = space_of(CronPartitions("0 6 * * mon-fri", "2024-01-01", timezone="Europe/Berlin"))
    friday = space.ordinal("2024-01-05T06:00")
    assert friday not in space.existing(datetime(2024, 1, 8, 4, 59, tzinfo=UTC))
    assert friday in space.existing(datetime(2024, 1, 8, 5, tzinfo=UTC))
    ahead = space_of(CronPartitions("0 6 * * mon-fri", "2024-01-01", timezone="Europe/Berlin", end_offset=1))
    assert friday in ahead.existing(datetime(2024, 1, 5, 5, tzinfo=UTC))


def test_keys_ranges_and_coarser_times() -> None:
    space = space_of(CronPartitions("30 6,18 * * *", "2013-01-01", "2014-01-01", timezone=NEW_YORK))
    march = space.within("2013-03")
    assert march is not None
    assert len(march) == 62
    assert space.describe(march) == ["2013-03-01T06:30-05:00...2013-03-31T18:30-04:00"]
    pair = space.between("2013-03-10", "2013-03-11T06:30")
    assert pair is not None
    assert space.keys(pair.array()) == ["2013-03-10T06:30-04:00", "2013-03-10T18:30-04:00", "2013-03-11T06:30-04:00"]
    assert len(space.existing(LATER)) == 729
    assert space.within("2015") is None
    with pytest.raises(InvalidPartition, match="'2013-03-10' is no key of one window"):
        space.ordinal("2013-03-10")
    with pytest.raises(InvalidPartition, match="'2013-01' is before '2013-02'"):
        space.between("2013-02", "2013-01")
    assert space.path_component(space.ordinal("2013-03-10T06:30")).startswith("2013-03-10T06_30-04_00~")


def test_a_time_that_occurs_twice_needs_its_offset() -> None:
    space = space_of(CronPartitions("*/30 * * * *", "2013-01-01", timezone=NEW_YORK))
    with pytest.raises(InvalidPartition, match="the time '2013-11-03T01:30' occurs twice in America/New_York") as error:
        space.ordinal("2013-11-03T01:30")
    assert error.value.hint == "write 2013-11-03T01:30-04:00 or 2013-11-03T01:30-05:00"


def test_gaps_and_watermark() -> None:
    space = space_of(CronPartitions("0 18 * * mon-fri", "2024-01-01", "2024-01-09"))
    existing = space.existing(LATER).array()
    done = PartitionSet.from_ordinals(existing[[0, 1, 3]])
    watermark = space.watermark(done, LATER)
    assert watermark is not None
    assert watermark.isoformat() == "2024-01-03T18:00:00+00:00"
    assert space.keys(space.gaps(done, LATER).array()) == ["2024-01-03T18:00Z"]


def test_mappings_between_cron_and_other_windows() -> None:
    shifts = CronPartitions("0 6,18 * * *", "2013-01-01", timezone=NEW_YORK)
    days = DailyPartitions("2013-01-01", timezone=NEW_YORK)
    other = CronPartitions("0 6,18 * * *", "2013-02-01", timezone=NEW_YORK, exclude=["2013-02-05"])
    assert default_mapping(shifts, CronPartitions("0  6,18 * * *", "2013", timezone=NEW_YORK)) == Identity()
    assert (
        default_mapping(shifts, days) == default_mapping(days, shifts) == default_mapping(shifts, other) == TimeWindow()
    )
    assert mapping_problem(Identity(), shifts, CronPartitions("0 6,18 * * *", "2012", timezone=NEW_YORK)) is None
    assert "Identity needs the same ticks on both sides" in str(mapping_problem(Identity(), shifts, other))
    assert "Identity needs the same grain" in str(mapping_problem(Identity(), shifts, days))
    assert "start_offset must not be the larger one" in str(mapping_problem(TimeWindow(1, 0), shifts, shifts))
    up, down = space_of(shifts), space_of(days)
    existing = up.existing(LATER)
    day = PartitionSet.from_ordinals([down.ordinal("2013-03-10")])
    read = TimeWindow().upstream(day, down, up, existing)
    assert [str(key)[5:16] for key in up.keys(read.array())] == ["03-09T18:00", "03-10T06:00", "03-10T18:00"]
    shifted = TimeWindow(-1, -1).upstream(day, down, up, existing)
    assert [str(key)[5:16] for key in up.keys(shifted.array())] == ["03-09T06:00", "03-09T18:00", "03-10T06:00"]
    evening = datetime(2013, 3, 11, 12, tzinfo=UTC)
    assert not TimeWindow().expected(down, day.array(), up, datetime(2013, 3, 11, 9, tzinfo=UTC))[0]
    assert TimeWindow().expected(down, day.array(), up, evening)[0]


def test_a_year_of_minutes_to_hours() -> None:
    minutes = space_of(CronPartitions("* * * * *", "2013-01-01", "2014-01-01", timezone=NEW_YORK))
    hours = space_of(HourlyPartitions("2013-01-01", "2014-01-01", timezone=NEW_YORK))
    existing = minutes.existing(LATER).array()
    assert existing.size == 525_600
    spans = TimeWindow().spans(hours, hours.existing(LATER).array(), minutes, existing)
    assert np.unique(spans.hi - spans.lo).tolist() == [60]
    assert (minutes.ordinals(["2013-11-03T01:59", "2013-03-10T02:00", "2013-01-01T00:00"]) < 0).tolist() == [
        True,
        True,
        False,
    ]
