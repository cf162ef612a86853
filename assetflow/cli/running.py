"""``materialize``: runs the plan, and says how every asset fared."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from assetflow.cli.failures import show_fields
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
from assetflow.cli.planning import nothing_to_do, plan_answer
from assetflow.cli.progress import following
from assetflow.cli.sentences import waiting_sentence
from assetflow.cli.terminal import Answer, Column, Page
from assetflow.cli.words import count, duration
from assetflow.keys import format_address

if TYPE_CHECKING:
    from collections.abc import Mapping

    from assetflow.execution.result import RunResult

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_EXIT_CODES = {"success": 0, "failed": 1, "canceled": 130}
_TOLD_FAILURES = 5
"""So many failures are shown in full; `runs show` has the others."""


@app.command("materialize")
def materialize(
    context: typer.Context,
    select: Select = "*",
    partition: Partition = None,
    first: First = None,
    last: Last = None,
    force: Annotated[bool, typer.Option("--force", help="Compute even what is up to date.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and run nothing.")] = False,
    executor: Annotated[str, typer.Option("--executor", metavar="E", help="Where steps run: inline.")] = "inline",
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", min=1, help="How many steps at once.", show_default=False)
    ] = None,
    retry_failed: RetryFailed = True,
    observe: Observe = True,
    strict_observe: StrictObserve = False,
) -> Answer:
    """Build what is missing or stale, check it, and publish it."""
    partitions = chosen_partitions(partition, first, last)
    with open_project(context) as project:
        if dry_run:
            made = project.plan(
                select,
                partitions,
                force=force,
                retry_failed=retry_failed,
                observe=observe,
                strict_observe=strict_observe,
            )
            totals = {} if made.steps else project.status(select, observe=False).totals()
            return plan_answer(made, totals)
        with following(sys.stderr) as listener:
            result = project.materialize(
                select,
                partitions,
                force=force,
                executor=executor,
                workers=workers,
                retry_failed=retry_failed,
                observe=observe,
                strict_observe=strict_observe,
                on_event=listener,
                trigger="cli",
            )
        totals = project.status(select, observe=False).totals() if result.run_id is None else {}
    return Answer(result.to_dict, lambda page: _show(page, result, totals), _EXIT_CODES[result.status])


def _show(page: Page, result: RunResult, totals: Mapping[str, int]) -> None:
    if result.run_id is None:
        page.line(nothing_to_do(totals))
    else:
        _table(page, result)
        for failure in result.failures[:_TOLD_FAILURES]:
            page.line()
            show_fields(page, format_address(failure.asset, failure.partition), failure.error)
        if len(result.failures) > _TOLD_FAILURES:
            page.line()
            page.line(f"... and {count(len(result.failures) - _TOLD_FAILURES, 'more failure')}")
        page.line()
        page.line(_summary(result))
    for entry in result.plan.waiting:
        page.line(f"  waits  {waiting_sentence(entry)}", style="magenta", lead="  waits")
    for note in result.plan.notes:
        page.line(f"  note: {note}")
    for hint in _next_steps(result):
        page.line(f"  hint: {hint}", style="cyan", lead="  hint:")


def _table(page: Page, result: RunResult) -> None:
    outcomes = [outcome for outcome in result.counts if any(each.get(outcome) for each in result.by_asset.values())]
    rows = [
        [asset, *(f"{each[outcome]:,}" if each.get(outcome) else None for outcome in outcomes)]
        for asset, each in result.by_asset.items()
        if any(each.values())
    ]
    page.table([Column("asset", whole=True), *(Column(outcome, right=True) for outcome in outcomes)], rows)


def _summary(result: RunResult) -> str:
    verb = {"success": "Done", "failed": "Failed", "canceled": "Canceled"}[result.status]
    told = ", ".join(f"{number:,} {outcome}" for outcome, number in result.counts.items() if number)
    return f"{verb} in {duration(result.seconds)}: {told or 'nothing'} (run {result.run_id})"


def _next_steps(result: RunResult) -> list[str]:
    steps: list[str] = []
    if len(result.failures) > _TOLD_FAILURES:
        steps.append(f"all failures: assetflow runs show {result.run_id}")
    if result.counts["quarantined"]:
        steps.append("what was quarantined is not published; readers see the old version")
    if result.failures:
        first = result.failures[0]
        steps.append(f"after mending: assetflow why {format_address(first.asset, first.partition)}")
    if result.counts["waiting"] and result.plan.waiting:
        steps.append(f"what it waits for: assetflow why {result.plan.waiting[0].outputs[0]}")
    if result.status == "canceled":
        steps.append("what was published stays; assetflow materialize goes on from there")
    return steps
