from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from assetflow.keys import AssetKey
from assetflow.partitions.dictionary import KeyDictionary
from assetflow.planner.changes import Changes, applied
from assetflow.planner.state import AssetState, Failures, InputColumn, Retained, State

ORDERS = AssetKey("orders")


def pointers(versions: Mapping[int, int], parameters: Sequence[str] = ("raw",)) -> AssetState:
    ordinals = np.array(sorted(versions), np.int64)
    version = np.array([versions[o] for o in sorted(versions)], np.int64)
    lanes = np.stack((version, version), axis=1).astype(np.uint64)
    flags = np.zeros(len(ordinals), np.bool_)
    inputs = {name: InputColumn(lanes, np.ones(len(ordinals), np.bool_)) for name in parameters}
    return AssetState(ordinals, version, version, version, lanes, version, flags, flags, flags, inputs)


def state(versions: Mapping[int, int], **more: Any) -> State:
    return State(7, {ORDERS: 1}, KeyDictionary(), {ORDERS: pointers(versions)}, **more)


def failures(errors: Mapping[int, str]) -> dict[AssetKey, Failures]:
    ordinals = np.array(sorted(errors), np.int64)
    lanes = np.zeros((len(ordinals), 2), np.uint64)
    return {ORDERS: Failures(ordinals, lanes, ("r",) * len(ordinals), tuple(errors[o] for o in sorted(errors)))}


def retained(versions: Sequence[tuple[int, int]]) -> dict[AssetKey, Retained]:
    ordinals, version = (np.array(column, np.int64) for column in zip(*versions, strict=True))
    return {ORDERS: Retained(ordinals, np.zeros((len(versions), 2), np.uint64), version, version)}


def touching(*ordinals: int) -> dict[AssetKey, np.ndarray]:
    return {ORDERS: np.array(ordinals, np.int64)}


def test_touched_pointers_are_replaced_added_and_removed_and_the_rest_stays() -> None:
    after = applied(state({1: 10, 2: 20, 3: 30}), Changes(touching(2, 3, 5), state({2: 21, 5: 50})))
    found = after.assets[ORDERS]
    assert found.ordinals.tolist() == [1, 2, 5]
    assert found.version.tolist() == [10, 21, 50]
    assert found.inputs["raw"].sums[:, 0].tolist() == [10, 21, 50]


def test_an_edge_that_only_new_derivations_have_is_absent_for_the_others() -> None:
    latest = State(8, {ORDERS: 1}, KeyDictionary(), {ORDERS: pointers({2: 21}, ("raw", "rates"))})
    found = applied(state({1: 10, 2: 20}), Changes(touching(2), latest)).assets[ORDERS]
    assert found.inputs["rates"].present.tolist() == [False, True]
    assert found.inputs["raw"].present.tolist() == [True, True]


def test_an_edge_that_no_derivation_has_any_more_is_gone() -> None:
    latest = State(8, {ORDERS: 1}, KeyDictionary(), {ORDERS: pointers({1: 11}, ())})
    assert applied(state({1: 10}), Changes(touching(1), latest)).assets[ORDERS].inputs == {}


def test_failures_of_touched_partitions_are_replaced() -> None:
    before = state({}, failures=failures({1: "a", 2: "b", 3: "c"}))
    found = applied(before, Changes(touching(2, 3, 4), state({}, failures=failures({3: "C", 4: "D"})))).failures
    assert dict(zip(found[ORDERS].ordinals.tolist(), found[ORDERS].errors, strict=True)) == {1: "a", 3: "C", 4: "D"}


def test_an_asset_without_failures_left_has_no_record_of_any() -> None:
    before = state({}, failures=failures({1: "a"}))
    assert applied(before, Changes(touching(1), state({}))).failures == {}


def test_several_retained_versions_of_a_partition_keep_their_order() -> None:
    before = state({}, retained=retained([(1, 5), (1, 6), (2, 7)]))
    found = applied(before, Changes(touching(2), state({}, retained=retained([(2, 8), (2, 9)])))).retained[ORDERS]
    assert list(zip(found.ordinals.tolist(), found.version.tolist(), strict=True)) == [(1, 5), (1, 6), (2, 8), (2, 9)]


def test_the_state_before_stays_as_it_was() -> None:
    before = state({1: 10})
    applied(before, Changes(touching(1), state({1: 11})))
    assert before.assets[ORDERS].version.tolist() == [10]
