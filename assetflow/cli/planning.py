"""``plan``: what is stale, why, and what would run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from assetflow.cli.options import (
    First,
    Last,
    Observe,
    Partition,
    RetryFailed,
    Select,
    StrictObserve,
    chosen_partitions,
    open_project,
)
from assetflow.cli.sentences import show_plan
from assetflow.cli.terminal import Answer, Page
from assetflow.cli.words import count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from assetflow.planner.plan import Plan

app = typer.Typer(add_completion=False, rich_markup_mode=None)

WORK_FOUND = 3
"""The exit code of ``plan --fail-if-stale`` when there is something to do."""


@app.command("plan")
def plan(
    context: typer.Context,
    select: Select = "*",
    partition: Partition = None,
    first: First = None,
    last: Last = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show all partitions, every cause, and where it began.")
    ] = False,
    fail_if_stale: Annotated[
        bool, typer.Option("--fail-if-stale", help="Exit with 3 when there is something to do.")
    ] = False,
    retry_failed: RetryFailed = True,
    observe: Observe = True,
    strict_observe: StrictObserve = False,
) -> Answer:
    """Show what is stale, why, and what would run."""
    with open_project(context) as project:
        made = project.plan(
            select,
            chosen_partitions(partition, first, last),
            retry_failed=retry_failed,
            observe=observe,
            strict_observe=strict_observe,
        )
        totals = {} if made.steps else project.status(select, observe=False).totals()
    return plan_answer(made, totals, explain=explain, exit_code=WORK_FOUND if fail_if_stale and made.steps else 0)


def plan_answer(made: Plan, totals: Mapping[str, int], *, explain: bool = False, exit_code: int = 0) -> Answer:
    """A plan as the answer of a command; ``totals`` are the counts by state, told when there is nothing to do."""

    def show(page: Page) -> None:
        if not made.steps:
            page.line(nothing_to_do(totals))
        show_plan(page, made, explain=explain)

    return Answer(made.to_dict, show, exit_code)


def nothing_to_do(totals: Mapping[str, int]) -> str:
    """The sentence for an empty plan.

    >>> nothing_to_do({"total": 3, "up_to_date": 3}), nothing_to_do({"total": 3, "up_to_date": 2, "waiting": 1})
    ('Everything is up to date: 3 partitions.', 'Nothing to do: of 3 partitions, 2 up to date, 1 waiting.')
    """
    whole = totals.get("total", 0)
    if whole == totals.get("up_to_date", 0):
        return f"Everything is up to date: {count(whole, 'partition')}."
    states = ("up_to_date", "stale", "missing", "waiting", "failed")
    parts = [f"{totals[state]:,} {state.replace('_', ' ')}" for state in states if totals.get(state)]
    return f"Nothing to do: of {count(whole, 'partition')}, {', '.join(parts)}."
