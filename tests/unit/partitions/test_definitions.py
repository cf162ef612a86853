from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from assetflow.partitions import (
    DailyPartitions,
    HourlyPartitions,
    MonthlyPartitions,
    StaticPartitions,
    WeeklyPartitions,
)
from assetflow.partitions.definitions import TimePartitions


@pytest.mark.parametrize(
    "definition",
    [
        DailyPartitions("2013-01-01"),
        DailyPartitions("2013-01", end="2014"),
        DailyPartitions(date(2013, 1, 1), end=datetime(2013, 1, 2)),
        DailyPartitions("2013-01-01T00:00", timezone="America/New_York", end_offset=-2),
        DailyPartitions("2013-10-20", timezone="America/Sao_Paulo"),
        DailyPartitions(datetime(2013, 1, 1, 5, tzinfo=UTC), timezone="America/New_York"),
        HourlyPartitions("2013-01-01T05:00"),
        HourlyPartitions("2013-01-01T05", timezone="Asia/Kolkata"),
        HourlyPartitions("2013-11-03T01:00-05:00", timezone="America/New_York"),
        WeeklyPartitions("2013-01-07"),
        WeeklyPartitions("2013-01-01", end="2013-02-01", week_start="sunday"),
        MonthlyPartitions("2013-01"),
        MonthlyPartitions("2013-01-01", end="2013-12"),
        StaticPartitions(["a"]),
        StaticPartitions(("../../etc/passwd", "x" * 500, "🙂", "a|b", "'; drop table t; --", ' "quoted"')),
    ],
)
def test_good_definitions_have_no_problems(definition: TimePartitions | StaticPartitions) -> None:
    assert definition.problems() == []


@pytest.mark.parametrize(
    ("definition", "problem"),
    [
        (
            DailyPartitions("2013-01-01", end="2012-12-31"),
            "end 2012-12-31 is not after start 2013-01-01: end is exclusive; give a later one, or None for an open end",
        ),
        (
            DailyPartitions("2013-01-01", end=date(2013, 1, 1)),
            "end 2013-01-01 is not after start 2013-01-01: end is exclusive; give a later one, or None for an open end",
        ),
        (
            DailyPartitions("2013-01-01", timezone="Nowhere at all"),
            "timezone 'Nowhere at all' is unknown: write a name such as Europe/Berlin",
        ),
        (
            DailyPartitions("first of May"),
            "start 'first of May' is no time that partitions can begin at: write it like '2013-01-01'",
        ),
        (
            DailyPartitions("2013-02-30"),
            "start '2013-02-30' is no time that partitions can begin at: write it like '2013-01-01'",
        ),
        (
            MonthlyPartitions("2013-01", end="0001-01"),
            "end '0001-01' is no time that partitions can begin at: write it like '2013-01'",
        ),
        (
            DailyPartitions("2013-01-01T05:00"),
            "start 2013-01-01T05:00 is not where a day begins: write 2013-01-01 or 2013-01-02",
        ),
        (
            HourlyPartitions(datetime(2013, 1, 1, 5, 30), timezone="Europe/Berlin"),
            (
                "start 2013-01-01T05:30:00 is not where an hour begins: "
                "write 2013-01-01T05:00+01:00 or 2013-01-01T06:00+01:00"
            ),
        ),
        (
            MonthlyPartitions("2013-01-15"),
            "start 2013-01-15 is not where a month begins: write 2013-01 or 2013-02",
        ),
        (
            MonthlyPartitions("2013-01", end="2013-03-02"),
            "end 2013-03-02 is not where a month begins: write 2013-03 or 2013-04",
        ),
        (
            WeeklyPartitions("2013-01-01", end="2013-01-13"),
            "no whole week (they begin on monday) lies between 2013-01-01 and 2013-01-13: widen the bounds",
        ),
        (
            WeeklyPartitions("2013-01-07", week_start="Mon"),
            (
                "week_start 'Mon' is no weekday: "
                "write one of monday, tuesday, wednesday, thursday, friday, saturday, sunday"
            ),
        ),
        (StaticPartitions([]), "keys is empty: list at least one key"),
        (StaticPartitions(["a", "b"], exclude=["b", "a"]), "every key is excluded: leave one"),
        (StaticPartitions(["north", "a"], exclude=["nroth"]), "exclude 'nroth' is no key: did you mean north?"),
        (StaticPartitions(["a", "b"], exclude=["b", 5]), "exclude 5 is no key: leave it out"),  # type: ignore[list-item]
        (StaticPartitions(["a", "b"], exclude="a"), "exclude is 'a', not a list of texts: write exclude=['...']"),
        (StaticPartitions(["a", ""]), "a key is empty: give it a name"),
        (StaticPartitions(["a", "b", "a"]), "the key 'a' is listed twice: keep one"),
        (StaticPartitions("abc"), "keys is 'abc', not a list of texts: write StaticPartitions([...])"),
        (
            StaticPartitions(["\ud800"]),
            "the key '\\ud800' is no valid Unicode text: write it without lone surrogates",
        ),
    ],
)
def test_each_mistake_says_what_to_do(definition: TimePartitions | StaticPartitions, problem: str) -> None:
    assert definition.problems() == [problem]
    assert definition.describe()
    assert definition.signature() == definition.signature()


@pytest.mark.parametrize(
    "timezone", ["America/NewYork", "america/new_york", "America/New_York ", "../New_York", "America"]
)
def test_an_unknown_time_zone_gets_the_nearest_names(timezone: str) -> None:
    (problem,) = DailyPartitions("2013-01-01", timezone=timezone).problems()
    assert problem.startswith(f"timezone {timezone!r} is unknown: did you mean ")
    assert "America/" in problem


def test_values_of_the_wrong_type_are_problems_not_exceptions() -> None:
    wrong = DailyPartitions(20130101, end=["2014"], timezone=None, end_offset="1")  # type: ignore[arg-type]
    assert len(wrong.problems()) == 4
    assert "end_offset '1' is no whole number: write how many windows more or fewer exist" in wrong.problems()
    assert DailyPartitions("2013-01-01", end_offset=True).problems()
    assert StaticPartitions([1, 2]).problems() == [  # type: ignore[list-item]
        "the key 1 is no text: write '1'",
        "the key 2 is no text: write '2'",
    ]
    assert StaticPartitions(5).problems()  # type: ignore[arg-type]


def test_all_mistakes_of_a_definition_are_found_together() -> None:
    assert len(WeeklyPartitions("?", end="!", timezone="X/Y", week_start="z").problems()) == 4


def test_signatures_compare_what_is_meant() -> None:
    assert DailyPartitions("2013-01-01").signature() == DailyPartitions(date(2013, 1, 1)).signature()
    assert DailyPartitions("2013").signature() == DailyPartitions("2013-01-01T00:00").signature()
    assert WeeklyPartitions("2013-01-01").signature() == WeeklyPartitions("2013-01-07").signature()
    different = [
        DailyPartitions("2013-01-01"),
        DailyPartitions("2013-01-02"),
        DailyPartitions("2013-01-01", end="2014"),
        DailyPartitions("2013-01-01", timezone="Europe/Berlin"),
        DailyPartitions("2013-01-01", end_offset=1),
        HourlyPartitions("2013-01-01"),
        WeeklyPartitions("2013-01-01"),
        WeeklyPartitions("2013-01-01", week_start="sunday"),
        MonthlyPartitions("2013-01-01"),
        StaticPartitions(["a", "b"]),
        StaticPartitions(["b", "a"]),
        StaticPartitions(["a,b"]),
    ]
    assert len({definition.signature() for definition in different}) == len(different)


def test_excluded_keys_are_no_partitions() -> None:
    days = StaticPartitions(["24", "25", "26", "27"], exclude=(key for key in ("25", "26")))
    assert days.keys == ("24", "27")
    assert days.problems() == []
    assert days == StaticPartitions(["24", "27"])
    assert (hash(days), days.signature()) == (hash(StaticPartitions(["24", "27"])), ("static", "24", "27"))


def test_an_aware_bound_means_its_instant_even_where_the_clock_repeats() -> None:
    zone = ZoneInfo("America/New_York")
    earlier, later = (
        HourlyPartitions(datetime(2013, 11, 3, 1, tzinfo=zone, fold=fold), timezone="America/New_York").signature()
        for fold in (0, 1)
    )
    assert earlier != later


@pytest.mark.parametrize(
    ("definition", "text"),
    [
        (DailyPartitions("2013-01-01", timezone="America/New_York"), "daily from 2013-01-01, America/New_York"),
        (HourlyPartitions("2013", end="2014", end_offset=1), "hourly from 2013 until 2014, UTC, end_offset 1"),
        (WeeklyPartitions(date(2013, 1, 7)), "weekly (monday) from 2013-01-07, UTC"),
        (MonthlyPartitions("2013-01"), "monthly from 2013-01, UTC"),
        (StaticPartitions(["only"]), "1 key: only"),
        (StaticPartitions(["a", "b", "c"], exclude=["b"]), "2 keys: a, c, without 1 exclusion"),
        (StaticPartitions(key for key in "abcd"), "4 keys: a, b, c, ..."),  # type: ignore[arg-type]
    ],
)
def test_describe(definition: TimePartitions | StaticPartitions, text: str) -> None:
    assert definition.describe() == text
