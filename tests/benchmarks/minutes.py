"""A synthetic state: minutes, read by hours, read by days, all of them materialized; and what happens to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from assetflow.definitions.collect import Definitions
from assetflow.definitions.decorators import asset
from assetflow.graph import AssetGraph, build_graph
from assetflow.keys import AssetKey, CodeVersion
from assetflow.partitions.cron_partitions import CronPartitions
from assetflow.partitions.definitions import DailyPartitions, HourlyPartitions
from assetflow.partitions.dictionary import KeyDictionary
from assetflow.planner.changes import Changes
from assetflow.planner.facts import world_of
from assetflow.planner.judging import facts_of
from assetflow.planner.state import AssetState, CodeRecord, Codes, InputColumn, State

NOW = datetime(2024, 1, 1, tzinfo=UTC)
MINUTES, HOURS, DAYS = AssetKey("minutes"), AssetKey("hours"), AssetKey("days")


@dataclass(frozen=True)
class Recorded:
    """A graph with all that is recorded of it."""

    graph: AssetGraph
    state: State
    codes: Codes

    @property
    def partitions(self) -> int:
        """How many there are of all assets."""
        return sum(len(each.ordinals) for each in self.state.assets.values())

    def events(self) -> Iterator[Changes]:
        """One minute published again at a time, with other data: some minute, the next generation."""
        rng = np.random.default_rng(7)
        ordinals = self.state.assets[MINUTES].ordinals
        for number in range(1, 1_000_000):
            one = rng.integers(len(ordinals), size=1)
            version = np.array([len(ordinals) + number])
            pointers = replace(_pointers(ordinals[one], version, rng, code=1), generation=np.array([10 + number]))
            state = replace(self.state, generation=10 + number, assets={MINUTES: pointers})
            yield Changes({MINUTES: ordinals[one]}, state)

    def edited(self, number: int) -> tuple[Codes, Changes]:
        """Other code of the minutes, and what is recorded with regard to it."""
        code = CodeRecord(CodeVersion(f"c1:edit{number}"), {"shop.minutes": str(number)})
        codes = Codes({**self.codes.computations, "minutes": code})
        return codes, Changes({}, replace(self.state, assets={}))


def recorded(days: int) -> Recorded:
    """The minutes, hours and days of so many days until ``NOW``."""
    start = (NOW - timedelta(days=days)).date().isoformat()

    @asset(partitions=CronPartitions("* * * * *", f"{start}T00:00"), code_version="1")
    def minutes() -> int:
        return 1

    @asset(partitions=HourlyPartitions(f"{start}T00:00"), deps=[minutes], code_version="1")
    def hours() -> int:
        return 1

    @asset(partitions=DailyPartitions(start), deps=[hours], code_version="1")
    def days_() -> int:
        return 1

    graph = build_graph(Definitions(assets=[minutes, hours, days_]))
    codes = Codes({name: CodeRecord(CodeVersion(f"c1:{name}"), {f"shop.{name}": "1"}) for name in graph.nodes})
    numbers = dict(enumerate(codes.computations.values(), start=1))
    uids = {key: number for number, key in enumerate(graph.owner, start=1)}
    state = State(5, uids, KeyDictionary(), {}, numbers)
    rng = np.random.default_rng(1)
    for number, name in enumerate(graph.nodes, start=1):
        facts = facts_of(world_of(graph, state, codes, NOW), {name, *graph.ancestors([name])})[name]
        count = len(facts.ordinals)
        pointers = _pointers(facts.ordinals, np.arange(1, count + 1), rng, code=number)
        present = np.ones(count, np.bool_)
        inputs = {each.edge.parameter: InputColumn(each.signature.sums, present) for each in facts.edges}
        state = replace(state, assets={**state.assets, facts.node.outputs[0]: replace(pointers, inputs=inputs)})
    return Recorded(graph, state, codes)


def _pointers(ordinals: np.ndarray, version: np.ndarray, rng: np.random.Generator, *, code: int) -> AssetState:
    count = len(ordinals)
    hashes = rng.integers(0, 2**63, (count, 2)).astype(np.uint64)
    number, no = np.full(count, code), np.zeros(count, np.bool_)
    return AssetState(ordinals, version, version, number, hashes, number, no, no, no, {})
