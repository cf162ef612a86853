"""``why`` and ``status``: in which state things are, and what put them there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import typer

from assetflow.cli.options import Observe, Select, StrictObserve, Target, open_project, read_address
from assetflow.cli.terminal import Answer, Column, Page
from assetflow.cli.words import count, moment

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_STATES = ("up_to_date", "stale", "missing", "waiting", "failed", "empty")


@app.command("why")
def why(
    context: typer.Context, target: Target, observe: Observe = True, strict_observe: StrictObserve = False
) -> Answer:
    """Say in which state an asset or a partition is, and why."""
    with open_project(context) as project:
        address = read_address(target, project)
        reason = project.why(address.asset, address.partition, observe=observe, strict_observe=strict_observe)

    def show(page: Page) -> None:
        for sentence in reason.sentences:
            page.line(sentence)

    return Answer(reason.to_dict, show)


@app.command("status")
def status(
    context: typer.Context, select: Select = "*", observe: Observe = True, strict_observe: StrictObserve = False
) -> Answer:
    """Count the partitions of each asset by state.

    The watermark is how far the data of a time-partitioned asset reaches without a gap.
    """
    with open_project(context) as project:
        document = project.status(select, observe=observe, strict_observe=strict_observe).to_dict()
    return Answer(lambda: document, lambda page: _show_status(page, rows_of(document)))


def rows_of(status_document: Mapping[str, object]) -> list[Mapping[str, object]]:
    """The entries of a status document, one for each asset."""
    return cast("list[Mapping[str, object]]", status_document["assets"])


def totals_of(status_document: Mapping[str, object]) -> dict[str, int]:
    """The partitions of all assets by state.

    >>> totals_of({"assets": [{"partitions": {"total": 1, "stale": 1}}, {"partitions": {"total": 2, "stale": 0}}]})
    {'total': 3, 'stale': 1}
    """
    totals: dict[str, int] = {}
    for row in rows_of(status_document):
        for state, number in _counts(row).items():
            totals[state] = totals.get(state, 0) + number
    return totals


def _counts(row: Mapping[str, object]) -> Mapping[str, int]:
    return cast("Mapping[str, int]", row["partitions"])


def _show_status(page: Page, rows: Sequence[Mapping[str, object]]) -> None:
    states = [state for state in _STATES if state == "up_to_date" or any(_counts(row)[state] for row in rows)]
    gaps = any(row["gaps"] for row in rows)
    columns = [
        Column("asset", whole=True),
        Column("partitions", right=True),
        *(Column(state.replace("_", " "), right=True) for state in states),
        Column("watermark", whole=True),
        *([Column("gaps", right=True)] if gaps else []),
        Column("last materialized", whole=True),
    ]
    page.table(columns, [_status_cells(row, states, gaps=gaps) for row in rows])
    behind = sum(_counts(row)["total"] - _counts(row)["up_to_date"] for row in rows)
    if behind:
        page.line()
        page.line(f"{count(behind, 'partition')} not up to date.")
        page.line("  hint: assetflow plan shows what would be done", style="cyan", lead="  hint:")


def _status_cells(row: Mapping[str, object], states: Sequence[str], *, gaps: bool) -> list[object]:
    counts = _counts(row)
    last = cast("str | None", row["last_materialized"])
    return [
        row["asset"],
        f"{counts['total']:,}",
        *(f"{counts[state]:,}" if counts[state] else None for state in states),
        row["watermark"],
        *([row["gaps"] or None] if gaps else []),
        moment(last),
    ]
