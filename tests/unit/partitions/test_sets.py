from __future__ import annotations

import pickle

import numpy as np
import pytest

from assetflow.partitions.sets import PartitionSet


def test_set_operations_give_new_sets() -> None:
    a, b = PartitionSet.from_range(0, 10), PartitionSet.from_ordinals([8, 9, 10, 11])
    assert list(a & b) == [8, 9]
    assert list(b - a) == [10, 11]
    assert len(a | b) == 12
    assert len(a) == 10
    assert len(b) == 4


def test_equal_members_are_equal_and_hash_alike_however_they_were_built() -> None:
    built = PartitionSet.from_range(5, 100_000)
    listed = PartitionSet.from_ordinals(range(5, 100_000))
    joined = PartitionSet.from_ordinals(range(5, 100_000, 2)) | PartitionSet.from_ordinals(range(6, 100_000, 2))
    assert built == listed == joined
    assert len({built, listed, joined}) == 1
    assert built != PartitionSet.from_range(5, 100_001)


def test_members_are_found_and_listed_in_order() -> None:
    some = PartitionSet.from_ordinals(np.array([7, 2**40, 3, 7]))
    assert some.array().tolist() == list(some) == [3, 7, 2**40]
    assert some.array().dtype == np.int64
    assert 2**40 in some
    assert 4 not in some
    assert -1 not in some
    assert (some.min(), some.max()) == (3, 2**40)


def test_ranges_are_runs_of_neighbours() -> None:
    assert PartitionSet.empty().ranges() == []
    assert PartitionSet.from_ordinals([4]).ranges() == [(4, 4)]
    assert PartitionSet.from_ordinals([1, 2, 3, 7, 9, 10]).ranges() == [(1, 3), (7, 7), (9, 10)]


def test_an_empty_set_is_false_and_has_no_smallest_member() -> None:
    assert not PartitionSet.from_range(5, 5)
    assert not PartitionSet.from_range(6, 5)
    assert PartitionSet.empty().array().tolist() == []
    with pytest.raises(ValueError, match="Empty"):
        PartitionSet.empty().min()


def test_subset_and_disjoint() -> None:
    some = PartitionSet.from_range(0, 5)
    assert some.issubset(PartitionSet.from_range(0, 6))
    assert not some.issubset(PartitionSet.from_range(1, 6))
    assert some.isdisjoint(PartitionSet.from_range(5, 6))
    assert not some.isdisjoint(PartitionSet.from_range(4, 6))


def test_a_negative_ordinal_is_refused() -> None:
    with pytest.raises(ValueError, match="-3"):
        PartitionSet.from_ordinals([1, -3])


def test_sets_travel_between_processes() -> None:
    some = PartitionSet.from_ordinals([1, 5, 2**33])
    assert pickle.loads(pickle.dumps(some)) == some


def test_a_large_set_has_a_short_text() -> None:
    assert repr(PartitionSet.from_range(1, 1000)) == "PartitionSet(999 ordinals from 1 to 999)"
