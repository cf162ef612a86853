from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from assetflow.errors import InvalidPartition
from assetflow.partitions import DailyPartitions, HourlyPartitions, MonthlyPartitions, WeeklyPartitions
from assetflow.partitions.definitions import TimePartitions
from assetflow.partitions.dictionary import KeyDictionary
from assetflow.partitions.sets import PartitionSet
from assetflow.partitions.spaces import PartitionSpace, bind

NEW_YORK = "America/New_York"
LATER = datetime(2026, 1, 1, tzinfo=UTC)


def space_of(definition: TimePartitions) -> PartitionSpace:
    return bind(definition, KeyDictionary())


DAYS = space_of(DailyPartitions("2013-01-01", end="2014-01-01", timezone=NEW_YORK))
HOURS = space_of(HourlyPartitions("2013-01-01", end="2014-01-01", timezone=NEW_YORK))
MONTHS = space_of(MonthlyPartitions("2013-01", timezone=NEW_YORK))
WEEKS = space_of(WeeklyPartitions("2013-01-01", end="2013-03-01"))
SAMOA = space_of(DailyPartitions("2011-12-28", end="2012-01-03", timezone="Pacific/Apia"))


def keys_of(space: PartitionSpace, partitions: PartitionSet | None) -> list[str | None]:
    assert partitions is not None
    return space.keys(partitions.array())


def refused(space: PartitionSpace, key: str) -> tuple[str, str | None]:
    with pytest.raises(InvalidPartition) as error:
        space.ordinal(key)
    assert space.ordinals([key]).tolist() == [-1]
    return error.value.message, error.value.hint


def test_a_year_of_hours_days_and_months() -> None:
    assert len(HOURS.existing(LATER)) == 8760
    assert len(DAYS.existing(LATER)) == 365
    assert keys_of(MONTHS, MONTHS.existing(datetime(2013, 4, 1, 5, tzinfo=UTC))) == ["2013-01", "2013-02", "2013-03"]
    assert keys_of(WEEKS, WEEKS.existing(LATER))[::6] == ["2013-01-07", "2013-02-18"]
    assert (DAYS.grain, DAYS.time_based) == ("day", True)


def test_a_partition_exists_from_the_second_its_window_ends() -> None:
    end = datetime(2013, 1, 2, 5, tzinfo=UTC)
    assert keys_of(DAYS, DAYS.existing(end)) == ["2013-01-01"]
    assert not DAYS.existing(datetime(2013, 1, 2, 4, 59, 59, 999_999, tzinfo=UTC))
    assert not DAYS.existing(datetime(1999, 1, 1, tzinfo=UTC))
    with pytest.raises(ValueError, match="no time zone"):
        DAYS.existing(datetime(2013, 1, 2))


@pytest.mark.parametrize(
    ("offset", "last"), [(0, "2013-01-09"), (1, "2013-01-10"), (3, "2013-01-12"), (-2, "2013-01-07")]
)
def test_end_offset_moves_the_last_partition(offset: int, last: str) -> None:
    space = space_of(DailyPartitions("2013-01-01", end_offset=offset))
    assert space.key(space.existing(datetime(2013, 1, 10, 12, tzinfo=UTC)).max()) == last


def test_end_offset_stays_within_the_bounds() -> None:
    space = space_of(DailyPartitions("2013-01-01", end="2013-01-11", end_offset=5))
    assert space.key(space.existing(datetime(2013, 1, 10, 12, tzinfo=UTC)).max()) == "2013-01-10"


def test_a_day_that_the_zone_skipped_does_not_exist() -> None:
    keys = ["2011-12-28", "2011-12-29", "2011-12-31", "2012-01-01", "2012-01-02"]
    assert keys_of(SAMOA, SAMOA.existing(LATER)) == keys
    assert SAMOA.describe(SAMOA.existing(LATER)) == ["2011-12-28...2012-01-02"]
    assert refused(SAMOA, "2011-12-30") == (
        "no day begins at '2011-12-30' in Pacific/Apia",
        "the nearest is 2011-12-31",
    )
    assert SAMOA.within("2011-12-30") is None
    assert SAMOA.between("2011-12-30", "2012-01-01") is None
    assert keys_of(SAMOA, SAMOA.within("2011-12")) == keys[:3]


def test_end_offset_does_not_count_a_day_that_the_zone_skipped() -> None:
    space = space_of(DailyPartitions("2011-12-28", timezone="Pacific/Apia", end_offset=-1))
    now = datetime(2012, 1, 1, 12, tzinfo=ZoneInfo("Pacific/Apia"))
    assert keys_of(space, space.existing(now)) == ["2011-12-28", "2011-12-29"]


def test_hour_keys_round_trip_and_the_repeated_hour_is_two() -> None:
    ordinals = HOURS.existing(LATER).array()
    keys = [key for key in HOURS.keys(ordinals) if key is not None]
    assert len(set(keys)) == 8760
    assert (HOURS.ordinals(keys) == ordinals).all()
    assert HOURS.ordinal("2013-11-03T01:00-05:00") == HOURS.ordinal("2013-11-03T01:00-04:00") + 1


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("2013-01-31T05:00-05:00", "2013-01-31T05:00-05:00"),
        ("2013-01-31T05:00", "2013-01-31T05:00-05:00"),
        ("2013-01-31T05", "2013-01-31T05:00-05:00"),
        ("2013-01-31T05:00:00", "2013-01-31T05:00-05:00"),
        ("2013-01-31T10:00Z", "2013-01-31T05:00-05:00"),
        ("2013-11-03T02:00", "2013-11-03T02:00-05:00"),
        ("2013-11-03T00:00", "2013-11-03T00:00-04:00"),
    ],
)
def test_an_hour_can_be_written_in_several_ways(text: str, key: str) -> None:
    assert HOURS.key(HOURS.ordinal(text)) == key
    assert HOURS.keys(HOURS.ordinals([text])) == [key]


def test_an_hour_that_occurs_twice_needs_its_offset() -> None:
    assert refused(HOURS, "2013-11-03T01:00") == (
        "the hour '2013-11-03T01:00' occurs twice in America/New_York",
        "write 2013-11-03T01:00-04:00 or 2013-11-03T01:00-05:00",
    )
    for ask in (lambda: HOURS.within("2013-11-03T01:00"), lambda: HOURS.between("2013-11-03T01:00", "2013-12")):
        with pytest.raises(InvalidPartition, match="occurs twice"):
            ask()


def test_a_time_that_is_shown_twice_without_beginning_an_hour_twice_is_plain() -> None:
    # At 02:00 the clock goes back to 01:30: 01:30 occurs twice, the hour 01:00 begins once.
    space = space_of(HourlyPartitions("2013-04-01", timezone="Australia/Lord_Howe"))
    assert space.key(space.ordinal("2013-04-07T01:00")) == "2013-04-07T01:00+11:00"
    assert space.key(space.ordinal("2013-10-06T02:30")) == "2013-10-06T02:30+11:00"


@pytest.mark.parametrize(
    ("space", "key", "message", "hint"),
    [
        (
            DAYS,
            "2012-12-31",
            "there is no partition '2012-12-31': partitions run from 2013-01-01 to 2013-12-31",
            "the nearest is 2013-01-01",
        ),
        (
            DAYS,
            "2014-05-05",
            "there is no partition '2014-05-05': partitions run from 2013-01-01 to 2013-12-31",
            "the nearest is 2013-12-31",
        ),
        (
            DAYS,
            "2013-01",
            "'2013-01' is no key of one day: partitions run from 2013-01-01 to 2013-12-31",
            "write it like 2013-01-01",
        ),
        (
            MONTHS,
            "2013-01-31",
            "'2013-01-31' is no key of one month: partitions begin with 2013-01",
            "write it like 2013-01",
        ),
        (MONTHS, "2012-12", "there is no partition '2012-12': partitions begin with 2013-01", "the nearest is 2013-01"),
        (WEEKS, "2013-01-08", "'2013-01-08' is a tuesday: weeks begin on monday", "its week is 2013-01-07"),
        (
            HOURS,
            "2013-03-10T02:00",
            "no hour begins at '2013-03-10T02:00' in America/New_York",
            "the nearest is 2013-03-10T03:00-04:00",
        ),
        (
            HOURS,
            "2013-05-05T05:30-04:00",
            "no hour begins at '2013-05-05T05:30-04:00' in America/New_York",
            "the nearest is 2013-05-05T05:00-04:00",
        ),
        (
            SAMOA,
            "x" * 20,
            "'xxxxxxxxxxxxxxxxxxxx' is no key of one day: partitions run from 2011-12-28 to 2012-01-02",
            "write it like 2011-12-28",
        ),
    ],
)
def test_a_key_that_is_no_partition_says_which_are(space: PartitionSpace, key: str, message: str, hint: str) -> None:
    assert refused(space, key) == (message, hint)


def test_the_last_key_in_a_message_exists() -> None:
    space = space_of(DailyPartitions("2011-12-01", end="2011-12-31", timezone="Pacific/Apia"))
    assert "to 2011-12-29" in refused(space, "2013-01-01")[0]


def test_a_key_need_not_exist_yet() -> None:
    assert MONTHS.key(MONTHS.ordinal("2099-12")) == "2099-12"


@pytest.mark.parametrize(
    ("space", "key", "count"),
    [
        (HOURS, "2013-03-10", 23),
        (HOURS, "2013-11-03", 25),
        (HOURS, "2013-11-03T01:00-05:00", 1),
        (HOURS, "2013-03", 743),
        (HOURS, "2013", 8760),
        (DAYS, "2013-02", 28),
        (DAYS, "2013-02-28", 1),
        (DAYS, "2013", 365),
        (MONTHS, "2014", 12),
        (MONTHS, "2014-01", 1),
        (WEEKS, "2013-01", 3),
        (WEEKS, "2013-02", 3),
        (WEEKS, "2013-01-07", 1),
    ],
)
def test_a_coarser_key_gives_the_windows_inside(space: PartitionSpace, key: str, count: int) -> None:
    within = space.within(key)
    assert within is not None
    assert len(within) == count


@pytest.mark.parametrize(
    ("space", "key"),
    [
        (DAYS, "2012"),
        (DAYS, "2014-01-01"),
        (DAYS, "2013-01-01T05:00"),
        (DAYS, "north"),
        (DAYS, "2013-13"),
        (MONTHS, "2013-01-01"),
        (WEEKS, "2013-01-08"),
        (HOURS, "2013-03-10T02:00"),
    ],
)
def test_a_key_without_windows_here_gives_none(space: PartitionSpace, key: str) -> None:
    assert space.within(key) is None


def test_ranges_run_from_the_first_window_to_the_last() -> None:
    assert DAYS.describe(DAYS.between("2013-01", "2013-03") or PartitionSet.empty()) == ["2013-01-01...2013-03-31"]
    assert DAYS.describe(DAYS.between("2012-12-30", "2013-01-02") or PartitionSet.empty()) == [
        "2013-01-01...2013-01-02"
    ]
    assert keys_of(MONTHS, MONTHS.between("2013-11", "2014")) == ["2013-11", "2013-12"] + [
        f"2014-{month:02d}" for month in range(1, 13)
    ]
    assert keys_of(WEEKS, WEEKS.between("2013-01", "2013-02")) == keys_of(WEEKS, WEEKS.existing(LATER))
    assert DAYS.between("2013-01-05", "2013-01-05") == DAYS.within("2013-01-05")
    assert DAYS.between("2013-01-31", "2013-01") == DAYS.within("2013-01-31")
    assert DAYS.between("2013-01-01", "north") is None


def test_a_reversed_range_is_refused() -> None:
    with pytest.raises(InvalidPartition, match="'2013-01' is before '2013-02-01'") as error:
        DAYS.between("2013-02-01", "2013-01")
    assert error.value.hint == "write 2013-01...2013-02-01"


def test_windows_are_aware_and_half_open() -> None:
    zone = ZoneInfo(NEW_YORK)
    begin, end = DAYS.window(DAYS.ordinal("2013-11-03")) or (LATER, LATER)
    assert (begin, end) == (datetime(2013, 11, 3, tzinfo=zone), datetime(2013, 11, 4, tzinfo=zone))
    assert begin.tzinfo == zone
    assert end.timestamp() - begin.timestamp() == 25 * 3600
    twice = HOURS.window(HOURS.ordinal("2013-11-03T01:00-05:00")) or (LATER, LATER)
    assert (twice[0].fold, twice[0].isoformat()) == (1, "2013-11-03T01:00:00-05:00")
    starts, ends = DAYS.windows(DAYS.ordinals(["2013-03-10", "2013-03-11"])) or ((), ())
    assert (np.asarray(ends) - np.asarray(starts)).tolist() == [23 * 3600, 24 * 3600]


def test_the_watermark_is_the_end_of_the_unbroken_prefix() -> None:
    now = datetime(2013, 1, 11, tzinfo=ZoneInfo(NEW_YORK))
    existing = DAYS.existing(now)
    fifth = PartitionSet.from_ordinals([DAYS.ordinal("2013-01-05")])
    assert DAYS.watermark(existing, now) == now
    assert DAYS.watermark(existing - fifth, now) == datetime(2013, 1, 5, tzinfo=ZoneInfo(NEW_YORK))
    assert DAYS.watermark(existing - PartitionSet.from_ordinals([existing.min()]), now) is None
    assert DAYS.watermark(PartitionSet.empty(), now) is None
    assert DAYS.watermark(existing, datetime(2012, 1, 1, tzinfo=UTC)) is None
    assert SAMOA.watermark(SAMOA.existing(LATER), LATER) == datetime(2012, 1, 3, tzinfo=ZoneInfo("Pacific/Apia"))


def test_gaps_lie_before_something_done() -> None:
    now = datetime(2013, 1, 11, tzinfo=ZoneInfo(NEW_YORK))
    done = PartitionSet.from_ordinals(DAYS.ordinals(["2013-01-02", "2013-01-03", "2013-01-06"]))
    assert keys_of(DAYS, DAYS.gaps(done, now)) == ["2013-01-01", "2013-01-04", "2013-01-05"]
    assert not DAYS.gaps(PartitionSet.empty(), now)


def test_runs_are_described_with_a_limit() -> None:
    some = PartitionSet.from_ordinals(DAYS.ordinals(["2013-01-01", "2013-01-02", "2013-01-04", "2013-01-06"]))
    assert DAYS.ranges_of_keys(some) == [
        ("2013-01-01", "2013-01-02"),
        ("2013-01-04", "2013-01-04"),
        ("2013-01-06", "2013-01-06"),
    ]
    assert DAYS.describe(some, limit=1) == ["2013-01-01...2013-01-02", "and 2 more ranges"]
    assert DAYS.describe(PartitionSet.empty()) == []


def test_order_is_by_time() -> None:
    assert DAYS.ordered(np.array([3, 1, 2])).tolist() == [1, 2, 3]


def test_folders_are_named_by_the_key() -> None:
    assert DAYS.path_component(DAYS.ordinal("2013-01-31")) == "2013-01-31"
    names = {HOURS.path_component(HOURS.ordinal(f"2013-11-03T01:00-0{offset}:00")) for offset in (4, 5)}
    assert len(names) == 2
    assert all("~" in name and ":" not in name for name in names)


def test_moving_the_start_disturbs_no_ordinal() -> None:
    earlier = space_of(DailyPartitions("2012-12-31", end="2014-01-01", timezone=NEW_YORK))
    added = earlier.existing(LATER) - DAYS.existing(LATER)
    assert keys_of(earlier, added) == ["2012-12-31"]
    assert DAYS.existing(LATER).issubset(earlier.existing(LATER))


def test_a_definition_with_problems_cannot_be_bound() -> None:
    with pytest.raises(ValueError, match="is not where a month begins"):
        space_of(MonthlyPartitions("2013-01-15"))
