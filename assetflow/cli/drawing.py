"""The graph as text: layer under layer, and beside each computation what it reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from assetflow.cli.terminal import Page
from assetflow.cli.words import count

if TYPE_CHECKING:
    from assetflow.graph import AssetGraph, Node


def draw(page: Page, graph: AssetGraph, levels: Mapping[str, int]) -> None:
    """Print the computations by level, sources and other beginnings first."""
    if not graph.nodes:
        page.line("The graph is empty.")
        return
    layers: dict[int, list[Node]] = {}
    for name, node in graph.nodes.items():
        layers.setdefault(levels[name], []).append(node)
    for level, layer in sorted(layers.items()):
        if level:
            page.line("    |")
            page.line("    v")
        wide = max(len(_title(node)) for node in layer)
        for node in layer:
            page.line(f"{_title(node):<{wide}}  {_reads(node)}".rstrip(), style="bold", lead=_title(node))
    partitioned = sum(node.partitions is not None for node in graph.nodes.values())
    edges = sum(len(node.edges) for node in graph.nodes.values())
    page.line()
    page.line(f"{count(len(graph.specs), 'asset')} ({partitioned} partitioned), {count(edges, 'edge')}")


def _title(node: Node) -> str:
    name = ", ".join(node.outputs)
    if node.outputs != (node.name,):
        name = f"{node.name}: {name}"
    return f"{name} (source)" if node.kind == "source" else name


def _reads(node: Node) -> str:
    read = dict.fromkeys(edge.upstream for edge in node.edges)
    return f"<- {', '.join(read)}" if read else ""
