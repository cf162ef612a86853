"""The pointers as a run sees them: those it began with, and those that it has moved."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from assetflow.execution.live import LiveState, Move
from assetflow.keys import AssetKey, DataHash, VersionId
from assetflow.partitions.dictionary import KeyDictionary
from assetflow.planner.signatures import hash_lanes
from assetflow.planner.state import AssetState, State

ONE, OTHER = AssetKey("one"), AssetKey("other")


def content(number: int) -> DataHash:
    return DataHash(f"a1:{number:032x}")


def recorded(*ordinals: int) -> AssetState:
    integers = np.array(ordinals, np.int64)
    hashes = np.array([hash_lanes(content(each)) for each in ordinals], np.uint64).reshape(-1, 2)
    flags = np.zeros(len(ordinals), np.bool_)
    return AssetState(integers, integers + 100, integers, integers + 10, hashes, integers, flags, flags, flags, {})


class Ticket:
    answered_at = None

    def done(self) -> bool:
        return False

    def result(self, timeout: float | None = None) -> int:
        raise AssertionError("nobody waits for it")


def move(ordinal: int, version: int, ticket: Ticket) -> Move:
    return Move(ordinal, VersionId(version), content(version), False, ticket)


@pytest.fixture
def live() -> LiveState:
    state = State(generation=20, uids={}, keys=KeyDictionary(), assets={ONE: recorded(1, 2, 3, 9)})
    return LiveState(state, lambda key: np.array([1, 2, 3, 4], np.int64))


def test_partitions_that_do_not_exist_are_left_out(live: LiveState) -> None:
    assert live.asset(ONE).ordinals.tolist() == [1, 2, 3]
    assert live.asset(OTHER).ordinals.tolist() == []


def test_moves_replace_and_add_in_order(live: LiveState) -> None:
    first, second = Ticket(), Ticket()
    live.move(ONE, [move(4, 204, first), move(2, 202, first)])
    live.move(ONE, [move(2, 302, second)])
    asset = live.asset(ONE)
    assert asset.ordinals.tolist() == [1, 2, 3, 4]
    assert asset.version.tolist() == [101, 302, 103, 204]
    assert asset.hashes[1].tolist() == list(hash_lanes(content(302)))
    assert asset.generation.tolist() == [11, 0, 13, 0]


def test_what_was_read_is_dated_by_its_commits(live: LiveState) -> None:
    first, second = Ticket(), Ticket()
    live.move(ONE, [move(2, 202, first)])
    live.move(ONE, [move(4, 204, second)])
    asset = live.asset(ONE)
    assert live.as_of(asset, slice(0, 1)) == 20
    assert live.as_of(asset, slice(0, 2)) is first
    assert live.as_of(asset, slice(0, 4)) is second
    assert live.as_of(asset, slice(0, 0)) == 20
    assert live.awaited(asset, slice(0, 1)) == ()
    assert live.awaited(asset, slice(0, 4)) == (first, second)


def test_what_was_decided_on_earlier_arrays_stays_as_it_was(live: LiveState) -> None:
    before = live.asset(ONE)
    live.move(ONE, [move(2, 202, Ticket())])
    assert live.asset(ONE).version.tolist() == [101, 202, 103]
    assert before.version.tolist() == [101, 102, 103]


def test_lost_partitions_are_unavailable_whether_or_not_they_have_a_version(live: LiveState) -> None:
    live.lose(ONE, [4, 2])
    live.lose(ONE, [])
    live.lose(ONE, [2])
    live.move(ONE, [move(3, 203, Ticket())])
    assert live.asset(ONE).unavailable.tolist() == [2, 4]


def test_losing_many_one_by_one_costs_no_copy_each(live: LiveState, monkeypatch: pytest.MonkeyPatch) -> None:
    merged: list[int] = []
    union = np.union1d

    def counted(*arrays: Any) -> Any:
        merged.append(1)
        return union(*arrays)

    monkeypatch.setattr(np, "union1d", counted)
    for ordinal in range(1000):
        live.lose(ONE, [ordinal])
    assert len(live.asset(ONE).unavailable) == 1000
    assert len(merged) == 1
