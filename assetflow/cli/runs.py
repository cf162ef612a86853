"""``runs``: what was run, and how it went."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from assetflow.cli.failures import alike, show_alike
from assetflow.cli.options import add_executor, add_observe, add_priority, open_project
from assetflow.cli.parsing import Command, Parser, positive
from assetflow.cli.progress import following
from assetflow.cli.running import result_answer
from assetflow.cli.terminal import Answer, Column, Page
from assetflow.cli.timeline import BARS, LEGEND, Timeline, bar_width
from assetflow.cli.words import count, duration, moment, ranges
from assetflow.execution.output.recording import OutputLine
from assetflow.execution.output.showing import place_of_line
from assetflow.keys import AssetKey

Document = Mapping[str, object]

_LISTED_STEPS = 40
"""A run with more asset partitions than this is told in numbers by asset."""


def runs(arguments: Namespace) -> Answer:
    """List the latest runs."""
    with open_project(arguments) as project:
        found = project.runs(arguments.limit)
    return Answer(lambda: {"runs": found}, lambda page: _show_runs(page, found))


def show(arguments: Namespace) -> Answer:
    """Show the steps of one run, and its failures in full."""
    with open_project(arguments) as project:
        run = project.run(arguments.run_id)
    return Answer(lambda: run, lambda page: _show_run(page, run))


def logs(arguments: Namespace) -> Answer:
    """Print what user code printed and logged in a run, while the run goes on where that is asked for."""
    from assetflow.opening.logs import run_lines

    with open_project(arguments) as project:
        found = run_lines(project.setting, arguments.run_id, arguments.step, follow=arguments.follow)
        if arguments.follow and arguments.json:
            found = iter(list(found))
        elif arguments.follow:
            _show_lines(Page(sys.stdout), found)
            return Answer(dict, lambda _: None)
    document = lambda: {"run_id": arguments.run_id, "lines": [line.to_dict() for line in found]}  # noqa: E731
    return Answer(document, lambda page: _show_lines(page, found))


def _show_lines(page: Page, found: Iterator[OutputLine]) -> None:
    nothing = True
    for line in found:
        page.line(_log_line(line))
        sys.stdout.flush()
        nothing = False
    if nothing:
        page.line("Nothing was printed or logged.")


def _log_line(line: OutputLine) -> str:
    """One line of the output of a run, with its time of day (UTC) and where it comes from."""
    attempt = f" (attempt {line.attempt})" if line.attempt > 1 else ""
    kind = line.level or line.stream
    return f"{line.at[11:23]} {place_of_line(line)}{attempt} {kind} | {line.text}"


def retry(arguments: Namespace) -> Answer:
    """Run again what a run left to do, and follow it on stderr."""
    with open_project(arguments) as project, following(sys.stderr) as listener:
        result = project.retry(
            arguments.run_id,
            everything=arguments.all,
            executor=arguments.executor,
            workers=arguments.workers,
            fail_fast=arguments.fail_fast,
            priority=arguments.priority,
            observe=arguments.observe,
            strict_observe=arguments.strict_observe,
            on_event=listener,
            trigger="cli",
        )
    idle = "Nothing is left to do: what the run was to do is done, and up to date."
    return result_answer(result, idle)


def cancel(arguments: Namespace) -> Answer:
    """Ask a run to stop."""
    with open_project(arguments) as project:
        project.cancel(arguments.run_id)

    def told(page: Page) -> None:
        page.line(f"Run {arguments.run_id} was asked to stop; what it has published stays.")
        page.line(f"  hint: assetflow runs show {arguments.run_id}", style="cyan", lead="  hint:")

    return Answer(lambda: {"run_id": arguments.run_id, "cancel_asked": True}, told)


def _show_runs(page: Page, found: Sequence[Document]) -> None:
    if not found:
        page.line("Nothing has been run yet.")
        page.line("  hint: assetflow materialize", style="cyan", lead="  hint:")
        return
    columns = [
        Column("run", whole=True),
        "status",
        Column("started", whole=True),
        "took",
        "trigger",
        "asked for",
        "outcomes",
    ]
    page.table(columns, [_run_cells(run) for run in found])


def _run_cells(run: Document) -> list[object]:
    return [
        run["run_id"],
        run["status"],
        moment(cast("str", run["started_at"])),
        _took(run),
        run["trigger"],
        asked_for(run),
        _told(run),
    ]


def asked_for(run: Document) -> str | None:
    """What a run was asked for, in a few words; None where that was not recorded."""
    asked = cast("Mapping[str, Any] | None", run["asked"])
    if asked is None:
        return None
    words = ["everything" if asked["selection"] == "*" else asked["selection"]]
    if asked["partitions"]:
        words.append(f"@ {ranges(asked['partitions'])}")
    marks = {
        "forced": asked["forced"],
        "only what was due": asked["due"],
        "without what had failed": not asked["retry_failed"],
        f"retry of run {asked['retry_of']}": asked["retry_of"],
    }
    told = ", ".join(mark for mark, holds in marks.items() if holds)
    return " ".join(words) + (f" ({told})" if told else "")


def _took(run: Document) -> str | None:
    seconds = cast("float | None", run["seconds"])
    return None if seconds is None else duration(seconds)


def _told(run: Document) -> str:
    counts = cast("Mapping[str, int]", run["counts"])
    told = [f"{number:,} {outcome}" for outcome, number in counts.items() if number]
    if run["holds"]:
        told.append(f"holds {count(cast('int', run['holds']), 'asset partition')}")
    return ", ".join(told)


def _show_run(page: Page, run: Document) -> None:
    page.line(f"run {run['run_id']}: {run['status']}", style="bold")
    page.line(f"  started {moment(cast('str', run['started_at']))}, took {_took(run) or 'nobody knows how long'}")
    if (asked := asked_for(run)) is not None:
        as_of = cast("Mapping[str, str]", run["asked"])["as_of"]
        page.line(f"  asked for {asked}, as of {moment(as_of)}")
    if told := _told(run):
        page.line(f"  {told}")
    for held in cast("Sequence[Document]", run["held"]):
        spans = cast("Sequence[tuple[str, str]] | None", held["ranges"])
        which = f" @ {ranges(spans)}" if spans else ""
        page.line(f"  holds {held['asset']}{which} until {moment(cast('str', held['until']))}")
    for slot in cast("Sequence[Document]", run["slots"]):
        verb = "has" if slot["granted_at"] else "waits for"
        page.line(f"  {verb} {slot['weight']} of pool {slot['pool']} for {slot['step']}")
    if run.get("error"):
        page.line(f"  error: {run['error']}")
    steps = cast("Sequence[Document]", run["steps"])
    if steps:
        page.line()
        (_list_steps if len(steps) <= _LISTED_STEPS else _count_steps)(page, run, steps)
        _tell_critical_path(page, run)
    failed = [
        (AssetKey(cast("str", step["asset"])), cast("str | None", step["partition"]), cast("Document", step["error"]))
        for step in steps
        if step["error"]
    ]
    for failure in alike(failed):
        page.line()
        show_alike(page, failure)


def _list_steps(page: Page, run: Document, steps: Sequence[Document]) -> None:
    columns = [Column("asset", whole=True), Column("partition", whole=True), "status", Column("version", right=True)]
    rows = [[step["asset"], step["partition"], _status(step), step["version"], _step_took(step)] for step in steps]
    _with_bars(
        page,
        run,
        [*columns, Column("took", right=True)],
        [([step], row) for step, row in zip(steps, rows, strict=True)],
    )


def _status(step: Document) -> str:
    return f"{step['status']} (attempt {step['attempt']})" if step["attempt"] != 1 else str(step["status"])


def _step_took(step: Document) -> str | None:
    return None if step["call_size"] is None else duration(cast("float", step["seconds"]))


def _count_steps(page: Page, run: Document, steps: Sequence[Document]) -> None:
    statuses = dict.fromkeys(str(step["status"]) for step in steps)
    counts = Counter((step["asset"], str(step["status"])) for step in steps)
    by_asset: dict[object, list[Document]] = {}
    for step in steps:
        by_asset.setdefault(step["asset"], []).append(step)
    rows = [
        (found, [asset, *(f"{counts[asset, status]:,}" if counts[asset, status] else None for status in statuses)])
        for asset, found in by_asset.items()
    ]
    _with_bars(page, run, [Column("asset", whole=True), *(Column(status, right=True) for status in statuses)], rows)


def _with_bars(
    page: Page,
    run: Document,
    columns: Sequence[Column | str],
    rows: Sequence[tuple[Sequence[Document], Sequence[object]]],
) -> None:
    """A table with a timeline in as many columns as the terminal has left."""
    names = [column if isinstance(column, str) else column.name for column in columns]
    cells = [["" if cell is None else str(cell) for cell in row] for _, row in rows]
    taken = sum(2 + max(len(name), *(len(row[place]) for row in cells)) for place, name in enumerate(names))
    timeline = Timeline(run, bar_width(page.console.width, taken))
    page.table([*columns, BARS], [[*row, timeline.bar(steps)] for steps, row in rows])


def _tell_critical_path(page: Page, run: Document) -> None:
    path = cast("Sequence[Document]", run["critical_path"])
    if not path:
        return
    seconds = sum(cast("float", step["seconds"]) for step in path)
    page.line()
    page.line(f"  {LEGEND}: {count(len(path), 'step')}, {duration(seconds)}")


def _runs_arguments(parser: Parser) -> None:
    parser.add_argument("--limit", metavar="N", type=positive, default=20, help="how many, the newest first (20)")


def _show_arguments(parser: Parser) -> None:
    parser.add_argument("run_id", metavar="ID", help="the run's id, as `assetflow runs` lists it")


def _logs_arguments(parser: Parser) -> None:
    parser.add_argument("run_id", metavar="ID", help="the run's id, as `assetflow runs` lists it")
    parser.add_argument("--step", metavar="S", help="only what the step of this asset printed")
    parser.add_argument("--follow", "-f", action="store_true", help="go on until the run has ended")


def _retry_arguments(parser: Parser) -> None:
    parser.add_argument("run_id", metavar="ID", help="the run's id, as `assetflow runs` lists it")
    parser.add_argument("--all", action="store_true", help="also what succeeded in that run, where it is stale now")
    add_executor(parser)
    add_priority(parser)
    add_observe(parser)


COMMANDS = {
    "runs": Command(_runs_arguments, runs, "List the latest runs."),
    "runs show": Command(_show_arguments, show, "Show how one run went: its steps, and its failures in full."),
    "runs cancel": Command(
        _show_arguments,
        cancel,
        "Ask a run to stop, whatever process it is in: it starts nothing more, and what was published stays.",
    ),
    "runs logs": Command(_logs_arguments, logs, "Show what user code printed and logged in a run."),
    "runs retry": Command(
        _retry_arguments,
        retry,
        "Try again what a run was to do and did not: what failed, was quarantined, blocked or canceled, or waited. "
        "The partitions are those of then; code and inputs are those of now, and what is up to date is skipped.",
    ),
}
