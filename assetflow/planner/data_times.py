"""As of when data is: when it was last computed, or found to be what would be computed now.

Partitions without a time window age one by one. All windows of an asset are as of its watermark, or as of now if no
other window will come. Times are microseconds since 1970.
"""

from __future__ import annotations

import numpy as np

from assetflow.graph import AssetGraph
from assetflow.keys import AssetKey
from assetflow.partitions.spans import Spans
from assetflow.planner.facts import STALE_ROOTS, Facts
from assetflow.planner.moments import micros
from assetflow.planner.scans import OwnReads, in_order
from assetflow.planner.spans import Flags, Integers
from assetflow.planner.staleness import Assessment
from assetflow.planner.windows import Windows, has_windows, windows_of

NEVER = np.iinfo(np.int64).min
ALWAYS = np.iinfo(np.int64).max
"""As of now, whenever that is: there is nothing that could become newer."""


def ageing_assets(graph: AssetGraph) -> list[AssetKey]:
    """The assets and sources whose times freshness depends on: without windows, at or upstream of a policy."""
    owners = {graph.owner[key] for key, spec in graph.specs.items() if spec.freshness_policy is not None}
    if not owners:
        return []
    names = owners | set(graph.ancestors(owners))
    ageing = [graph.nodes[name] for name in graph.nodes if name in names]
    return [key for node in ageing if not has_windows(node.partitions) for key in node.outputs]


class DataTimes:
    """As of when the data of each row is, computed for what is asked for and what lies upstream of that."""

    def __init__(self, assessment: Assessment) -> None:
        self._assessment = assessment
        self.now = micros(assessment.world.now)
        self._times: dict[AssetKey, Integers] = {}
        self._windows: dict[str, Windows | None] = {}

    def of(self, key: AssetKey) -> Integers:
        """By row of an asset; ``NEVER`` where nothing is published, ``ALWAYS`` where nothing can be newer.

        What is up to date is as of its last computation, or as of the oldest data that it reads if that is later.
        """
        graph, facts = self._assessment.world.graph, self._assessment.facts
        wanted = graph.owner[key]
        if key not in self._times:
            needed = {wanted, *graph.ancestors([wanted])}
            for name in facts:
                if name in needed:
                    for output in facts[name].node.outputs:
                        if output not in self._times:
                            self._times[output] = self._of(facts[name], output)
        return self._times[key]

    def windows(self, facts: Facts) -> Windows | None:
        """The windows that the rows of a computation lie in, if they do."""
        name = facts.node.name
        if name not in self._windows:
            self._windows[name] = windows_of(facts)
        return self._windows[name]

    def _of(self, facts: Facts, key: AssetKey) -> Integers:
        output, windows = facts.output(key), self.windows(facts)
        if windows is not None:
            times = np.full(len(facts.ordinals), self._mark(windows, facts, key), np.int64)
        else:
            times = verified = np.minimum(self._verified(facts, key), self.now)
            if facts.edges:
                current = settled(self._assessment, facts.node.name)
                read = np.full(len(times), ALWAYS, np.int64)
                for edge in facts.edges:
                    if edge.edge.own:
                        continue  # what is read of the asset itself comes below
                    upstream = self._times[edge.edge.upstream]
                    # What is not there and need not be is not read.
                    there = np.where(upstream == NEVER, ALWAYS, upstream)
                    read = np.minimum(read, least_within(there, edge.spans, ALWAYS))
                times = np.where(current, np.maximum(verified, read), verified)
                if facts.own is not None:
                    return self._along(facts, facts.own, key, current, read)
        return np.where(output.versioned, times, NEVER)

    def _along(self, facts: Facts, own: OwnReads, key: AssetKey, current: Flags, read: Integers) -> Integers:
        """The times of rows that read each other; ``read`` is how old what they read of others is."""
        found: dict[AssetKey, Integers] = {}
        verified: dict[AssetKey, Integers] = {}
        for output in facts.outputs:
            verified[output.key] = np.minimum(self._verified(facts, output.key), self.now)
            found[output.key] = np.full(len(read), NEVER, np.int64)
        for row, runs in in_order(own):
            least = int(read[row])
            for edge, run in zip(facts.own_edges, runs, strict=True):
                times = found[edge.edge.upstream][run]
                least = min(least, int(times[times != NEVER].min(initial=ALWAYS)))
            for output in facts.outputs:
                if output.versioned[row]:
                    at = int(verified[output.key][row])
                    found[output.key][row] = max(at, least) if current[row] else at
        return found[key]

    def _mark(self, windows: Windows, facts: Facts, key: AssetKey) -> int:
        if windows.complete(facts, key):
            return ALWAYS
        mark = windows.reached(facts, key)
        return self.now if mark is None else min(micros(mark), self.now)

    def _verified(self, facts: Facts, key: AssetKey) -> Integers:
        state = self._assessment.world.state
        pointers, times = state.assets.get(key), state.verified.get(key)
        found = np.zeros(len(facts.ordinals), np.int64)
        if pointers is not None and times is not None and len(times):
            places = np.minimum(pointers.ordinals.searchsorted(facts.ordinals), len(times) - 1)
            found = np.where(pointers.ordinals[places] == facts.ordinals, times[places], 0)
        return found


def settled(assessment: Assessment, name: str) -> Flags:
    """The rows that are up to date: nothing would be done to them, and they lack nothing."""
    flow = assessment.flows[name]
    busy = (assessment.facts[name].bits & STALE_ROOTS) != 0
    for flags in (*flow.pending, flow.lacks, flow.moves):
        if flags is not None:
            busy = busy | flags
    return ~busy


def least_within(values: Integers, spans: Spans, otherwise: int) -> Integers:
    """By row: the least of the values that it spans; ``otherwise`` where it spans none.

    >>> least_within(np.array([5, 3, 7]), Spans(np.array([0, 2, 1]), np.array([2, 3, 1])), 9).tolist()
    [3, 7, 9]
    >>> least_within(np.array([5, 3, 7]), Spans(np.array([0]), np.array([2]), gather=np.array([0, 2])), 9).tolist()
    [5]
    """
    if spans.straight:
        return values
    if spans.gather is not None:
        values = values[spans.gather]
    pairs, inverse = np.unique(np.stack((spans.lo, spans.hi), axis=1), axis=0, return_inverse=True)
    filled = pairs[:, 0] < pairs[:, 1]
    least = np.full(len(pairs), otherwise, np.int64)
    if filled.any():
        bounds = pairs[filled].ravel()
        least[filled] = np.minimum.reduceat(np.append(values, np.iinfo(np.int64).max), bounds)[::2]
    return least[inverse.reshape(-1)]


def outputs_times(times: DataTimes, facts: Facts) -> Integers:
    """By row of a computation: the oldest of its outputs."""
    return np.minimum.reduce([times.of(key) for key in facts.node.outputs])
