"""Lineage as nodes and edges, and that of assets as they are declared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from assetflow.graph import AssetGraph
from assetflow.keys import AssetKey, VersionId

Direction = Literal["upstream", "downstream", "both"]
EdgeKind = Literal["loaded", "dep", "derived"]


@dataclass(frozen=True, slots=True)
class LineageNode:
    """An asset, or one version of one of its partitions.

    ``id`` is the address, with ``#version`` behind it for a version that is not the current one. ``level`` counts steps
    from what was asked: negative upstream, positive downstream.
    """

    id: str
    asset: AssetKey
    partition: str | None
    version: VersionId | None
    level: int

    def to_dict(self) -> dict[str, object]:
        """The node as in the lineage document."""
        return {
            "id": self.id,
            "asset": self.asset,
            "partition": self.partition,
            "column": None,
            "version": self.version,
            "level": self.level,
        }


@dataclass(frozen=True, slots=True)
class LineageEdge:
    """From the id of an upstream node to that of a downstream one.

    Between assets: ``loaded``, or ``dep`` where the data itself is not read. Between versions: ``derived``.
    """

    upstream: str
    downstream: str
    kind: EdgeKind

    def to_dict(self) -> dict[str, object]:
        """The edge as in the lineage document."""
        return {"from": self.upstream, "to": self.downstream, "kind": self.kind}


@dataclass(frozen=True, slots=True)
class AssetRanges:
    """The partitions of one asset in a lineage, as ranges for people; none where it is unpartitioned."""

    asset: AssetKey
    level: int
    count: int
    ranges: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LineageGraph:
    """Nodes from the farthest upstream to the farthest downstream, the edges between them, and a short form."""

    nodes: tuple[LineageNode, ...]
    edges: tuple[LineageEdge, ...]
    summary: tuple[AssetRanges, ...]

    def to_dict(self) -> dict[str, object]:
        """The lineage document."""
        return {
            "nodes": [node.to_dict() for node in self.nodes],
            "edges": [edge.to_dict() for edge in self.edges],
        }


def asset_lineage(
    graph: AssetGraph, asset: AssetKey, direction: Direction = "upstream", depth: int | None = None
) -> LineageGraph:
    """What the asset is declared to read (``upstream``) and to be read by, up to ``depth`` steps away."""
    levels = {asset: 0}
    kinds: dict[tuple[AssetKey, AssetKey], EdgeKind] = {}
    for away in (-1, 1):
        if direction == ("downstream" if away < 0 else "upstream"):
            continue
        frontier, level = [asset], 0
        while frontier and (depth is None or abs(level) < depth):
            level += away
            reached: dict[AssetKey, None] = {}
            for key in frontier:
                for other, kind in _reads(graph, key) if away < 0 else _readers(graph, key):
                    pair = (other, key) if away < 0 else (key, other)
                    kinds[pair] = "loaded" if "loaded" in (kind, kinds.get(pair)) else kind
                    reached[other] = None
            frontier = [key for key in reached if key not in levels]
            levels.update(dict.fromkeys(frontier, level))
    order = {key: place for place, key in enumerate(key for node in graph.nodes.values() for key in node.outputs)}
    assets = sorted(levels, key=lambda key: order[key])
    pairs = sorted(kinds, key=lambda pair: (order[pair[0]], order[pair[1]]))
    return LineageGraph(
        tuple(LineageNode(key, key, None, None, levels[key]) for key in assets),
        tuple(LineageEdge(up, down, kinds[up, down]) for up, down in pairs),
        tuple(AssetRanges(key, levels[key], 1, ()) for key in assets),
    )


def _reads(graph: AssetGraph, key: AssetKey) -> list[tuple[AssetKey, EdgeKind]]:
    return [(edge.upstream, "loaded" if edge.loaded else "dep") for edge in graph.node_of(key).edges]


def _readers(graph: AssetGraph, key: AssetKey) -> list[tuple[AssetKey, EdgeKind]]:
    return [
        (reader, "loaded" if edge.loaded else "dep")
        for edge in graph.downstream.get(key, ())
        for reader in graph.nodes[edge.computation].outputs
    ]
