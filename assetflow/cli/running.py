"""``materialize``: runs the plan, and says how every asset fared."""

from __future__ import annotations

import shlex
import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from assetflow.cli.failures import Alike, alike, show_alike
from assetflow.cli.options import (
    add_due,
    add_executor,
    add_include_late,
    add_observe,
    add_partitions,
    add_priority,
    add_retry_failed,
    add_select,
    chosen_partitions,
    open_project,
)
from assetflow.cli.parsing import Command, Parser
from assetflow.cli.planning import NOTHING_DUE, nothing_to_do, plan_answer, totals_when_idle
from assetflow.cli.progress import following
from assetflow.cli.sentences import late_sentence, waiting_sentence
from assetflow.cli.terminal import Answer, Column, Page
from assetflow.cli.words import count, duration
from assetflow.keys import format_address

if TYPE_CHECKING:
    from assetflow.execution.result import Outcome
    from assetflow.project import Project
    from assetflow.results import Result

_EXIT_CODES = {"success": 0, "failed": 1, "canceled": 130}
_TOLD_FAILURES = 5
"""So many different failures are shown in full; `runs show` has the others."""


def materialize(arguments: Namespace) -> Answer:
    """Run the plan and follow it on stderr; with ``--dry-run`` answer as ``plan`` does."""
    with open_project(arguments) as project:
        if arguments.dry_run:
            return _dry_run(project, arguments)
        with following(sys.stderr) as listener:
            result = project.materialize(
                arguments.select,
                chosen_partitions(arguments),
                force=arguments.force,
                due=arguments.due,
                executor=arguments.executor,
                workers=arguments.workers,
                fail_fast=arguments.fail_fast,
                priority=arguments.priority,
                retry_failed=arguments.retry_failed,
                include_late=arguments.include_late,
                observe=arguments.observe,
                strict_observe=arguments.strict_observe,
                on_event=listener,
                trigger="cli",
            )
        idle = result.run_id is None and not arguments.due
        totals = totals_when_idle(project, arguments, idle=idle)
    return result_answer(result, NOTHING_DUE if result.plan.due else nothing_to_do(totals))


def result_answer(result: Result, when_idle: str) -> Answer:
    """How a run went, as the answer of a command; ``when_idle`` is the sentence for a run with nothing to do."""
    return Answer(result.to_dict, lambda page: _show(page, result, when_idle), _EXIT_CODES[result.status])


def _dry_run(project: Project, arguments: Namespace) -> Answer:
    made = project.plan(
        arguments.select,
        chosen_partitions(arguments),
        force=arguments.force,
        due=arguments.due,
        workers=arguments.workers,
        retry_failed=arguments.retry_failed,
        include_late=arguments.include_late,
        observe=arguments.observe,
        strict_observe=arguments.strict_observe,
    )
    return plan_answer(made, totals_when_idle(project, arguments, idle=not made.steps and not made.due))


def _show(page: Page, result: Result, when_idle: str) -> None:
    if result.run_id is None:
        page.line(when_idle)
    else:
        _table(page, result)
        told, left = _told_failures(result)
        for failure in told:
            page.line()
            show_alike(page, failure)
        if left:
            page.line()
            page.line(f"... and {count(left, 'more failure')}")
        page.line()
        page.line(_summary(result))
    for entry in result.plan.waiting:
        page.line(f"  waits  {waiting_sentence(entry)}", style="magenta", lead="  waits")
    for late in result.plan.tolerated:
        page.line(f"  late   {late_sentence(late)}", lead="  late")
    for note in result.plan.notes:
        page.line(f"  note: {note}")
    for hint in _next_steps(result):
        page.line(f"  hint: {hint}", style="cyan", lead="  hint:")


def _told_failures(result: Result) -> tuple[list[Alike], int]:
    """The failures that are shown, equal ones together, and how many are not."""
    every = alike((each.asset, each.partition, each.error) for each in result.failures)
    return every[:_TOLD_FAILURES], sum(len(each.addresses) for each in every[_TOLD_FAILURES:])


def _table(page: Page, result: Result) -> None:
    outcomes: list[Outcome] = [
        outcome for outcome in result.counts if any(each.get(outcome) for each in result.by_asset.values())
    ]
    planned = [key for entry in (*result.plan.steps, *result.plan.waiting) for key in entry.outputs]
    order = {key: place for place, key in enumerate(dict.fromkeys(planned))}
    rows = [
        [asset, *(f"{each[outcome]:,}" if each.get(outcome) else None for outcome in outcomes)]
        for asset, each in sorted(result.by_asset.items(), key=lambda item: order.get(item[0], 0))
        if any(each.values())
    ]
    page.table([Column("asset", whole=True), *(Column(outcome, right=True) for outcome in outcomes)], rows)


def _summary(result: Result) -> str:
    verb = {"success": "Done", "failed": "Failed", "canceled": "Canceled"}[result.status]
    told = ", ".join(f"{number:,} {outcome}" for outcome, number in result.counts.items() if number)
    return f"{verb} in {duration(result.seconds)}: {told or 'nothing'} (run {result.run_id})"


def _next_steps(result: Result) -> list[str]:
    steps: list[str] = []
    if _told_failures(result)[1]:
        steps.append(f"all failures: assetflow runs show {result.run_id}")
    if result.counts["quarantined"]:
        steps.append("what was quarantined is not published; readers see the old version")
    if result.failures:
        first = result.failures[0]
        address = shlex.quote(format_address(first.asset, first.partition))
        steps.append(f"assetflow why {address} tells more; after mending, materialize again")
    if result.counts["waiting"] and result.plan.waiting:
        steps.append(f"assetflow why {result.plan.waiting[0].outputs[0]} tells what is waited for")
    for name, number in result.added.items():
        steps.append(f"{count(number, 'key')} came to the dynamic partitions {name!r}: materialize again to build them")
    if result.status == "canceled":
        steps.append("what was published stays; assetflow materialize goes on from there")
    return steps


def _arguments(parser: Parser) -> None:
    add_select(parser)
    add_partitions(parser)
    add_due(parser)
    parser.add_argument("--force", action="store_true", help="compute even what is up to date")
    parser.add_argument("--dry-run", action="store_true", help="show the plan and run nothing")
    add_executor(parser)
    add_priority(parser)
    add_retry_failed(parser)
    add_include_late(parser)
    add_observe(parser)


COMMANDS = {
    "materialize": Command(_arguments, materialize, "Build what is missing or stale, check it, and publish it.")
}
