"""Partitions of several dimensions: keys, ordinals that never move, ranges, windows, watermarks, mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from assetflow.errors import DefinitionError, InvalidPartition
from assetflow.partitions import (
    AllPartitions,
    CronPartitions,
    DailyPartitions,
    HourlyPartitions,
    Identity,
    LastN,
    MonthlyPartitions,
    MultiPartitions,
    PartitionMapping,
    StaticPartitions,
    TimeWindow,
    WeeklyPartitions,
)
from assetflow.partitions.defaults import default_mapping, mapping_problem
from assetflow.partitions.dictionary import KeyDictionary
from assetflow.partitions.sets import PartitionSet
from assetflow.partitions.spaces import PartitionSpace, bind

LATER = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = DailyPartitions("2024-01-01", "2024-01-05")
REGIONS = StaticPartitions(["north", "south", "a|b", "50%7C"])
KEYS = KeyDictionary().extended(["other", "50%7C", "south", "north", "a|b", "west"])
CELLS = MultiPartitions({"day": DAYS, "region": REGIONS})
SPACE = bind(CELLS, KEYS)


def chosen(space: PartitionSpace, *keys: str) -> PartitionSet:
    ordinals = space.ordinals(keys)
    assert (ordinals >= 0).all()
    return PartitionSet.from_ordinals(ordinals)


def test_every_combination_is_a_partition() -> None:
    existing = SPACE.existing(LATER)
    keys = SPACE.keys(SPACE.ordered(existing.array()))
    regions = ["north", "south", "a%7Cb", "50%257C"]
    assert keys == [f"2024-01-0{day}|{region}" for day in range(1, 5) for region in regions]
    assert SPACE.ordinals([str(key) for key in keys]).tolist() == SPACE.ordered(existing.array()).tolist()
    assert len(SPACE.existing(datetime(2024, 1, 3, 12, tzinfo=UTC))) == 8
    assert (SPACE.grain, SPACE.time_based, SPACE.definition) == ("multi", False, CELLS)
    assert SPACE.has(existing.array()).all()
    assert SPACE.path_component(existing.min()).startswith("2024-01-01_50_257C~")


def test_ordinals_never_move() -> None:
    ordinal = SPACE.ordinal("2024-01-02|north")
    for days, regions in (
        (DailyPartitions("2001-01-01"), REGIONS),
        (DailyPartitions("2024-01-02", "2030-01-01", end_offset=1), StaticPartitions(["west", "north", "other"])),
    ):
        other = bind(MultiPartitions({"when": days, "where": regions}), KEYS.extended(["new"]))
        assert other.ordinal("2024-01-02|north") == ordinal
    shorter = bind(MultiPartitions({"day": DAYS, "region": StaticPartitions(["south"])}), KEYS)
    assert shorter.has(np.array([ordinal, SPACE.ordinal("2024-01-02|south"), 3, 2**62])).tolist() == [
        False,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("key", "message", "hint"),
    [
        ("2024-01-02", "'2024-01-02' is no key of 2 dimensions: day: daily from", "write it as day|region, with %7C"),
        ("2024-01-02|west", "'2024-01-02|west', dimension 'region': there is no partition 'west'", None),
        ("2024-01-09|north", "'2024-01-09|north', dimension 'day': there is no partition", "the nearest is 2024-01-04"),
        ("2024-01-02|x|y", "'2024-01-02|x|y' is no key of 2 dimensions", "write it as day|region"),
    ],
)
def test_keys_that_are_none(key: str, message: str, hint: str | None) -> None:
    with pytest.raises(InvalidPartition) as caught:
        SPACE.ordinal(key)
    assert caught.value.message.startswith(message)
    assert hint is None or str(caught.value.hint).startswith(hint)
    assert SPACE.ordinals([key, "2024-01-02|south"]).tolist() == [-1, SPACE.ordinal("2024-01-02|south")]


def test_a_bar_inside_a_key_may_come_unescaped_where_one_reading_is_known() -> None:
    assert SPACE.ordinal("2024-01-02|a|b") == SPACE.ordinal("2024-01-02|a%7Cb")
    twice = StaticPartitions(["a", "a|b", "b|c", "c"])
    unclear = bind(MultiPartitions({"one": twice, "two": twice}), KEYS.extended(twice.keys))
    with pytest.raises(InvalidPartition):
        unclear.ordinal("a|b|c")
    assert unclear.key(unclear.ordinal("a|b%7Cc")) == "a|b%7Cc"


def test_ranges_are_boxes() -> None:
    box = SPACE.between("2024-01-02|north", "2024-01-03|south")
    assert box == chosen(SPACE, "2024-01-02|north", "2024-01-02|south", "2024-01-03|north", "2024-01-03|south")
    assert SPACE.ranges_of_keys(box) == [("2024-01-02|north", "2024-01-03|south")]
    assert SPACE.describe(SPACE.existing(LATER)) == ["2024-01-01|north...2024-01-04|50%25257C"]
    corner = SPACE.existing(LATER) - chosen(SPACE, "2024-01-04|50%257C")
    assert SPACE.describe(corner) == [
        "2024-01-01|north...2024-01-03|50%25257C",
        "2024-01-04|north...2024-01-04|a%257Cb",
    ]
    assert SPACE.within("2024-01|south") == chosen(SPACE, *(f"2024-01-0{day}|south" for day in range(1, 5)))
    assert SPACE.within("2024-01|west") is None
    assert SPACE.within("2024-01") is None
    with pytest.raises(InvalidPartition, match="'north' is declared before 'south'"):
        SPACE.between("2024-01-02|south", "2024-01-03|north")


def test_a_range_that_is_reversed_in_one_dimension_names_it_and_the_range_that_was_meant() -> None:
    with pytest.raises(InvalidPartition) as error:
        SPACE.between("2024-01-03|north", "2024-01-02|a%7Cb")
    assert error.value.message == "dimension 'day': '2024-01-02' is before '2024-01-03'"
    assert error.value.hint == "write 2024-01-02|north...2024-01-03|a%257Cb"
    assert SPACE.between("2024-01-03|west", "2024-01-02|north") is None


def test_windows_watermark_and_gaps_follow_the_one_dimension_of_time() -> None:
    window = SPACE.window(SPACE.ordinal("2024-01-02|north"))
    assert window is not None
    assert [each.isoformat() for each in window] == ["2024-01-02T00:00:00+00:00", "2024-01-03T00:00:00+00:00"]
    bounds = SPACE.windows(np.array([SPACE.ordinal("2024-01-02|north")]))
    assert bounds is not None
    assert bounds[1][0] - bounds[0][0] == 86_400
    existing = SPACE.existing(LATER)
    assert str(SPACE.watermark(existing, LATER)) == "2024-01-05 00:00:00+00:00"
    done = existing - chosen(SPACE, "2024-01-02|south", "2024-01-04|north")
    assert str(SPACE.watermark(done, LATER)) == "2024-01-02 00:00:00+00:00"
    assert SPACE.keys(SPACE.gaps(done, LATER).array()) == ["2024-01-02|south"]
    assert SPACE.watermark(PartitionSet.empty(), LATER) is None
    assert not SPACE.gaps(PartitionSet.empty(), LATER)
    timeless = bind(MultiPartitions({"one": REGIONS, "two": REGIONS}), KEYS)
    everything = timeless.existing(LATER)
    assert timeless.window(everything.min()) is None
    assert timeless.windows(everything.array()) is None
    assert timeless.watermark(everything, LATER) is None
    assert not timeless.gaps(everything, LATER)


@pytest.mark.parametrize(
    ("dimensions", "problem"),
    [
        ({}, "there is no dimension: write MultiPartitions("),
        (["day"], "there is no dimension: write MultiPartitions("),
        ({"day": DAYS, "": REGIONS}, "the dimension '' has no name that can be used: write one such as 'region'"),
        ({"day": DAYS, 3: REGIONS}, "the dimension 3 has no name"),
        ({"day": DAYS, "more": CELLS}, "dimension 'more' has dimensions itself: name them all in one MultiPartitions"),
        ({"day": DAYS, "region": ["a"]}, "dimension 'region' is ['a'], no partition definition: write one"),
        ({"day": DAYS, "region": StaticPartitions}, "dimension 'region' is <class"),
        ({"day": DailyPartitions("May")}, "dimension 'day': start 'May' is no time that partitions can begin at"),
        (
            {"minute": CronPartitions("* * * * *", "2024"), "a": REGIONS, "b": REGIONS},
            "the dimensions take 73 of 63 bits (month 17, week 19, static 20, dynamic 20, day 22, hour 27,",
        ),
    ],
)
def test_mistakes_say_what_to_do(dimensions: Any, problem: str) -> None:
    definition = MultiPartitions(dimensions)
    assert [text[: len(problem)] for text in definition.problems()] == [problem]
    assert definition.signature() != CELLS.signature()
    with pytest.raises(ValueError, match="dimension"):
        bind(definition, KEYS)


def test_a_key_whose_ordinal_is_too_large_is_refused() -> None:
    crowded = KeyDictionary({**KEYS.ordinals, "last": 2**20})
    with pytest.raises(DefinitionError, match="does not fit: the store has more than 1048575 keys"):
        bind(MultiPartitions({"day": DAYS, "region": StaticPartitions(["last"])}), crowded)


def test_definitions_compare_by_their_dimensions_in_order() -> None:
    same = MultiPartitions({"day": DailyPartitions("2024-01-01", "2024-01-05"), "region": REGIONS})
    turned = MultiPartitions({"region": REGIONS, "day": DAYS})
    assert same == CELLS
    assert hash(CELLS) == hash(same)
    assert turned != CELLS
    assert turned.names == ("region", "day")


def test_mappings_of_dimensions() -> None:
    later = MultiPartitions({"day": DailyPartitions("2024-01-02"), "region": REGIONS})
    assert default_mapping(CELLS, MultiPartitions(dict(CELLS.pairs))) == Identity()
    assert default_mapping(None, CELLS) == AllPartitions()
    assert default_mapping(CELLS, later) is default_mapping(CELLS, DAYS) is default_mapping(DAYS, CELLS) is None
    assert mapping_problem(AllPartitions(), DAYS, CELLS) is None
    assert mapping_problem(Identity(), CELLS, CELLS) is None
    assert "Identity needs the same partitions on both sides" in str(mapping_problem(Identity(), later, CELLS))
    assert "TimeWindow needs time partitions on both sides" in str(mapping_problem(TimeWindow(), CELLS, DAYS))
    assert "LastN needs an upstream with time partitions" in str(mapping_problem(LastN(2), None, CELLS))


class RegionOfDay(PartitionMapping):
    def upstream_keys(self, partition_keys: Sequence[str], upstream: object) -> list[list[str]]:
        return [[f"{day}|north", f"{day}|a%7Cb"] for day in partition_keys]


def test_a_mapping_of_your_own_reads_combinations_and_waits_for_those_to_come() -> None:
    down = bind(DailyPartitions("2024-01-01", "2024-01-05", end_offset=1), KEYS)
    day = PartitionSet.from_ordinals(down.ordinals(["2024-01-02"]))
    morning, evening = datetime(2024, 1, 2, 9, tzinfo=UTC), datetime(2024, 1, 3, tzinfo=UTC)
    asked = chosen(SPACE, "2024-01-02|north", "2024-01-02|a%7Cb")
    assert RegionOfDay().upstream(day, down, SPACE, SPACE.existing(evening)) == asked
    assert RegionOfDay().expected(down, day.array(), SPACE, evening).tolist() == [True]
    assert RegionOfDay().expected(down, day.array(), SPACE, morning).tolist() == [False]
    assert RegionOfDay().awaited(day, down, SPACE, morning) == asked
    assert mapping_problem(RegionOfDay(), DAYS, CELLS) is None


@pytest.mark.parametrize(
    "time",
    [
        HourlyPartitions("2013-11-03", "2013-11-04", timezone="America/New_York"),
        WeeklyPartitions("2013-01-01", "2013-03-01"),
        MonthlyPartitions("2013-01", "2014-01"),
        CronPartitions("0 */6 * * *", "2013-03-09", "2013-03-12", timezone="America/New_York"),
    ],
)
def test_every_kind_of_time_can_be_a_dimension(time: Any) -> None:
    lone, both = bind(time, KEYS), bind(MultiPartitions({"region": REGIONS, "time": time}), KEYS)
    times = lone.keys(lone.existing(LATER).array())
    ordinals = both.ordered(both.existing(LATER).array())
    assert both.keys(ordinals)[: len(times)] == [f"north|{key}" for key in times]
    assert both.window(int(ordinals[0])) == lone.window(lone.existing(LATER).min())
    assert both.ranges_of_keys(both.existing(LATER)) == [(f"north|{times[0]}", f"50%257C|{times[-1]}")]


def test_millions_of_combinations() -> None:
    one, two = ([f"{letter}{number}" for number in range(count)] for letter, count in (("a", 200), ("b", 50)))
    keys = KeyDictionary().extended([*one, *two])
    cube = MultiPartitions(
        {"day": DailyPartitions("2023-01-01", "2024-01-01"), "a": StaticPartitions(one), "b": StaticPartitions(two)}
    )
    space = bind(cube, keys)
    existing = space.existing(LATER)
    assert len(existing) == 365 * 200 * 50
    assert space.ranges_of_keys(existing) == [("2023-01-01|a0|b0", "2023-12-31|a199|b49")]
