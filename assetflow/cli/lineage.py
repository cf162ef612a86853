"""``lineage``: what something was made from, and what was made from it."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from assetflow.cli.options import add_target, open_project, read_address
from assetflow.cli.parsing import Command, Parser, positive
from assetflow.cli.terminal import Answer, Page
from assetflow.cli.words import count, some
from assetflow.keys import format_address

if TYPE_CHECKING:
    from assetflow.catalog.lineage import AssetRanges, Direction, LineageGraph


def lineage(arguments: Namespace) -> Answer:
    """Show lineage: of an asset as declared, of a partition as recorded."""
    direction: Direction = "upstream"
    if arguments.downstream:
        direction = "both" if arguments.upstream else "downstream"
    with open_project(arguments) as project:
        address = read_address(arguments.target, project)
        found = project.catalog.lineage(address.asset, address.partition, direction=direction, depth=arguments.depth)
    asked = format_address(address.asset, address.partition)
    return Answer(found.to_dict, lambda page: _show(page, asked, found))


def _show(page: Page, asked: str, found: LineageGraph) -> None:
    levels: dict[int, list[AssetRanges]] = {}
    for entry in found.summary:
        levels.setdefault(entry.level, []).append(entry)
    if not found.edges:
        page.line(f"{asked} has no lineage in this direction.")
        return
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


def _arguments(parser: Parser) -> None:
    add_target(parser)
    parser.add_argument("--upstream", action="store_true", help="what it was made from (the default)")
    parser.add_argument("--downstream", action="store_true", help="what was made from it")
    parser.add_argument("--depth", metavar="N", type=positive, help="at most so many steps away")


COMMANDS = {
    "lineage": Command(
        _arguments,
        lineage,
        "Show what something was made from: of an asset as declared, of one partition as recorded.",
    )
}
