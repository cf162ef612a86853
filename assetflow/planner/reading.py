"""What edges read now: spans, summands and signatures; what several edges share is computed once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from assetflow.graph import Edge, Node
from assetflow.keys import AssetKey
from assetflow.partitions.dimension_mapping import DimensionMapping
from assetflow.partitions.keyed import KeyedMapping
from assetflow.partitions.mappings import EdgeMapping
from assetflow.partitions.spans import Spans
from assetflow.planner.decide import EdgeSignature, UpstreamView, edge_signatures, edge_spans, inputs_differ
from assetflow.planner.facts import Output, World
from assetflow.planner.signatures import mix, mix_all
from assetflow.planner.spans import Flags, Lanes
from assetflow.planner.tolerance import History, Recorded, Verdict

WHOLE = Spans(np.zeros(1, np.int64), np.ones(1, np.int64), straight=True)
"""What reads the one partition of an unpartitioned upstream, in an unpartitioned asset."""

NOTHING = Spans(np.zeros(1, np.int64), np.zeros(1, np.int64))
"""The same, where nobody looks at the upstream."""

_SMALL = 256
"""Edges with at most so many upstream partitions are mixed together."""


class Signatures(Protocol):
    """Where the signature of an edge comes from."""

    def signature(self, node: Node, edge: Edge) -> tuple[str, EdgeSignature, Flags | None]:
        """The upstream computation of an edge, the edge's signature, and which rows ask too early (None: no row)."""
        ...

    def verdict(
        self, node: Node, edge: Edge, signature: EdgeSignature, output: Output, recoded: Flags | None
    ) -> tuple[Recorded, Verdict] | None:
        """Which changes of an edge are late, where that may be so: by a tolerance, or by one that there was."""
        ...

    def of_one_row(self, edges: Sequence[Edge]) -> Lanes:
        """The signatures of edges, one for each, between unpartitioned assets whose upstream is published."""
        ...


class Edges:
    """The edges of some computations, as they are in a world; ``outputs`` has all that they read."""

    def __init__(self, world: World, outputs: Mapping[AssetKey, Output], nodes: list[Node]) -> None:
        self._world = world
        self._outputs = outputs
        self._views: dict[AssetKey, UpstreamView] = {}
        self._spans: dict[tuple[object, int, int, bool], Spans] = {}
        self._premature: dict[tuple[object, int, int, bool], Flags | None] = {}
        # Edges that read little are mixed together, and each finds its own in one array.
        wanted = {(edge.upstream, edge.parameter) for node in nodes for edge in node.edges}
        small = [pair for pair in wanted if len(outputs[pair[0]].pointers.ordinals) <= _SMALL]
        self._mixed, starts = self._mixed_together(small)
        self._starts = dict(zip(small, starts, strict=True))
        self._summands = {
            (key, parameter): mix(world.state.uids.get(key, 0), parameter, pointers.ordinals, pointers.hashes)
            for key, parameter in wanted - self._starts.keys()
            if (pointers := outputs[key].pointers)
        }

    def _mixed_together(self, pairs: Sequence[tuple[AssetKey, str]]) -> tuple[Lanes, list[int]]:
        uids = self._world.state.uids
        pointers = [self._outputs[key].pointers for key, _ in pairs]
        edges = [(uids.get(key, 0), parameter) for key, parameter in pairs]
        return mix_all(edges, [each.ordinals for each in pointers], [each.hashes for each in pointers])

    def _summands_of(self, edge: Edge) -> Lanes:
        """The summand of each version of an edge's upstream."""
        place = edge.upstream, edge.parameter
        start = self._starts.get(place)
        if start is None:
            return self._summands[place]
        return self._mixed[start : start + len(self._outputs[edge.upstream].pointers.ordinals)]

    def _view(self, key: AssetKey) -> UpstreamView:
        view = self._views.get(key)
        if view is None:
            pointers, existing = self._outputs[key].pointers, self._world.existing[self._world.graph.owner[key]]
            view = self._views[key] = UpstreamView(existing, pointers.ordinals, pointers.hashes)
        return view

    def of_one_row(self, edges: Sequence[Edge]) -> Lanes:
        return self._mixed[[self._starts[edge.upstream, edge.parameter] for edge in edges]]

    def verdict(
        self, node: Node, edge: Edge, signature: EdgeSignature, output: Output, recoded: Flags | None
    ) -> tuple[Recorded, Verdict] | None:
        pointers = output.pointers
        if edge.late_tolerance is None and not pointers.tolerated.any():
            return None
        column = pointers.inputs.get(edge.parameter)
        if column is None or column.as_of is None:
            return None
        suspects = pointers.tolerated & column.present
        if edge.late_tolerance is not None:
            suspects |= differing(edge, signature.sums, output, recoded) & column.present
        if not suspects.any():
            return None
        at = np.flatnonzero(suspects)
        rows = at if output.rows is None else output.rows[at]
        stamped = pointers.generation[at]
        recorded = Recorded(rows, column.sums[at], column.as_of[at], pointers.tolerated[at], stamped)
        return recorded, self.history(edge).judge(signature.existing, self._view(edge.upstream), recorded)

    def history(self, edge: Edge) -> History:
        """The moves of an edge's upstream."""
        world, owner = self._world, self._world.graph.owner[edge.upstream]
        return History(
            edge, world.state.uids.get(edge.upstream, 0), world.spaces[owner], world.state.moves.get(edge.upstream)
        )

    def signature(self, node: Node, edge: Edge) -> tuple[str, EdgeSignature, Flags | None]:
        world = self._world
        upstream = world.graph.owner[edge.upstream]
        whole = node.partitions is None and world.graph.nodes[upstream].partitions is None
        if whole and len(self._outputs[edge.upstream].pointers.ordinals):
            return upstream, EdgeSignature(WHOLE, WHOLE, self._summands_of(edge), None), None
        down, up = world.spaces[node.name], world.spaces[upstream]
        ordinals = world.existing[node.name]
        key = (alike(edge.mapping), id(down), id(up), edge.own)
        spans = self._spans.get(key)
        if spans is None:
            existing = world.existing[upstream]
            spans = self._spans[key] = edge_spans(edge, down, ordinals, up, existing)
            premature = ~edge.mapping.expected(down, ordinals, up, world.now)
            self._premature[key] = premature if premature.any() else None

        signature = edge_signatures(
            edge,
            world.state.uids.get(edge.upstream, 0),
            down,
            ordinals,
            up,
            self._view(edge.upstream),
            spans=spans,
            summands=self._summands_of(edge),
        )
        return upstream, signature, self._premature[key] if edge.missing == "wait" else None


def alike(mapping: EdgeMapping) -> object:
    """What mappings that read the same have in common; those by key may be large, or compare as their user likes."""
    if isinstance(mapping, DimensionMapping):
        return tuple((down, up, each and alike(each)) for down, up, each in mapping.pairs)
    return id(mapping) if isinstance(mapping, KeyedMapping) else mapping


def differing(edge: Edge, sums: Lanes, output: Output, recoded: Flags | None) -> Flags:
    """The pointers whose recorded signature of an edge is not the present one; other code may not have had the edge."""
    column = output.pointers.inputs.get(edge.parameter)
    differs = inputs_differ(column, sums[output.places])
    if recoded is not None:
        differs &= ~recoded if column is None else column.present | ~recoded
    return differs
