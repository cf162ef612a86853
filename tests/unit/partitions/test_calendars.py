"""Windows around the calendar's odd places, as tables. Lengths are in hours."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pytest

from assetflow.partitions.calendars import Calendar, TimeGrain
from assetflow.partitions.dates import parse_time


def ordinal_of(calendar: Calendar, text: str) -> int:
    written = parse_time(text)
    assert written is not None
    return int(calendar.at_local(np.array([written.begin]))[0])


def hours_of(zone: str, day: str) -> tuple[list[str], list[float]]:
    days, hours = Calendar("day", zone), Calendar("hour", zone)
    ordinal = ordinal_of(days, day)
    first, stop = hours.at(days.starts(np.array([ordinal, ordinal + 1]))).tolist()
    ordinals = np.arange(first, stop)
    lengths = (hours.starts(ordinals + 1) - hours.starts(ordinals)) / 3600
    return [key[11:] for key in hours.keys(ordinals)], lengths.tolist()


@pytest.mark.parametrize(
    ("zone", "day", "length"),
    [
        ("America/New_York", "2013-03-09", 24),
        ("America/New_York", "2013-03-10", 23),
        ("America/New_York", "2013-11-03", 25),
        ("Europe/Berlin", "2013-03-31", 23),
        ("Europe/Berlin", "2013-10-27", 25),
        ("Asia/Kolkata", "2013-03-31", 24),
        ("Australia/Lord_Howe", "2013-10-06", 23.5),
        ("Australia/Lord_Howe", "2013-04-07", 24.5),
        ("America/Sao_Paulo", "2013-10-20", 23),
        ("America/Sao_Paulo", "2013-02-16", 25),
        ("America/Havana", "2013-11-03", 25),
        ("America/St_Johns", "2005-10-30", 25),
        ("Pacific/Apia", "2011-12-29", 24),
        ("Pacific/Apia", "2011-12-30", 0),
        ("Pacific/Apia", "2011-12-31", 24),
        ("UTC", "2012-02-29", 24),
        ("America/New_York", "1883-11-18", 24 + 238 / 3600),
    ],
)
def test_length_of_days(zone: str, day: str, length: float) -> None:
    days = Calendar("day", zone)
    ordinal = np.array([ordinal_of(days, day)])
    assert days.keys(ordinal) == [day]
    assert ((days.starts(ordinal + 1) - days.starts(ordinal)) / 3600).tolist() == [length]
    assert days.is_hole(ordinal).tolist() == [length == 0]


def test_new_york_s_repeated_hour_has_two_keys() -> None:
    keys, lengths = hours_of("America/New_York", "2013-11-03")
    assert keys[:4] == ["00:00-04:00", "01:00-04:00", "01:00-05:00", "02:00-05:00"]
    assert lengths == [1] * 25


def test_new_york_s_skipped_hour_has_none() -> None:
    keys, lengths = hours_of("America/New_York", "2013-03-10")
    assert keys[:3] == ["00:00-05:00", "01:00-05:00", "03:00-04:00"]
    assert lengths == [1] * 23


def test_lord_howe_shifts_by_half_an_hour() -> None:
    keys, lengths = hours_of("Australia/Lord_Howe", "2013-10-06")
    assert keys[:4] == ["00:00+10:30", "01:00+10:30", "02:30+11:00", "03:00+11:00"]
    assert lengths == [1, 1, 0.5] + [1] * 21
    keys, lengths = hours_of("Australia/Lord_Howe", "2013-04-07")
    assert keys[:3] == ["00:00+11:00", "01:00+11:00", "02:00+10:30"]
    assert lengths == [1, 1.5] + [1] * 22


def test_sao_paulo_s_day_starts_at_one_o_clock() -> None:
    keys, lengths = hours_of("America/Sao_Paulo", "2013-10-20")
    assert keys[0] == "01:00-02:00"
    assert lengths == [1] * 23


def test_st_johns_hour_that_would_last_a_minute_is_part_of_the_one_before() -> None:
    keys, lengths = hours_of("America/St_Johns", "2005-04-03")
    assert keys[:3] == ["00:00-03:30", "02:00-02:30", "03:00-02:30"]
    assert lengths == [1] * 23


def test_a_time_shown_again_after_midnight_belongs_to_the_new_day() -> None:
    # At 00:01 on 30 October the clock goes back to 23:01 on the 29th.
    days = Calendar("day", "America/St_Johns")
    change = int(datetime(2005, 10, 30, 2, 31, tzinfo=UTC).timestamp())
    moments = np.array([change - 61, change - 60, change, change + 3500, change + 3600])
    assert [key[8:] for key in days.keys(days.at(moments))] == ["29", "30", "30", "30", "30"]


def test_half_hour_zones_have_whole_local_hours() -> None:
    keys, lengths = hours_of("Asia/Kolkata", "2013-01-01")
    assert keys == [f"{hour:02d}:00+05:30" for hour in range(24)]
    assert lengths == [1] * 24


def test_utc_hours_end_in_z() -> None:
    assert hours_of("UTC", "2013-01-01")[0][5] == "05:00Z"
    assert hours_of("Etc/UTC", "2013-01-01")[0][5] == "05:00Z"
    assert hours_of("Europe/London", "2013-01-01")[0][5] == "05:00+00:00"


def test_offsets_of_local_mean_time_are_written_in_full() -> None:
    hours = Calendar("hour", "America/New_York")
    first = hours.at(np.array([-2_717_650_800 - 3600]))
    assert hours.keys(np.array([first[0], first[0] + 1])) == ["1883-11-18T11:00-04:56:02", "1883-11-18T12:00-04:56:02"]


def test_days_and_months_count_as_documented() -> None:
    days, months, hours = Calendar("day", "UTC"), Calendar("month", "UTC"), Calendar("hour", "UTC")
    assert ordinal_of(days, "2013-01-31") == date(2013, 1, 31).toordinal()
    assert ordinal_of(months, "2013-03") == 2013 * 12 + 2
    assert int(hours.at(np.array([7199]))[0]) == (date(1970, 1, 1).toordinal() - 1) * 24 + 1


@pytest.mark.parametrize(
    ("week_start", "day", "key"),
    [
        ("monday", "2012-12-31", "2012-12-31"),
        ("monday", "2013-01-06", "2012-12-31"),
        ("monday", "2013-01-07", "2013-01-07"),
        ("sunday", "2013-01-05", "2012-12-30"),
        ("sunday", "2013-01-06", "2013-01-06"),
        ("wednesday", "2012-02-29", "2012-02-29"),
        ("wednesday", "2012-02-28", "2012-02-22"),
    ],
)
def test_weeks_run_across_years(week_start: str, day: str, key: str) -> None:
    weeks = Calendar("week", "UTC", week_start)
    ordinal = ordinal_of(weeks, day)
    assert weeks.keys(np.array([ordinal])) == [key]
    assert weeks.starts(np.array([ordinal, ordinal + 1])).tolist() == [
        parse.begin for text in (key, weeks.keys(np.array([ordinal + 1]))[0]) if (parse := parse_time(text))
    ]


def test_months_have_28_to_31_days() -> None:
    months = Calendar("month", "Europe/Berlin")
    year = np.arange(ordinal_of(months, "2012-01"), ordinal_of(months, "2013-02") + 1)
    lengths = np.round(np.diff(months.starts(year)) / 86400).astype(int).tolist()
    assert lengths == [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 31]
    assert months.keys(year)[:2] == ["2012-01", "2012-02"]


@pytest.mark.parametrize("grain", ["day", "hour"])
def test_shifting_steps_over_days_that_do_not_exist(grain: TimeGrain) -> None:
    calendar = Calendar(grain, "Pacific/Apia")
    ordinals = np.arange(*calendar.at(np.array([1_325_000_000, 1_325_400_000])).tolist())
    real = ordinals[~calendar.is_hole(ordinals)]
    assert calendar.holes(int(ordinals[0]), int(ordinals[-1])).size == (grain == "day")
    assert calendar.shift(real[:-2], 2).tolist() == real[2:].tolist()
    assert calendar.shift(real[1:], -1).tolist() == real[:-1].tolist()
    assert calendar.shift(real, 0).tolist() == real.tolist()
