"""The effect of one changed partition among a million is exactly its images: in memory, with made-up data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from assetflow import (
    CronPartitions,
    DailyPartitions,
    Definitions,
    HourlyPartitions,
    Input,
    StaticMapping,
    StaticPartitions,
    TimeWindow,
)
from assetflow.graph import AssetGraph, build_graph
from assetflow.keys import AssetKey, CodeVersion
from assetflow.partitions.dictionary import KeyDictionary
from assetflow.planner.decide import edge_signatures, view_of
from assetflow.planner.explain import explain
from assetflow.planner.plan import Plan
from assetflow.planner.planning import plan_from
from assetflow.planner.spaces import spaces_of
from assetflow.planner.staleness import Assessment, assess
from assetflow.planner.state import AssetState, CodeRecord, Codes, InputColumn, State
from tests.unit.planner.building import computed

NOW = datetime(2024, 1, 1, tzinfo=UTC)


class Built:
    """Computations of one output each, all partitions of which are published and up to date."""

    def __init__(self, *assets: Callable[..., Any]) -> None:
        self.graph: AssetGraph = build_graph(Definitions(assets=list(assets)))
        keys = KeyDictionary()
        for node in self.graph.nodes.values():
            if isinstance(node.partitions, StaticPartitions):
                keys = keys.extended(node.partitions.keys)
        self.spaces = spaces_of(self.graph, keys, {})
        records = {name: CodeRecord(CodeVersion(f"c1:{name}"), {name: "1"}) for name in self.graph.nodes}
        self.codes = Codes(records)
        uids = {key: number for number, key in enumerate(self.graph.owner, 1)}
        states: dict[AssetKey, AssetState] = {}
        for number, name in enumerate(self.graph.nodes, 1):
            states[AssetKey(name)] = self._published(name, number, uids, states)
        self.state = State(1, uids, keys, states, dict(enumerate(records.values(), 1)))

    def _published(
        self, name: str, code: int, uids: Mapping[AssetKey, int], states: Mapping[AssetKey, AssetState]
    ) -> AssetState:
        ordinals = self.spaces[name].existing(NOW).array()
        inputs: dict[str, InputColumn] = {}
        for edge in self.graph.nodes[name].edges:
            up = self.spaces[self.graph.owner[edge.upstream]]
            view = view_of(states[edge.upstream], up.existing(NOW).array())
            found = edge_signatures(edge, uids[edge.upstream], self.spaces[name], ordinals, up, view)
            inputs[edge.parameter] = InputColumn(found.sums, np.ones(ordinals.size, np.bool_))
        counted, no = np.arange(1, ordinals.size + 1), np.zeros(ordinals.size, np.bool_)
        # An asset is as one commit wrote it, after its upstreams.
        lanes = np.random.default_rng(code).integers(1, 2**63, (ordinals.size, 2), np.uint64)
        codes = np.full(ordinals.size, code)
        return AssetState(ordinals, counted, counted, codes, lanes, codes, no, no, no, inputs)

    def change(self, asset: str, key: str) -> None:
        """Publish other content of one partition."""
        before = self.state.assets[AssetKey(asset)]
        row = np.searchsorted(before.ordinals, self.spaces[asset].ordinal(key))
        hashes, generation = before.hashes.copy(), before.generation.copy()
        hashes[row] += np.uint64(1)
        generation[row] = 100
        after = replace(before, hashes=hashes, generation=generation)
        self.state = replace(self.state, assets={**self.state.assets, AssetKey(asset): after})

    def assess(self) -> Assessment:
        return assess(self.graph, self.state, self.codes, NOW)

    def plan(self) -> Plan:
        return plan_from(self.assess())


def steps(made: Plan) -> dict[str, list[tuple[str, str]]]:
    return {f"{each.computation} {each.certainty}": list(each.partitions.ranges or ()) for each in made.steps}


@pytest.fixture(scope="module")
def minutes() -> Built:
    """Two years of minutes, to hours, to days; and days of the days before."""
    bounds = {"start": "2022-01-01", "end": "2024-01-01"}
    return Built(
        computed("minute", partitions=CronPartitions("* * * * *", **bounds)),
        computed("hour", "minute", partitions=HourlyPartitions(**bounds)),
        computed("day", "hour", partitions=DailyPartitions(**bounds)),
        computed("week", Input("day", TimeWindow(-6, 0)), partitions=DailyPartitions(**bounds)),
    )


def test_nothing_changed_and_nothing_is_planned(minutes: Built) -> None:
    assert len(minutes.spaces["minute"].existing(NOW)) == 1_051_200
    assert minutes.plan().steps == ()


def test_one_minute_makes_stale_its_hour_its_day_and_the_days_that_look_back(minutes: Built) -> None:
    unchanged = minutes.state
    minutes.change("minute", "2023-05-17T13:37Z")
    assert steps(minutes.plan()) == {
        "hour will": [("2023-05-17T13:00Z", "2023-05-17T13:00Z")],
        "day may": [("2023-05-17", "2023-05-17")],
        "week may": [("2023-05-17", "2023-05-23")],
    }
    (cause,) = explain(minutes.assess(), AssetKey("hour"), "2023-05-17T13:00Z").causes
    assert (cause.kind, cause.root, cause.partitions) == ("input_changed", ("minute",), ("2023-05-17T13:37Z",))
    minutes.state = unchanged


def test_one_key_makes_stale_the_same_key() -> None:
    users = StaticPartitions([f"user-{number}" for number in range(200_000)])
    built = Built(computed("event", partitions=users), computed("profile", "event", partitions=users))
    assert built.plan().steps == ()
    built.change("event", "user-177777")
    assert steps(built.plan()) == {"profile will": [("user-177777", "user-177777")]}


def test_one_key_makes_stale_the_groups_that_it_is_in() -> None:
    keys = [f"user-{number}" for number in range(50_000)]
    of_groups = {key: [f"group-{number % 100}", f"band-{number // 1000}"] for number, key in enumerate(keys)}
    groups = StaticPartitions([*(f"group-{number}" for number in range(100)), *(f"band-{n}" for n in range(50))])
    built = Built(
        computed("profile", partitions=StaticPartitions(keys)),
        computed("group", Input("profile", StaticMapping(of_groups)), partitions=groups),
    )
    assert built.plan().steps == ()
    built.change("profile", "user-34567")
    assert steps(built.plan()) == {"group will": [("group-67", "group-67"), ("band-34", "band-34")]}
