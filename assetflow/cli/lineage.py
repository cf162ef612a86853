"""``lineage``: what something was made from, and what was made from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from assetflow.cli.options import Target, open_project, read_address
from assetflow.cli.terminal import Answer, Page
from assetflow.cli.words import count, some
from assetflow.keys import format_address

if TYPE_CHECKING:
    from assetflow.catalog.lineage import AssetRanges, Direction, LineageGraph

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command("lineage")
def lineage(
    context: typer.Context,
    target: Target,
    upstream: Annotated[bool, typer.Option("--upstream", help="What it was made from (the default).")] = False,
    downstream: Annotated[bool, typer.Option("--downstream", help="What was made from it.")] = False,
    depth: Annotated[
        int | None, typer.Option("--depth", metavar="N", min=1, help="At most so many steps away.", show_default=False)
    ] = None,
) -> Answer:
    """Show what something was made from.

    Of an asset: as declared. Of one partition: as recorded when its current version was made.
    """
    direction: Direction = "upstream"
    if downstream:
        direction = "both" if upstream else "downstream"
    with open_project(context) as project:
        address = read_address(target, project)
        found = project.catalog.lineage(address.asset, address.partition, direction=direction, depth=depth)
    asked = format_address(address.asset, address.partition)
    return Answer(found.to_dict, lambda page: _show(page, asked, found))


def _show(page: Page, asked: str, found: LineageGraph) -> None:
    levels: dict[int, list[AssetRanges]] = {}
    for entry in found.summary:
        levels.setdefault(entry.level, []).append(entry)
    if not found.edges:
        page.line(f"{asked} has no lineage in this direction.")
    for level, entries in sorted(levels.items()):
        for entry in entries:
            told = _told(entry)
            page.line(f"{_distance(level):<14} {told}", style="bold" if level == 0 else None)
    page.line()
    page.line(f"{count(len(found.nodes), 'node')}, {count(len(found.edges), 'edge')}")


def _distance(level: int) -> str:
    if level == 0:
        return "this"
    return f"{abs(level)} {'upstream' if level < 0 else 'downstream'}"


def _told(entry: AssetRanges) -> str:
    if not entry.ranges:
        return entry.asset
    return f"{entry.asset}: {count(entry.count, 'partition')} ({some(entry.ranges)})"
