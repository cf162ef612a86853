from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from assetflow.errors import InvalidPartition
from assetflow.partitions import DailyPartitions, StaticPartitions
from assetflow.partitions.dictionary import KeyDictionary
from assetflow.partitions.sets import PartitionSet
from assetflow.partitions.spaces import PartitionSpace, bind

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SIZES = ["small", "medium", "large", "extra large"]


@pytest.fixture
def sizes() -> PartitionSpace:
    # The dictionary is shared by a store: its order is not the declared one.
    return bind(StaticPartitions(SIZES), KeyDictionary().extended(["large", "red", "small", "extra large", "medium"]))


def test_every_key_exists_and_keeps_the_dictionary_s_ordinal(sizes: PartitionSpace) -> None:
    assert list(sizes.existing(NOW)) == [1, 3, 4, 5]
    assert [sizes.ordinal(key) for key in SIZES] == [3, 5, 1, 4]
    assert sizes.keys(np.array([4, 1])) == ["extra large", "large"]
    assert sizes.key(5) == "medium"
    assert sizes.ordinals(["large", "red", "medium"]).tolist() == [1, -1, 5]
    assert sizes.ordinals([]).tolist() == []


def test_ordinals_of_other_definitions_are_told_apart(sizes: PartitionSpace) -> None:
    assert sizes.has(np.array([0, 1, 2, 5, 735234])).tolist() == [False, True, False, True, False]
    assert bind(None, KeyDictionary()).has(np.array([-1, 0, 1])).tolist() == [False, True, False]
    days = bind(DailyPartitions("2024-01-01", end="2024-01-03"), KeyDictionary())
    first = days.ordinal("2024-01-01")
    assert days.has(np.array([0, first - 1, first, first + 1, first + 2])).tolist() == [False, False, True, True, False]
    endless = bind(DailyPartitions("2024-01-01"), KeyDictionary())
    assert endless.has(np.array([first - 1, first + 10_000])).tolist() == [False, True]


def test_order_and_ranges_are_as_declared(sizes: PartitionSpace) -> None:
    everything = sizes.existing(NOW)
    assert sizes.keys(sizes.ordered(everything.array())) == SIZES
    between = sizes.between("medium", "extra large")
    assert between == PartitionSet.from_ordinals([1, 4, 5])
    assert sizes.ranges_of_keys(everything) == [("small", "extra large")]
    some = everything - PartitionSet.from_ordinals([sizes.ordinal("medium")])
    assert sizes.describe(some) == ["small", "large...extra large"]
    assert sizes.describe(some, limit=1) == ["small", "and 1 more range"]
    assert sizes.describe(PartitionSet.empty()) == []


def test_within_takes_exact_keys_only(sizes: PartitionSpace) -> None:
    assert sizes.within("large") == PartitionSet.from_ordinals([1])
    assert sizes.within("2013-01") is None
    assert sizes.between("small", "huge") is None


def test_a_reversed_range_is_refused(sizes: PartitionSpace) -> None:
    with pytest.raises(InvalidPartition, match="'small' is declared before 'large'") as error:
        sizes.between("large", "small")
    assert error.value.hint == "ranges follow the order of the keys in the definition"


def test_an_unknown_key_names_those_that_exist(sizes: PartitionSpace) -> None:
    with pytest.raises(InvalidPartition) as error:
        sizes.ordinal("smal")
    assert error.value.message == "there is no partition 'smal': 4 keys: small, medium, large, ..."
    assert error.value.hint == "did you mean small?"


def test_an_ordinal_of_another_definition_is_a_key_error(sizes: PartitionSpace) -> None:
    for ordinal in (2, 99):
        with pytest.raises(KeyError):
            sizes.key(ordinal)


def test_static_partitions_have_no_time(sizes: PartitionSpace) -> None:
    everything = sizes.existing(NOW)
    assert (sizes.grain, sizes.time_based) == ("static", False)
    assert sizes.window(1) is None
    assert sizes.windows(everything.array()) is None
    assert sizes.watermark(everything, NOW) is None
    assert sizes.gaps(PartitionSet.empty(), NOW) == PartitionSet.empty()


def test_keys_that_differ_in_case_only_get_different_folders() -> None:
    names = ["abc", "ABC", "other"]
    space = bind(StaticPartitions(names), KeyDictionary().extended(names))
    folders = [space.path_component(space.ordinal(name)) for name in names]
    assert folders[2] == "other"
    assert len({folder.casefold() for folder in folders}) == 3


@pytest.mark.parametrize("key", ["../../etc/passwd", "x" * 500, "🙂", "a|b", "a...b", "a@b", '"', "'; drop table t"])
def test_awkward_keys_round_trip(key: str) -> None:
    space = bind(StaticPartitions([key, "other"]), KeyDictionary().extended(["other", key]))
    assert space.key(space.ordinal(key)) == key
    assert "/" not in space.path_component(space.ordinal(key))


def test_text_of_ranges_is_escaped_as_in_addresses() -> None:
    space = bind(StaticPartitions(["a...b", "c@d"]), KeyDictionary().extended(["a...b", "c@d"]))
    assert space.describe(space.existing(NOW)) == ["a%2E%2E%2Eb...c%40d"]


def test_binding_needs_every_key_and_a_sound_definition() -> None:
    with pytest.raises(KeyError):
        bind(StaticPartitions(["a", "b"]), KeyDictionary().extended(["a"]))
    with pytest.raises(ValueError, match="empty"):
        bind(StaticPartitions([]), KeyDictionary())


def test_an_unpartitioned_asset_is_one_partition_without_a_key() -> None:
    space = bind(None, KeyDictionary())
    whole = space.existing(NOW)
    assert list(whole) == [0]
    assert (space.grain, space.time_based, space.definition) == ("none", False, None)
    assert space.key(0) is None
    assert space.keys(whole.array()) == [None]
    assert space.ordinals(["a"]).tolist() == [-1]
    assert space.path_component(0) == ""
    assert space.within("2013") is space.between("a", "b") is space.window(0) is None
    assert space.windows(whole.array()) is space.watermark(whole, NOW) is None
    assert space.describe(whole) == space.ranges_of_keys(whole) == []
    assert not space.gaps(PartitionSet.empty(), NOW)
    assert space.ordered(whole.array()).tolist() == [0]
    with pytest.raises(InvalidPartition, match="there is no partition '2013': the asset is not partitioned"):
        space.ordinal("2013")
