from __future__ import annotations

import numpy as np

from assetflow.definitions.inputs import Input
from assetflow.keys import AssetKey
from assetflow.partitions.definitions import DailyPartitions, HourlyPartitions, StaticPartitions
from assetflow.planner.decide import EdgeSignature, edge_signatures, view_of
from assetflow.planner.signatures import mix, mix_all
from assetflow.planner.state import empty_asset_state
from tests.unit.planner.building import World, computed, source

HOURS = HourlyPartitions("2024-01-01", end="2024-01-03")
DAYS = DailyPartitions("2024-01-01", end="2024-01-03")


def observed(*absent: str) -> World:
    world = World([source("raw", partitions=HOURS), computed("a", Input("raw", missing="allow"), partitions=DAYS)])
    hours = {f"2024-01-0{day}T{hour:02}:00Z": f"{day}.{hour}" for day in (1, 2) for hour in range(24)}
    world.observe("raw", {key: value for key, value in hours.items() if key not in absent})
    return world


def signature(world: World, ordinals: list[int], unavailable: list[str] | None = None) -> EdgeSignature:
    (edge,) = world.graph.nodes["a"].edges
    lost = None if unavailable is None else np.array(world.ordinals("raw", unavailable))
    existing = world.space("raw").existing(world.now).array()
    view = view_of(world.state().assets[AssetKey("raw")], existing, lost)
    return edge_signatures(
        edge, world.uids()[AssetKey("raw")], world.space("a"), np.array(ordinals), world.space("raw"), view
    )


def test_one_row_has_the_signature_that_it_has_among_all() -> None:
    world = observed("2024-01-01T03:00Z")
    days = world.ordinals("a", [])
    together = signature(world, days)
    for row, day in enumerate(days):
        alone = signature(world, [day])
        assert alone.sums.tolist() == [together.sums[row].tolist()]
        assert alone.count.tolist() == [together.count[row]]
    assert together.count.tolist() == [23, 24]
    assert together.lacking.tolist() == [True, False]


def test_a_signature_is_that_of_exactly_what_is_read() -> None:
    whole, without = observed(), observed("2024-01-01T03:00Z")
    days = whole.ordinals("a", [])
    first, second = signature(whole, days).sums, signature(without, days).sums
    assert (first != second).any(axis=1).tolist() == [True, False]
    without.observe("raw", {"2024-01-01T03:00Z": "1.3"})
    assert signature(without, days).sums.tolist() == first.tolist()


def test_swapping_the_contents_of_two_partitions_is_a_change() -> None:
    world = observed()
    days = world.ordinals("a", [])
    before = signature(world, days).sums
    world.observe("raw", {"2024-01-01T03:00Z": "1.4", "2024-01-01T04:00Z": "1.3"})
    assert (signature(world, days).sums != before).any(axis=1).tolist() == [True, False]


def test_unavailable_partitions_are_told_whether_or_not_they_have_a_version() -> None:
    world = observed("2024-01-02T05:00Z")
    days = world.ordinals("a", [])
    assert signature(world, days).unavailable is None
    lost = signature(world, days, ["2024-01-02T05:00Z"])
    assert lost.unavailable is not None
    assert lost.unavailable.tolist() == [False, True]


def test_no_rows_and_nothing_upstream_have_empty_signatures() -> None:
    world = World([source("raw", partitions=HOURS), computed("a", "raw", partitions=DAYS)])
    world.observe("raw", {})
    assert signature(observed(), []).sums.shape == (0, 2)
    (edge,) = world.graph.nodes["a"].edges
    existing = world.space("raw").existing(world.now).array()
    view = view_of(empty_asset_state(), existing)
    found = edge_signatures(edge, 1, world.space("a"), np.array(world.ordinals("a", [])), world.space("raw"), view)
    assert found.sums.tolist() == [[0, 0], [0, 0]]
    assert found.lacking.tolist() == [True, True]


def test_pointers_of_removed_keys_are_left_out_of_a_view() -> None:
    world = World([computed("r", partitions=StaticPartitions(["n", "e", "s"])), computed("all", "r")])
    world.build("r")
    existing = np.array([1, 3])
    view = view_of(world.state().assets[AssetKey("r")], existing)
    assert view.ordinals.tolist() == [1, 3]
    assert len(view.hashes) == 2


def test_many_small_edges_are_mixed_as_each_alone() -> None:
    generator = np.random.default_rng(1)
    edges = [(n, f"p{n % 3}") for n in range(7)]
    ordinals = [np.sort(generator.integers(0, 1000, n)) for n in range(7)]
    hashes = [generator.integers(0, 2**63, (n, 2)).astype(np.uint64) for n in range(7)]
    together, starts = mix_all(edges, ordinals, hashes)
    for (uid, parameter), some, contents, start in zip(edges, ordinals, hashes, starts, strict=True):
        assert together[start : start + len(some)].tolist() == mix(uid, parameter, some, contents).tolist()
    assert len(together) == sum(len(some) for some in ordinals)
    nothing, nowhere = mix_all([], [], [])
    assert nothing.shape == (0, 2)
    assert nowhere == []
