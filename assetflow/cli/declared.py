"""``list``, ``graph`` and ``validate``: what is declared."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from assetflow.cli.drawing import draw
from assetflow.cli.options import open_project
from assetflow.cli.parsing import Command, no_arguments
from assetflow.cli.terminal import Answer, Column, Page
from assetflow.cli.words import count

if TYPE_CHECKING:
    from assetflow.graph import AssetGraph, Edge, Node


def list_assets(arguments: Namespace) -> Answer:
    """List the assets, upstreams first."""
    with open_project(arguments) as project:
        graph = project.graph
    rows = [_asset(graph, node, place) for node in graph.nodes.values() for place in range(len(node.outputs))]

    def show(page: Page) -> None:
        if not rows:
            page.line("There are no assets yet. Declare one with @asset in the module that pyproject.toml names.")
            return
        columns = (Column("asset", whole=True), "kind", Column("partitions"), "group", "description")
        cells = [
            [row["asset"], row["kind"], row["partitions"], row["group"], _first_line(row["description"])]
            for row in rows
        ]
        used = [place for place in range(len(columns)) if place < 3 or any(line[place] for line in cells)]
        page.table([columns[place] for place in used], [[line[place] for place in used] for line in cells])

    return Answer(lambda: {"assets": rows}, show)


def show_graph(arguments: Namespace) -> Answer:
    """Draw the graph.

    Each layer reads from the layers above it.
    """
    with open_project(arguments) as project:
        graph = project.graph
    levels = _levels(graph)
    nodes = [
        {**_asset(graph, node, place), "level": levels[node.name]}
        for node in graph.nodes.values()
        for place in range(len(node.outputs))
    ]
    edges = [_edge(edge, output) for node in graph.nodes.values() for edge in node.edges for output in node.outputs]
    return Answer(lambda: {"nodes": nodes, "edges": edges}, lambda page: draw(page, graph, levels))


def validate(arguments: Namespace) -> Answer:
    """Check the definitions.

    All mistakes are reported together, each with its place.
    """
    with open_project(arguments) as project:
        graph = project.graph
    sources = sum(len(node.outputs) for node in graph.nodes.values() if node.kind == "source")
    document = {
        "valid": True,
        "assets": len(graph.specs) - sources,
        "sources": sources,
        "checks": sum(len(checks) for checks in graph.checks.values()),
        "edges": sum(len(node.edges) for node in graph.nodes.values()),
    }
    parts = ", ".join(count(document[name], name[:-1]) for name in ("assets", "sources", "checks", "edges"))
    return Answer(lambda: document, lambda page: page.line(f"The definitions are valid: {parts}."))


def _asset(graph: AssetGraph, node: Node, place: int) -> dict[str, object]:
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


def _levels(graph: AssetGraph) -> dict[str, int]:
    """By computation, the length of the longest way down to it."""
    levels: dict[str, int] = {}
    for name, node in graph.nodes.items():
        levels[name] = 1 + max((levels[graph.owner[edge.upstream]] for edge in node.edges if not edge.own), default=-1)
    return levels


def _first_line(text: object) -> str | None:
    return str(text).strip().partition("\n")[0] if text else None


COMMANDS = {
    "list": Command(no_arguments, list_assets, "List the assets, upstreams first."),
    "graph": Command(no_arguments, show_graph, "Draw the graph: each layer reads from the layers above it."),
    "validate": Command(
        no_arguments, validate, "Check the definitions; all mistakes are reported together, each with its place."
    ),
}
