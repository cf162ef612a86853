"""What an edit of the definitions or the code leaves as it was, so that a long-lived planner may go on with it."""

from __future__ import annotations

from assetflow.graph import AssetGraph, Node
from assetflow.planner.reading import alike
from assetflow.planner.state import Codes


def same_reads(before: AssetGraph, after: AssetGraph) -> bool:
    """Whether two graphs have the same partitions, mappings and upstreams everywhere."""
    return list(before.nodes) == list(after.nodes) and all(
        _shape(before.nodes[name]) == _shape(after.nodes[name]) for name in before.nodes
    )


def judging(graph: AssetGraph, codes: Codes, node: Node) -> object:
    """What the partitions of a computation are judged by, apart from what is recorded; equal where that is the same."""
    checks = [
        (key, each.name, each.blocking, codes.checks[key, each.name])
        for key in node.outputs
        for each in graph.checks.get(key, ())
    ]
    code = codes.computations[node.name]
    return code.version, dict(code.components), checks


def _shape(node: Node) -> object:
    edges = [
        (edge.parameter, edge.upstream, alike(edge.mapping), edge.missing, edge.late_tolerance) for edge in node.edges
    ]
    return node.kind, node.outputs, node.partitions, node.publish_group, edges
