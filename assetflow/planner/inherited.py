"""Causes that began further up, in words: what moves upstream, and where that began."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assetflow.keys import AssetKey
from assetflow.partitions.sets import PartitionSet
from assetflow.partitions.spans import covered
from assetflow.planner.causes import Cause
from assetflow.planner.facts import MISSING, EdgeFacts, Facts
from assetflow.planner.flow import busy_rows, roots_through
from assetflow.planner.scene import Scene
from assetflow.planner.spans import Flags, picked
from assetflow.planner.wording import listed, ranges_of


def inherited_causes(scene: Scene, name: str, rows: Flags) -> tuple[Cause, ...]:
    """The causes that began further up: one for each direct upstream that is stale, with the assets where it began."""
    facts, flow = scene.facts[name], scene.flows[name]
    edges: dict[AssetKey, list[tuple[EdgeFacts, Flags]]] = {}
    for edge, pending in zip(facts.edges, flow.pending, strict=False):
        if pending is not None and (concerned := rows & pending).any():
            edges.setdefault(edge.edge.upstream, []).append((edge, concerned))
    return tuple(_upstream_stale(scene, facts, key, concerned) for key, concerned in edges.items())


def _covered(edge: EdgeFacts, rows: Flags, busy: Flags, size: int) -> Flags:
    """The upstream rows that would make these rows due if they were published now."""
    if edge.timely is None:
        return covered(rows, edge.spans, size)
    return covered(rows & busy, edge.spans, size) | (covered(rows & ~busy, edge.spans, size) & edge.timely)


def _upstream_stale(scene: Scene, reader: Facts, key: AssetKey, edges: Sequence[tuple[EdgeFacts, Flags]]) -> Cause:
    """What moves upstream, through all edges that read one asset at the rows concerned."""
    first = edges[0][0]
    upstream, flow = scene.facts[first.upstream], scene.flows[first.upstream]
    assert flow.moves is not None
    busy = busy_rows(reader, force=scene.forced)
    read = [_covered(edge, rows, busy, len(flow.moves)) for edge, rows in edges]
    moving = flow.moves & np.logical_or.reduce(read)
    partitions = ranges_of(upstream.space, PartitionSet.from_ascending(picked(upstream.ordinals, moving)))
    reached = [keys for edge, rows in edges for keys, flags in roots_through(edge, flow, busy) if (flags & rows).any()]
    roots = tuple(sorted(frozenset[AssetKey]().union(*reached)))

    missing = not (moving & ((upstream.bits & MISSING) == 0)).any()
    manner = "is rebuilt" if scene.forced else "is missing" if missing else "is stale"
    named = " ".join([key, ", ".join(partitions)]).rstrip()
    elsewhere = [root for root in roots if root not in upstream.node.outputs]
    origin = f", which began at {listed(elsewhere)}" if elsewhere else ""
    count = int(np.count_nonzero(np.logical_or.reduce([rows for _, rows in edges])))
    return Cause(
        "upstream_stale", count, f"{named} {manner}{origin}", roots, first.edge.parameter, partitions=partitions
    )
