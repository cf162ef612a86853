"""``plan``: what is stale, why, and what would run."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from assetflow.cli.options import (
    add_due,
    add_include_late,
    add_observe,
    add_partitions,
    add_retry_failed,
    add_select,
    chosen_partitions,
    open_project,
)
from assetflow.cli.parsing import Command, Parser, positive
from assetflow.cli.sentences import show_plan
from assetflow.cli.terminal import Answer, Page
from assetflow.cli.words import count, moment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from assetflow.planner.plan import Plan
    from assetflow.planner.trace import Trace
    from assetflow.project import Project

WORK_FOUND = 3
"""The exit code of ``plan --fail-if-stale`` when there is something to do."""


def plan(arguments: Namespace) -> Answer:
    """Show the plan; with ``--fail-if-stale`` the exit code tells whether it has steps."""
    partitions = chosen_partitions(arguments)
    with open_project(arguments) as project:
        made = project.plan(
            arguments.select,
            partitions,
            due=arguments.due,
            workers=arguments.workers,
            retry_failed=arguments.retry_failed,
            include_late=arguments.include_late,
            observe=arguments.observe,
            strict_observe=arguments.strict_observe,
        )
        totals = totals_when_idle(project, arguments, idle=not made.steps and not made.due)
        traces = made.traces() if arguments.explain else ()
    found = WORK_FOUND if arguments.fail_if_stale and made.steps else 0
    return plan_answer(made, totals, traces=traces, exit_code=found)


def totals_when_idle(project: Project, arguments: Namespace, *, idle: bool) -> Mapping[str, int]:
    """The counts by state that people are told when there is nothing to do; nothing is asked for a document."""
    return project.status(arguments.select, observe=False).totals() if idle and not arguments.json else {}


def plan_answer(made: Plan, totals: Mapping[str, int], *, traces: Sequence[Trace] = (), exit_code: int = 0) -> Answer:
    """A plan as the answer of a command; ``totals`` are the counts by state, told when there is nothing to do.

    ``traces`` are those of the steps, where it is to be explained.
    """

    def show(page: Page) -> None:
        if not made.steps:
            page.line(NOTHING_DUE if made.due else nothing_to_do(totals))
        show_plan(page, made, traces)
        if made.due and made.next_deadline is not None:
            page.line(f"next deadline: {moment(made.next_deadline)}")

    return Answer(lambda: _document(made, traces), show, exit_code)


def _document(made: Plan, traces: Sequence[Trace]) -> Mapping[str, object]:
    document = made.to_dict()
    if not traces:
        return document
    pairs = zip(made.steps, traces, strict=True)
    return {**document, "steps": [{**step.to_dict(), "trace": trace.to_dict()} for step, trace in pairs]}


NOTHING_DUE = "Nothing is due: no freshness policy needs a step now."
"""The sentence for an empty plan of what is due."""


def nothing_to_do(totals: Mapping[str, int]) -> str:
    """The sentence for an empty plan.

    >>> nothing_to_do({"total": 3, "up_to_date": 3}), nothing_to_do({"total": 3, "up_to_date": 2, "waiting": 1})
    ('Everything is up to date: 3 partitions.', 'Nothing to do: of 3 partitions, 2 up to date, 1 waiting.')
    """
    whole = totals.get("total", 0)
    if not whole:
        return "Nothing to do: what is selected has no partitions yet."
    if whole == totals.get("up_to_date", 0):
        return f"Everything is up to date: {count(whole, 'partition')}."
    states = ("up_to_date", "stale", "missing", "waiting", "failed")
    parts = [f"{totals[state]:,} {state.replace('_', ' ')}" for state in states if totals.get(state)]
    return f"Nothing to do: of {count(whole, 'partition')}, {', '.join(parts)}."


def _arguments(parser: Parser) -> None:
    add_select(parser)
    add_partitions(parser)
    add_due(parser)
    parser.add_argument("--explain", action="store_true", help="show all partitions, every cause, and where it began")
    parser.add_argument("--fail-if-stale", action="store_true", help="exit with 3 when there is something to do")
    parser.add_argument(
        "--workers", metavar="N", type=positive, help="for how many workers to tell the time; one by default"
    )
    add_retry_failed(parser)
    add_include_late(parser)
    add_observe(parser)


COMMANDS = {"plan": Command(_arguments, plan, "Show what is stale, why, and what `materialize` would do.")}
