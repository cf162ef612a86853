"""A plan in sentences: for each computation what would be done to how many partitions, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from assetflow.cli.terminal import Page
from assetflow.cli.tracing import because, show_trace
from assetflow.cli.words import about, count, ranges, some

if TYPE_CHECKING:
    from assetflow.planner.plan import Certainty, Partitions, Plan, Step, Tolerated, Waiting
    from assetflow.planner.trace import Trace

_STYLES: dict[Certainty, str] = {"will": "bold", "may": "yellow", "reuse": "green", "check": "cyan"}
_MEANINGS: dict[Certainty, str] = {
    "will": "is computed",
    "may": "is computed if what it reads changes; otherwise it stays as it is",
    "reuse": "is not computed: an earlier version was made from the same code and inputs, and is published again",
    "check": "is not computed: only its checks run",
}


def show_plan(page: Page, plan: Plan, traces: Sequence[Trace] = ()) -> None:
    """Print a plan that has something to say; with the ``traces`` of its steps, all partitions and each whole cause."""
    if plan.steps:
        total = sum(step.asset_partitions for step in plan.steps)
        page.line(f"{count(len(plan.steps), 'step')}, {count(total, 'partition')}, {_time(plan)}:")
        for place, (step, told) in enumerate(zip(plan.steps, _times(plan), strict=True)):
            page.line(
                f"  {step.certainty:<5}  {told}{step_sentence(step)}", style=_STYLES[step.certainty], lead="  check"
            )
            if traces:
                _explain(page, step, traces[place])
    for entry in plan.waiting:
        page.line(f"  waits  {waiting_sentence(entry)}", style="magenta", lead="  waits")
    for late in plan.tolerated:
        page.line(f"  late   {late_sentence(late)}", lead="  late")
    if plan.outside:
        page.line(f"  not selected, but stale upstream: {some(list(plan.outside), shown=10)}")
        page.line("  hint: + before a name selects its upstreams too", style="cyan", lead="  hint:")
    for note in plan.notes:
        page.line(f"  note: {note}")
    if traces:
        for certainty, meaning in _MEANINGS.items():
            if any(step.certainty == certainty for step in plan.steps):
                page.line(f"  {certainty}: {meaning}")


def _time(plan: Plan) -> str:
    """How long all of it takes."""
    seconds = plan.totals.get("seconds")
    if seconds is None:
        return "no history of times"
    workers = count(int(plan.totals.get("workers") or 1), "worker")
    without = int(plan.totals.get("without_history") or 0)
    if without and seconds < 1:
        return f"no history of times for {count(without, 'step')}"
    if without:
        return f"at least {about(seconds)} with {workers}"
    return f"{'about ' if seconds >= 1 else ''}{about(seconds)} with {workers}"


def _times(plan: Plan) -> list[str]:
    """The time of each step as a column; nothing where no step has any history."""
    if all(step.estimate is None for step in plan.steps):
        return [""] * len(plan.steps)
    told = [about(step.estimate.seconds) if step.estimate else "no history" for step in plan.steps]
    width = max(map(len, told))
    return [f"{each:>{width}}  " for each in told]


def step_sentence(step: Step) -> str:
    """One step in a sentence, such as ``weather_daily: 3 partitions (...), because ... changed``."""
    return f"{_subject(step.computation, step.outputs, step.partitions)}{_because(step)}"


def waiting_sentence(entry: Waiting) -> str:
    """What cannot be built, and what it lacks."""
    return f"{_subject(entry.computation, entry.outputs, entry.partitions)}, for {some(entry.lacking)}"


def late_sentence(entry: Tolerated) -> str:
    """What late data is left out of, and how it is taken in."""
    subject = _subject(entry.computation, entry.outputs, entry.partitions)
    return f"{subject}: late data is left out; --include-late takes it in"


def _subject(computation: str, outputs: Sequence[str], partitions: Partitions) -> str:
    name = computation if tuple(outputs) == (computation,) else f"{computation} ({', '.join(outputs)})"
    if partitions.ranges is None:
        return f"{name}: all of it"
    number = count(len(partitions.ordinals), "partition")
    return f"{name}: {number} ({ranges(partitions.ranges)})"


def _because(step: Step) -> str:
    number = len(step.partitions.ordinals)
    own_says_it_all = any(cause.kind == "missing" and cause.count == number for cause in step.causes)
    causes = step.causes if own_says_it_all else (*step.causes, *step.inherited)
    if not causes:
        return ""
    reasons: Counter[str] = Counter()
    for cause in causes:
        reasons[cause.detail] += cause.count
    told = [detail if count == number else f"{detail} ({count:,})" for detail, count in reasons.items()]
    return f", {because(causes[0].kind)}{'; '.join(told)}"


def _explain(page: Page, step: Step, trace: Trace) -> None:
    if step.partitions.ranges is not None:
        page.line(f"           partitions: {ranges(step.partitions.ranges, shown=len(step.partitions.ranges))}")
    show_trace(page, trace, indent=11, numbers=True)
