"""``why`` and ``status``: in which state things are, and what put them there."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from assetflow.cli.explaining import show_explanation
from assetflow.cli.options import add_observe, add_select, add_target, open_project, read_address
from assetflow.cli.parsing import Command, Parser
from assetflow.cli.terminal import Answer, Column, Page
from assetflow.cli.words import count, duration, moment

if TYPE_CHECKING:
    from assetflow.catalog.status import AssetStatus, Status
    from assetflow.planner.freshness import Freshness

_WORDS = {"pass": "fresh", "warn": "due", "fail": "late"}
_STATES = ("up_to_date", "stale", "missing", "waiting", "failed", "empty")


def why(arguments: Namespace) -> Answer:
    """Explain the state of an asset or of one partition."""
    with open_project(arguments) as project:
        address = read_address(arguments.target, project)
        found = project.why(
            address.asset, address.partition, observe=arguments.observe, strict_observe=arguments.strict_observe
        )
        is_source = project.graph.node_of(address.asset).kind == "source"
    return Answer(found.to_dict, lambda page: show_explanation(page, found, is_source=is_source))


def status(arguments: Namespace) -> Answer:
    """Count partitions by state."""
    with open_project(arguments) as project:
        found = project.status(arguments.select, observe=arguments.observe, strict_observe=arguments.strict_observe)
    return Answer(found.to_dict, lambda page: _show_status(page, found))


def _show_status(page: Page, found: Status) -> None:
    rows = found.rows
    states = [state for state in _STATES if state == "up_to_date" or any(row.partitions[state] for row in rows)]
    late = any(row.tolerated for row in rows)
    gaps = any(row.gaps for row in rows)
    policies = any(row.freshness.state != "none" for row in rows)
    columns = [
        Column("asset", whole=True),
        Column("partitions", right=True),
        *(Column(state.replace("_", " "), right=True) for state in states),
        *([Column("late left out", right=True)] if late else []),
        *([Column("freshness", whole=True)] if policies else []),
        Column("watermark", whole=True),
        *([Column("gaps")] if gaps else []),
        Column("last materialized", whole=True),
    ]
    page.table(columns, [_cells(row, states, late=late, gaps=gaps, policies=policies) for row in rows])
    for note in found.notes:
        page.line(f"note: {note}")
    totals = found.totals()
    behind = totals.get("total", 0) - totals.get("up_to_date", 0)
    if behind:
        page.line()
        page.line(f"{count(behind, 'partition')} not up to date")
        page.line("  hint: assetflow plan", style="cyan", lead="  hint:")


def _cells(row: AssetStatus, states: Sequence[str], *, late: bool, gaps: bool, policies: bool) -> list[object]:
    return [
        f"{row.asset} (source)" if row.kind == "source" else row.asset,
        f"{row.partitions['total']:,}",
        *(f"{row.partitions[state]:,}" if row.partitions[state] else None for state in states),
        *([f"{row.tolerated:,}" if row.tolerated else None] if late else []),
        *([_freshness(row.freshness)] if policies else []),
        row.watermark.isoformat(" ", "minutes") if row.watermark else None,
        *([", ".join(row.gaps)] if gaps else []),
        None if row.kind == "source" else moment(row.last_materialized),
    ]


def _freshness(found: Freshness) -> str | None:
    """A word, and how old the data is."""
    if found.state == "none":
        return None
    return _WORDS[found.state] + (f", {duration(found.lag.total_seconds())} old" if found.lag else "")


def _why_arguments(parser: Parser) -> None:
    add_target(parser)
    add_observe(parser)


def _status_arguments(parser: Parser) -> None:
    add_select(parser)
    add_observe(parser)


COMMANDS = {
    "why": Command(_why_arguments, why, "Say in which state an asset or one of its partitions is, and why."),
    "status": Command(
        _status_arguments,
        status,
        "Count the partitions of each asset by state. The watermark is how far time partitions reach without a gap.",
    ),
}
