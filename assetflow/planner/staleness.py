"""The assessment: the state of every partition, as a full plan would see it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from assetflow.graph import AssetGraph
from assetflow.keys import AssetKey
from assetflow.partitions.sets import PartitionSet
from assetflow.planner.causes import PRECEDENCE, PartitionState
from assetflow.planner.facts import STALE_ROOTS, Facts, World, world_of
from assetflow.planner.flow import Flow, Request, flows_of
from assetflow.planner.judging import facts_of
from assetflow.planner.spans import Flags, Integers
from assetflow.planner.state import Codes, State

StateCodes = NDArray[np.uint8]
"""Positions in ``PRECEDENCE``."""

FAILED_STATE, WAITING_STATE, MISSING_STATE, STALE_STATE, UP_TO_DATE_STATE = range(5)


@dataclass(frozen=True, slots=True, eq=False)
class Assessment:
    """Facts and the full plan's flow of some computations, with all their upstreams, in the order of the graph."""

    world: World
    facts: Mapping[str, Facts]
    flows: Mapping[str, Flow]

    def ordinals(self, key: AssetKey) -> Integers:
        """The existing partitions of an asset, ascending."""
        return self._facts(key).ordinals

    def states(self, key: AssetKey) -> StateCodes:
        """The state of each existing partition, as a position in ``PRECEDENCE``.

        For a source, partitions that were never observed are missing and all others up to date.
        """
        facts = self._facts(key)
        flow = self.flows[facts.node.name]
        output = facts.output(key)
        codes = np.full(len(facts.ordinals), UP_TO_DATE_STATE, np.uint8)
        if facts.seen == 0 and flow.lacks is None and not any(each is not None for each in flow.pending):
            return codes
        codes[self.due(facts.node.name)] = STALE_STATE
        codes[~output.versioned] = MISSING_STATE
        if flow.lacks is not None:
            codes[flow.lacks] = WAITING_STATE
        if output.failed is not None:
            codes[output.failed] = FAILED_STATE
        for check in output.checks:
            codes[check.failed] = FAILED_STATE
        return codes

    def states_of(self, key: AssetKey) -> frozenset[PartitionState]:
        """The states that any existing partition of an asset has."""
        codes: list[int] = np.unique(self.states(key)).tolist()
        return frozenset(PRECEDENCE[code] for code in codes)

    def counts(self, key: AssetKey) -> dict[str, int]:
        """Partitions by state: ``total``, the five states, and ``empty``, which is a part of ``up_to_date``."""
        codes = self.states(key)
        numbers = np.bincount(codes, minlength=len(PRECEDENCE)).tolist()
        output = self._facts(key).output(key)
        empty = np.zeros(len(codes), np.bool_)
        empty[output.places] = output.pointers.empty
        by_state = dict(zip(PRECEDENCE, numbers, strict=True))
        return {
            "total": len(codes),
            **{state: by_state[state] for state in reversed(PRECEDENCE)},
            "empty": int(np.count_nonzero(empty & (codes == UP_TO_DATE_STATE))),
        }

    def tolerated(self, key: AssetKey) -> int:
        """How many partitions are up to date although late data would change them."""
        late = self._facts(key).late
        return 0 if late is None else int(np.count_nonzero(late & (self.states(key) == UP_TO_DATE_STATE)))

    def published(self, key: AssetKey) -> PartitionSet:
        """The existing partitions that have a version, empty ones included."""
        facts = self._facts(key)
        return PartitionSet.from_ordinals(facts.ordinals[facts.output(key).versioned])

    def watermark(self, key: AssetKey) -> datetime | None:
        """The end of the unbroken run of published partitions; None without time partitions or without any."""
        return self._facts(key).space.watermark(self.published(key), self.world.now)

    def gaps(self, key: AssetKey) -> PartitionSet:
        """The existing time partitions that are not published although a later one is."""
        return self._facts(key).space.gaps(self.published(key), self.world.now)

    def due(self, name: str) -> Flags:
        """The rows of a computation that have a cause of their own, or a step of the full plan upstream."""
        facts, flow = self.facts[name], self.flows[name]
        due = (facts.bits & STALE_ROOTS) != 0
        for pending in flow.pending:
            if pending is not None:
                due |= pending
        return due

    def _facts(self, key: AssetKey) -> Facts:
        return self.facts[self.world.graph.owner[key]]


def assess(
    graph: AssetGraph,
    state: State,
    codes: Codes,
    now: datetime,
    *,
    only: Iterable[str] | None = None,
    include_late: bool = False,
) -> Assessment:
    """Judge every partition of the computations ``only`` (None: all) and of everything upstream of them.

    ``now`` is an aware datetime. Every computation needs a code version in ``codes``, every check too, and static
    partition keys an ordinal in ``state.keys``. With ``include_late``, late data makes stale whatever edges tolerate.
    """
    names = graph.nodes if only is None else with_upstreams(graph, only)
    world = world_of(graph, state, codes, now, include_late=include_late)
    facts = facts_of(world, names)
    return Assessment(world, facts, flows_of(facts, Request()))


def with_upstreams(graph: AssetGraph, only: Iterable[str]) -> frozenset[str]:
    """The computations, all upstreams, and what these publish together with."""
    names = frozenset(only)
    while len(names) < len(graph.nodes):
        closed = graph.with_mates(names | graph.ancestors(names))
        if closed == names:
            break
        names = closed
    return names
