"""Windows that begin later than the hour, day, week or month that they are named after."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from assetflow.errors import InvalidPartition
from assetflow.partitions import (
    DailyPartitions,
    HourlyPartitions,
    Identity,
    MonthlyPartitions,
    TimeWindow,
    WeeklyPartitions,
)
from assetflow.partitions.defaults import default_mapping, mapping_problem
from assetflow.partitions.definitions import TimePartitions
from assetflow.partitions.dictionary import KeyDictionary
from assetflow.partitions.sets import PartitionSet
from assetflow.partitions.spaces import bind
from assetflow.partitions.time_space import TimeSpace


def space_of(definition: TimePartitions) -> TimeSpace:
    space = bind(definition, KeyDictionary())
    assert isinstance(space, TimeSpace)
    return space


def daily(zone: str, hour: int, minute: int = 0) -> DailyPartitions:
    return DailyPartitions("2010-01-01", timezone=zone, hour_offset=hour, minute_offset=minute)


def hourly(zone: str, minute: int) -> HourlyPartitions:
    return HourlyPartitions("2010-01-01", timezone=zone, minute_offset=minute)


@pytest.mark.parametrize(
    ("definition", "key", "begin", "end"),
    [
        (daily("UTC", 6), "2024-02-28", "2024-02-28T06:00:00+00:00", "2024-02-29T06:00:00+00:00"),
        (daily("UTC", 6), "2024-02-29", "2024-02-29T06:00:00+00:00", "2024-03-01T06:00:00+00:00"),
        (hourly("UTC", 15), "2024-01-01T05:00Z", "2024-01-01T05:15:00+00:00", "2024-01-01T06:15:00+00:00"),
        # The clock skips 02:30, and the day begins at the jump.
        (daily("America/New_York", 2, 30), "2013-03-09", "2013-03-09T02:30:00-05:00", "2013-03-10T03:00:00-04:00"),
        (daily("America/New_York", 2, 30), "2013-03-10", "2013-03-10T03:00:00-04:00", "2013-03-11T02:30:00-04:00"),
        # It shows 01:30 twice, and the day begins the first time.
        (daily("America/New_York", 1, 30), "2013-11-02", "2013-11-02T01:30:00-04:00", "2013-11-03T01:30:00-04:00"),
        (daily("America/New_York", 1, 30), "2013-11-03", "2013-11-03T01:30:00-04:00", "2013-11-04T01:30:00-05:00"),
        (
            hourly("America/New_York", 45),
            "2013-11-03T01:00-04:00",
            "2013-11-03T01:45:00-04:00",
            "2013-11-03T01:45:00-05:00",
        ),
        (
            hourly("America/New_York", 45),
            "2013-11-03T01:00-05:00",
            "2013-11-03T01:45:00-05:00",
            "2013-11-03T02:45:00-05:00",
        ),
        (daily("Europe/Berlin", 2, 30), "2013-03-31", "2013-03-31T03:00:00+02:00", "2013-04-01T02:30:00+02:00"),
        (daily("Europe/Berlin", 2, 30), "2013-10-27", "2013-10-27T02:30:00+02:00", "2013-10-28T02:30:00+01:00"),
        (daily("Asia/Kolkata", 6), "2024-01-01", "2024-01-01T06:00:00+05:30", "2024-01-02T06:00:00+05:30"),
        (
            hourly("Asia/Kolkata", 15),
            "2024-01-01T05:00+05:30",
            "2024-01-01T05:15:00+05:30",
            "2024-01-01T06:15:00+05:30",
        ),
        # Half an hour is skipped, 02:00 to 02:30.
        (daily("Australia/Lord_Howe", 2, 15), "2024-10-05", "2024-10-05T02:15:00+10:30", "2024-10-06T02:30:00+11:00"),
        (daily("Australia/Lord_Howe", 2, 15), "2024-10-06", "2024-10-06T02:30:00+11:00", "2024-10-07T02:15:00+11:00"),
        # Half an hour comes again, 01:30 to 02:00.
        (daily("Australia/Lord_Howe", 1, 45), "2024-04-07", "2024-04-07T01:45:00+11:00", "2024-04-08T01:45:00+10:30"),
        (
            hourly("Australia/Lord_Howe", 15),
            "2024-04-07T01:00+11:00",
            "2024-04-07T01:15:00+11:00",
            "2024-04-07T02:15:00+10:30",
        ),
        # 30 December 2011 did not happen.
        (daily("Pacific/Apia", 6), "2011-12-29", "2011-12-29T06:00:00-10:00", "2011-12-31T06:00:00+14:00"),
        (daily("Pacific/Apia", 6), "2011-12-31", "2011-12-31T06:00:00+14:00", "2012-01-01T06:00:00+14:00"),
        # Clocks change at midnight: forward past 00:30, and back to 23:00.
        (daily("America/Sao_Paulo", 0, 30), "2018-11-04", "2018-11-04T01:00:00-02:00", "2018-11-05T00:30:00-02:00"),
        (daily("America/Sao_Paulo", 23, 30), "2018-02-17", "2018-02-17T23:30:00-02:00", "2018-02-18T23:30:00-03:00"),
        (
            WeeklyPartitions("2019-12-30", timezone="Europe/Berlin", hour_offset=4),
            "2019-12-30",
            "2019-12-30T04:00:00+01:00",
            "2020-01-06T04:00:00+01:00",
        ),
        (
            MonthlyPartitions("2024-01", day_offset=24, hour_offset=6),
            "2024-02",
            "2024-02-25T06:00:00+00:00",
            "2024-03-25T06:00:00+00:00",
        ),
        (
            MonthlyPartitions("2013-01", timezone="America/New_York", day_offset=9, minute_offset=5),
            "2013-02",
            "2013-02-10T00:05:00-05:00",
            "2013-03-10T00:05:00-05:00",
        ),
    ],
)
def test_windows_begin_and_end_later_on_the_local_clock(
    definition: TimePartitions, key: str, begin: str, end: str
) -> None:
    assert definition.problems() == []
    space = space_of(definition)
    ordinal = space.ordinal(key)
    window = space.window(ordinal)
    assert window is not None
    assert tuple(each.isoformat() for each in window) == (begin, end)
    bounds = [int(datetime.fromisoformat(text).timestamp()) for text in (begin, end)]
    assert space.containing(np.array([bounds[0], bounds[1] - 1])).tolist() == [ordinal, ordinal]
    assert space.containing(np.array(bounds) - 1)[0] < ordinal < space.containing(np.array(bounds))[1]
    assert space.key(ordinal) == key
    end_of_it = datetime.fromisoformat(end)
    assert ordinal in space.existing(end_of_it)
    assert ordinal not in space.existing(datetime.fromtimestamp(bounds[1] - 1, UTC))


@pytest.mark.parametrize("end_offset", [-2, -1, 0, 1, 2])
def test_end_offset_counts_windows_as_they_lie(end_offset: int) -> None:
    days = DailyPartitions(
        "2013-03-08", timezone="America/New_York", end_offset=end_offset, hour_offset=2, minute_offset=30
    )
    space = space_of(days)
    before, after = (datetime.fromisoformat(f"2013-03-10T0{hour}-04:00") for hour in ("2:59:59", "3:00:00"))
    assert len(space.existing(before)) == max(0, 1 + end_offset)
    assert len(space.existing(after)) == 2 + end_offset


def test_keys_ordinals_ranges_and_bounds_are_those_of_what_windows_are_named_after() -> None:
    plain, later = (
        space_of(DailyPartitions("2024-01-01", "2024-03-01")),
        space_of(DailyPartitions("2024-01-01", "2024-03-01", hour_offset=18, minute_offset=30)),
    )
    assert plain.existing(datetime(2025, 1, 1, tzinfo=UTC)) == later.existing(datetime(2025, 1, 1, tzinfo=UTC))
    assert later.within("2024-02") == plain.within("2024-02")
    assert later.between("2024-01-31", "2024-02") == plain.between("2024-01-31", "2024-02")
    assert later.path_component(later.ordinal("2024-01-05")) == "2024-01-05"
    with pytest.raises(InvalidPartition) as caught:
        later.ordinal("2023-12-31")
    assert caught.value.hint == "the nearest is 2024-01-01"
    hours = space_of(HourlyPartitions("2024-01-01T05:00", minute_offset=20))
    assert hours.key(hours.bounds.first) == "2024-01-01T05:00Z"
    with pytest.raises(InvalidPartition) as caught:
        hours.ordinal("2024-01-01T05:20Z")
    assert (caught.value.message, caught.value.hint) == (
        "no hour begins at '2024-01-01T05:20Z' in UTC",
        "the nearest is 2024-01-01T05:00Z",
    )
    apia = space_of(daily("Pacific/Apia", 6))
    with pytest.raises(InvalidPartition):
        apia.ordinal("2011-12-30")


def read(mapping: TimeWindow, down: TimePartitions, up: TimePartitions, key: str) -> list[str]:
    ours, theirs = space_of(down), space_of(up)
    one = PartitionSet.from_ordinals([ours.ordinal(key)])
    return theirs.describe(mapping.upstream(one, ours, theirs, theirs.existing(datetime(2025, 1, 1, tzinfo=UTC))))


def test_what_overlaps_is_read_whatever_the_offsets() -> None:
    midnight, six, hours = DailyPartitions("2024-01-01"), daily("UTC", 6), HourlyPartitions("2024-01-01")
    assert read(TimeWindow(), six, midnight, "2024-01-05") == ["2024-01-05...2024-01-06"]
    assert read(TimeWindow(), midnight, six, "2024-01-05") == ["2024-01-04...2024-01-05"]
    assert read(TimeWindow(), six, hours, "2024-01-05") == ["2024-01-05T06:00Z...2024-01-06T05:00Z"]
    assert read(TimeWindow(), six, hourly("UTC", 30), "2024-01-05") == ["2024-01-05T05:00Z...2024-01-06T05:00Z"]
    assert read(TimeWindow(), MonthlyPartitions("2024-01", day_offset=14), midnight, "2024-02") == [
        "2024-02-15...2024-03-14"
    ]
    assert read(TimeWindow(-1, -1), six, six, "2024-01-05") == ["2024-01-04"]


def test_only_the_same_offset_is_the_same_partition() -> None:
    six = daily("UTC", 6)
    assert default_mapping(six, DailyPartitions("2010-01-01", hour_offset=6)) == Identity()
    assert default_mapping(six, DailyPartitions("2010-01-01")) == TimeWindow()
    assert mapping_problem(Identity(), six, DailyPartitions("2013-01-01", hour_offset=6)) is None
    assert mapping_problem(Identity(), six, daily("UTC", 5, 60)) is not None
    assert "Identity needs the same grain" in str(mapping_problem(Identity(), six, DailyPartitions("2010-01-01")))
    assert six.signature() != DailyPartitions("2010-01-01").signature()


@pytest.mark.parametrize(
    ("definition", "text"),
    [
        (daily("UTC", 6, 5), "daily (06:05) from 2010-01-01, UTC"),
        (hourly("UTC", 5), "hourly (minute 5) from 2010-01-01, UTC"),
        (WeeklyPartitions("2024-01-01", hour_offset=1), "weekly (monday, 01:00) from 2024-01-01, UTC"),
        (MonthlyPartitions("2024-01", day_offset=4), "monthly (day 5) from 2024-01, UTC"),
        (MonthlyPartitions("2024-01", day_offset=4, hour_offset=9), "monthly (day 5, 09:00) from 2024-01, UTC"),
    ],
)
def test_describe(definition: TimePartitions, text: str) -> None:
    assert definition.describe() == text


@pytest.mark.parametrize(
    ("definition", "problem"),
    [
        (daily("UTC", 24), "hour_offset 24 is not from 0 to 23"),
        (daily("UTC", -1), "hour_offset -1 is not from 0 to 23"),
        (hourly("UTC", 60), "minute_offset 60 is not from 0 to 59"),
        (MonthlyPartitions("2024-01", day_offset=28), "day_offset 28 is not from 0 to 27"),
        (WeeklyPartitions("2024-01-01", hour_offset="6"), "hour_offset '6' is not from 0 to 23"),  # type: ignore[arg-type]
        (daily("UTC", True), "hour_offset True is not from 0 to 23"),
    ],
)
def test_each_mistake_says_what_to_do(definition: TimePartitions, problem: str) -> None:
    assert definition.problems() == [f"{problem}: windows begin that much later than what they are named after"]
    assert definition.describe()
    assert definition.signature() == definition.signature()
