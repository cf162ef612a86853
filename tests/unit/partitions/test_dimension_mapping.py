from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from assetflow.partitions import (
    AllPartitions,
    DailyPartitions,
    DimensionMapping,
    Identity,
    LastN,
    MonthlyPartitions,
    MultiPartitions,
    StaticMapping,
    StaticPartitions,
    TimeWindow,
)
from assetflow.partitions.defaults import backward_problem, joinable_dimensions, mapping_problem, settled_mapping
from assetflow.partitions.definitions import PartitionsDefinition
from assetflow.partitions.dictionary import KeyDictionary
from assetflow.partitions.sets import PartitionSet
from assetflow.partitions.spaces import bind

DAYS = DailyPartitions("2024-01-01", "2024-03-01")
MONTHS = MonthlyPartitions("2024-01", "2024-03")
REGIONS = StaticPartitions(["north", "south", "west"])
COUNTRIES = StaticPartitions(["no", "it"])
CELLS = MultiPartitions({"day": DAYS, "region": REGIONS})
MONTHLY_CELLS = MultiPartitions({"region": REGIONS, "month": MONTHS})
KEYS = KeyDictionary().extended([*COUNTRIES.keys, *REGIONS.keys])
LATER = datetime(2025, 1, 1, tzinfo=UTC)


def read(mapping: DimensionMapping, key: str, down: PartitionsDefinition, up: PartitionsDefinition) -> list[str]:
    """What one partition reads, as ranges."""
    assert mapping_problem(mapping, down, up) is None
    ours, theirs = bind(down, KEYS), bind(up, KEYS)
    one = PartitionSet.from_ordinals([ours.ordinal(key)])
    found = settled_mapping(mapping, down, up).upstream(one, ours, theirs, theirs.existing(LATER))
    return theirs.describe(found)


@pytest.mark.parametrize(
    ("mapping", "key", "down", "up", "expected"),
    [
        (
            {"region": "region", "month": "day"},
            "south|2024-02",
            MONTHLY_CELLS,
            CELLS,
            "2024-02-01|south...2024-02-29|south",
        ),
        ({"day": "month", "region": "region"}, "2024-01-31|west", CELLS, MONTHLY_CELLS, "west|2024-01"),
        ({"day": "day"}, "2024-01-31|west", CELLS, CELLS, "2024-01-31|north...2024-01-31|west"),
        (
            {"day": ("day", LastN(2)), "region": "region"},
            "2024-02-01|west",
            CELLS,
            CELLS,
            "2024-01-31|west...2024-02-01|west",
        ),
        ({None: "day"}, "2024-01-31", DAYS, CELLS, "2024-01-31|north...2024-01-31|west"),
        ({None: "region"}, "west", REGIONS, CELLS, "2024-01-01|west...2024-02-29|west"),
        ({"day": None}, "2024-01-31|west", CELLS, DAYS, "2024-01-31"),
        (
            {"region": ("region", AllPartitions()), "month": "month"},
            "west|2024-01",
            MONTHLY_CELLS,
            MONTHLY_CELLS,
            "north|2024-01...west|2024-01",
        ),
    ],
)
def test_what_is_read(
    mapping: Any, key: str, down: PartitionsDefinition, up: PartitionsDefinition, expected: str
) -> None:
    assert read(DimensionMapping(mapping), key, down, up) == [expected]


def test_a_table_of_keys_may_join_two_dimensions() -> None:
    where = StaticMapping({"north": ["no"], "south": ["it"], "west": ["it"]})
    down = MultiPartitions({"country": COUNTRIES, "day": DAYS})
    mapping = DimensionMapping({"country": ("region", where), "day": ("day", TimeWindow(-1, 0))})
    assert read(mapping, "it|2024-02-01", down, CELLS) == ["2024-01-31|south...2024-02-01|west"]
    assert read(mapping, "no|2024-01-01", down, CELLS) == ["2024-01-01|north"]


def test_a_combination_waits_for_those_that_will_exist_and_only_where_it_asks_for_any() -> None:
    down = MultiPartitions({"country": COUNTRIES, "month": MonthlyPartitions("2024-01", end_offset=1)})
    up = MultiPartitions({"day": DailyPartitions("2024-01-30"), "region": REGIONS})
    table = StaticMapping({"north": ["no"]})
    mapping = settled_mapping(DimensionMapping({"country": ("region", table), "month": "day"}), down, up)
    ours, theirs = bind(down, KEYS), bind(up, KEYS)
    rows = ours.ordinals(["no|2024-01", "it|2024-01"])
    noon = datetime(2024, 1, 31, 12, tzinfo=UTC)
    assert mapping.expected(ours, rows, theirs, noon).tolist() == [False, True]
    awaited = mapping.awaited(PartitionSet.from_ordinals(rows), ours, theirs, noon)
    assert theirs.describe(awaited) == ["2024-01-31|north"]
    assert mapping.asking(ours, rows, theirs).tolist() == [True, False]
    assert mapping.nonexistent(ours, rows, theirs).tolist() == [True, True]
    assert mapping.expected(ours, rows, theirs, datetime(2024, 2, 1, tzinfo=UTC)).all()


def test_bounds_that_differ_join_key_by_key() -> None:
    later = MultiPartitions({"day": DailyPartitions("2024-01-15"), "region": REGIONS})
    mapping = settled_mapping(DimensionMapping({"day": "day", "region": "region"}), CELLS, later)
    assert isinstance(mapping, DimensionMapping)
    assert mapping.pairs == (("day", "day", Identity()), ("region", "region", Identity()))
    assert mapping == DimensionMapping({"day": ("day", Identity()), "region": ("region", Identity())})
    assert len({mapping, settled_mapping(mapping, CELLS, later)}) == 1


@pytest.mark.parametrize(
    ("mapping", "down", "up", "problem"),
    [
        ({"day": "day"}, CELLS, None, "DimensionMapping needs an upstream with partitions: leave the mapping out"),
        (
            {"day": "day"},
            None,
            CELLS,
            "DimensionMapping needs partitions to map, but the asset has none: use AllPartitions()",
        ),
        (
            "day",
            DAYS,
            CELLS,
            "DimensionMapping('day'): write {dimension of the asset: dimension of its upstream}",
        ),
        (
            {None: None},
            DAYS,
            MONTHS,
            (
                "DimensionMapping needs dimensions on one side at least: the asset has daily from 2024-01-01 until "
                "2024-03-01, UTC, its upstream monthly from 2024-01 until 2024-03, UTC"
            ),
        ),
        ({}, CELLS, CELLS, "DimensionMapping joins no dimensions: use AllPartitions()"),
        (
            {"dya": "day"},
            CELLS,
            CELLS,
            "DimensionMapping: the asset has no dimension 'dya': did you mean day?",
        ),
        (
            {"day": "time"},
            CELLS,
            CELLS,
            "DimensionMapping: the upstream has no dimension 'time': it has day, region",
        ),
        (
            {"day": ["day"]},
            CELLS,
            CELLS,
            "DimensionMapping: the upstream has no dimension ['day']: did you mean day?",
        ),
        (
            {"day": "day"},
            DAYS,
            CELLS,
            "DimensionMapping: the asset has no dimensions, and so none called 'day': write None",
        ),
        (
            {"day": "day"},
            CELLS,
            DAYS,
            "DimensionMapping: the upstream has no dimensions, and so none called 'day': write None",
        ),
        (
            {"day": "day", "region": ("day", AllPartitions())},
            CELLS,
            CELLS,
            "DimensionMapping joins dimension 'day' of the upstream twice: join it once",
        ),
        (
            {"region": "day"},
            CELLS,
            CELLS,
            (
                "DimensionMapping, dimension 'region' and dimension 'day' of the upstream: no mapping follows: "
                "the asset has 3 keys: north, south, west, its upstream daily from 2024-01-01 until 2024-03-01, "
                "UTC; state one, as in {'here': ('there', StaticMapping(...))}"
            ),
        ),
        (
            {None: ("day", TimeWindow())},
            REGIONS,
            CELLS,
            (
                "DimensionMapping, the partitions and dimension 'day' of the upstream: TimeWindow needs "
                "time partitions on both sides: the asset has 3 keys: north, south, west, its upstream daily "
                "from 2024-01-01 until 2024-03-01, UTC"
            ),
        ),
        (
            {"day": ("day", DimensionMapping({"day": "day"}))},
            CELLS,
            CELLS,
            (
                "DimensionMapping, dimension 'day' and dimension 'day' of the upstream: "
                "DimensionMapping(dimensions={'day': 'day'}) is no mapping between two dimensions: write one such as "
                "TimeWindow()"
            ),
        ),
        (
            {"day": ("day", LastN(0))},
            CELLS,
            CELLS,
            (
                "DimensionMapping, dimension 'day' and dimension 'day' of the upstream: LastN(0): n counts partitions; "
                "write a whole number from 1 on"
            ),
        ),
    ],
)
def test_mistakes_say_what_to_do(mapping: Any, down: Any, up: Any, problem: str) -> None:
    assert mapping_problem(DimensionMapping(mapping), down, up) == problem


def test_what_could_be_joined_is_proposed() -> None:
    wider = MultiPartitions({"region": REGIONS, "product": COUNTRIES, "day": DAYS})
    assert joinable_dimensions(CELLS, wider) == {"day": "day", "region": "region"}
    assert joinable_dimensions(wider, CELLS) == {"region": "region", "day": "day"}
    assert joinable_dimensions(MONTHS, wider) == {None: "day"}
    assert joinable_dimensions(wider, REGIONS) == {"region": None}
    assert joinable_dimensions(MONTHS, MultiPartitions({"region": REGIONS})) == {}
    assert joinable_dimensions(DAYS, MONTHS) == joinable_dimensions(None, CELLS) == {}


def test_an_asset_reads_itself_backward_along_one_dimension() -> None:
    yesterday = TimeWindow(-1, -1)
    cells = MultiPartitions({"day": DAYS, "region": REGIONS})

    def sound(dimensions: dict[str, object]) -> bool:
        return backward_problem(DimensionMapping(dimensions), cells) is None

    assert sound({"day": ("day", yesterday), "region": "region"})
    assert not sound({"day": "day", "region": "region"})
    assert not sound({"day": ("day", yesterday)})
    assert not sound({"day": ("day", TimeWindow(-1, 0)), "region": "region"})
    assert not sound({"day": ("region", yesterday), "region": "day"})


def test_millions_of_combinations_are_mapped_without_their_keys() -> None:
    products = StaticPartitions([f"p{number}" for number in range(300)])
    cube = MultiPartitions({"day": DailyPartitions("2022-01-01", "2024-01-01"), "a": products, "b": REGIONS})
    mapping = DimensionMapping({"a": "a", "b": "b", "day": ("day", TimeWindow(-6, 0))})
    mapping_of = settled_mapping(mapping, cube, cube)
    space = bind(cube, KEYS.extended(products.keys))
    existing = space.existing(LATER)
    changed = PartitionSet.from_ordinals([space.ordinal("2023-06-01|p7|west")])
    readers = mapping_of.downstream(changed, space, space, existing, existing)
    assert space.describe(readers) == ["2023-06-01|p7|west...2023-06-07|p7|west"]
    spans = mapping_of.spans(space, existing.array(), space, existing.array())
    assert spans.gather is not None
    assert (len(existing), spans.gather.size) == (730 * 300 * 3, 730 * 300 * 3)
    assert int(np.sum(spans.hi - spans.lo)) == (7 * 730 - 21) * 300 * 3
