"""``list``, ``graph`` and ``validate``: what is declared."""

from __future__ import annotations

from argparse import Namespace

from assetflow.cli.drawing import draw
from assetflow.cli.options import open_project
from assetflow.cli.parsing import Command, no_arguments
from assetflow.cli.terminal import Answer, Column, Page
from assetflow.cli.words import count
from assetflow.graph.declared import asset_rows, graph_document, levels_of


def list_assets(arguments: Namespace) -> Answer:
    """List the assets, upstreams first."""
    with open_project(arguments) as project:
        graph = project.graph
    rows = asset_rows(graph)

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
    return Answer(lambda: graph_document(graph), lambda page: draw(page, graph, levels_of(graph)))


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


def _first_line(text: object) -> str | None:
    return str(text).strip().partition("\n")[0] if text else None


COMMANDS = {
    "list": Command(no_arguments, list_assets, "List the assets, upstreams first."),
    "graph": Command(no_arguments, show_graph, "Draw the graph: each layer reads from the layers above it."),
    "validate": Command(
        no_arguments, validate, "Check the definitions; all mistakes are reported together, each with its place."
    ),
}
