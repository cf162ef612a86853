"""Causes that began further up, in words: what moves upstream, and where that began."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assetflow.graph import Edge
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
    if facts.settled is not None:
        pending = zip(facts.node.edges, flow.pending, strict=False)
        moving = [edge for edge, flags in pending if flags is not None]
        first = {edge.upstream: edge for edge in reversed(moving)}
        return tuple([_one_upstream_stale(scene, edge) for edge in moving if first[edge.upstream] is edge])
    edges: dict[AssetKey, list[tuple[EdgeFacts, Flags]]] = {}
    for edge, pending in zip(facts.edges, flow.pending, strict=False):
        if pending is not None and (concerned := rows & pending).any():
            edges.setdefault(edge.edge.upstream, []).append((edge, concerned))
    return tuple(_upstream_stale(scene, facts, concerned) for concerned in edges.values())


def _covered(edge: EdgeFacts, rows: Flags, busy: Flags, size: int) -> Flags:
    """The upstream rows that would make these rows due if they were published now."""
    if edge.timely is None:
        return covered(rows, edge.spans, size)
    return covered(rows & busy, edge.spans, size) | (covered(rows & ~busy, edge.spans, size) & edge.timely)


def _upstream_stale(scene: Scene, reader: Facts, edges: Sequence[tuple[EdgeFacts, Flags]]) -> Cause:
    """What moves upstream, through all edges that read one asset at the rows concerned."""
    first = edges[0][0]
    upstream, flow = scene.facts[first.upstream], scene.flows[first.upstream]
    assert flow.moves is not None
    busy = busy_rows(reader, force=scene.forced)
    read = [_covered(edge, rows, busy, len(flow.moves)) for edge, rows in edges]
    moving = flow.moves & np.logical_or.reduce(read)
    partitions = ranges_of(upstream.space, PartitionSet.from_ascending(picked(upstream.ordinals, moving)))
    reached = [keys for edge, rows in edges for keys, flags in roots_through(edge, flow, busy) if (flags & rows).any()]
    count = int(np.count_nonzero(np.logical_or.reduce([rows for _, rows in edges])))
    return _stale_cause(scene, first.edge, upstream, moving, reached, count, partitions)


def _one_upstream_stale(scene: Scene, edge: Edge) -> Cause:
    """The same, where one row reads one row."""
    name = scene.world.graph.owner[edge.upstream]
    upstream, flow = scene.facts[name], scene.flows[name]
    assert flow.moves is not None
    return _stale_cause(scene, edge, upstream, flow.moves, [keys for keys, _ in flow.roots], 1, ())


def _stale_cause(
    scene: Scene,
    edge: Edge,
    upstream: Facts,
    moving: Flags,
    reached: Sequence[frozenset[AssetKey]],
    count: int,
    partitions: tuple[str, ...],
) -> Cause:
    roots = tuple(sorted(reached[0] if len(reached) == 1 else frozenset[AssetKey]().union(*reached)))
    missing = not (moving & ((upstream.bits & MISSING) == 0)).any()
    manner = "is rebuilt" if scene.forced else "is missing" if missing else "is stale"
    named = " ".join([edge.upstream, ", ".join(partitions)]).rstrip()
    elsewhere = [root for root in roots if root not in upstream.node.outputs]
    origin = f", which began at {listed(elsewhere)}" if elsewhere else ""
    return Cause("upstream_stale", count, f"{named} {manner}{origin}", roots, edge.parameter, partitions=partitions)
