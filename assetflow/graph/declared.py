"""What is declared, as documents: the list of assets, and the graph."""

from __future__ import annotations

from assetflow.graph.model import AssetGraph, Edge, Node


def asset_rows(graph: AssetGraph) -> list[dict[str, object]]:
    """Every asset and source, upstreams first, as in the list document."""
    return [asset_row(graph, node, place) for node in graph.nodes.values() for place in range(len(node.outputs))]


def graph_document(graph: AssetGraph) -> dict[str, object]:
    """The graph document: every asset with its level, and every edge."""
    levels = levels_of(graph)
    nodes = [
        {**asset_row(graph, node, place), "level": levels[node.name]}
        for node in graph.nodes.values()
        for place in range(len(node.outputs))
    ]
    edges = [_edge(edge, output) for node in graph.nodes.values() for edge in node.edges for output in node.outputs]
    return {"nodes": nodes, "edges": edges}


def asset_row(graph: AssetGraph, node: Node, place: int) -> dict[str, object]:
    """One output of a computation, as in the list document."""
    spec = node.specs[place]
    location = node.computation.location
    return {
        "asset": spec.key,
        "kind": node.kind,
        "computation": node.name,
        "partitions": node.partitions.describe() if node.partitions else None,
        "group": spec.group,
        "publish_group": node.publish_group,
        "description": spec.description,
        "owners": list(spec.owners),
        "tags": dict(spec.tags),
        "kinds": list(spec.kinds),
        "io_manager": spec.io_manager,
        "upstream": list(dict.fromkeys(edge.upstream for edge in node.edges)),
        "checks": [check.name for check in graph.checks.get(spec.key, ())],
        "location": str(location) if location else None,
    }


def _edge(edge: Edge, downstream: str) -> dict[str, object]:
    return {
        "from": edge.upstream,
        "to": downstream,
        "parameter": edge.parameter,
        "mapping": type(edge.mapping).__name__,
        "missing": edge.missing,
        "loaded": edge.loaded,
    }


def levels_of(graph: AssetGraph) -> dict[str, int]:
    """By computation, the length of the longest way down to it."""
    levels: dict[str, int] = {}
    for name, node in graph.nodes.items():
        levels[name] = 1 + max((levels[graph.owner[edge.upstream]] for edge in node.edges if not edge.own), default=-1)
    return levels
