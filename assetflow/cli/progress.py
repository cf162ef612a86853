"""How a run is followed while it goes: a live line on a terminal, otherwise one line at the end of each step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from assetflow.cli.terminal import Page
from assetflow.cli.words import about, visible

if TYPE_CHECKING:
    from rich.console import RenderableType

    from assetflow.execution.result import Listener, RunEvent


@contextmanager
def following(stream: TextIO) -> Generator[Listener]:
    """Give a listener for ``Project.materialize`` that tells on ``stream`` how the run goes."""
    if not stream.isatty():
        yield StepLines(stream)
        return
    from rich.live import Live
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

    bars = Progress(
        SpinnerColumn(),
        TextColumn("{task.fields[what]}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TextColumn("ETA", style="dim"),
        TextColumn("{task.fields[left]}"),
    )
    task = bars.add_task("", total=None, what="starting", rate="", left="")
    latest: RunEvent | None = None

    def listen(event: RunEvent) -> None:
        # Only kept here, and drawn some times a second: a run of many tiny partitions does not wait for its display.
        nonlocal latest
        latest = event

    def draw() -> RenderableType:
        if latest is not None:
            rate = f"{latest.done / latest.seconds:,.0f}/s" if latest.seconds > 0 and latest.done else ""
            waits = f"waiting for {', '.join(latest.waits_for)}"
            what = visible(waits if latest.waits_for else latest.computation or "run")
            left = time_left(latest)
            bars.update(task, total=latest.total, completed=latest.done, what=what, rate=rate, left=left)
        return bars.get_renderable()

    with Live(get_renderable=draw, console=Page(stream).console, transient=True, refresh_per_second=10):
        yield listen


def time_left(event: RunEvent) -> str:
    """How long the rest of a run takes, by what its steps took before, else at the pace so far.

    >>> from assetflow.execution.result import RunEvent
    >>> time_left(RunEvent("started", 0, 9, 0.0, left=90.0)), time_left(RunEvent("partition", 5, 9, 50.0))
    ('2 min', '40 s')
    >>> time_left(RunEvent("started", 0, 9, 0.0, left=5.0, left_complete=False))
    'at least 5 s'
    >>> time_left(RunEvent("started", 0, 9, 0.0))
    'unknown'
    """
    if event.left is not None and event.left_complete:
        return about(event.left)
    if event.left is not None and event.left >= 1:
        return f"at least {about(event.left)}"
    return about(event.seconds / event.done * (event.total - event.done)) if event.done else "unknown"


class StepLines:
    """Prints for each step, once it has ended, how many of its partitions had which outcome."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._outcomes: dict[str, Counter[str]] = {}
        self._waited_for: tuple[str, ...] = ()

    def __call__(self, event: RunEvent) -> None:
        """Take one event of a run."""
        if event.kind == "waiting" and event.waits_for != self._waited_for:
            self._waited_for = event.waits_for
            self._stream.write(f"[{event.done:,}/{event.total:,}] waiting for {visible(', '.join(event.waits_for))}\n")
        if event.kind == "lease_lost":
            self._stream.write("this run stood still for longer than its lease: what is left is planned again\n")
        if event.computation is None:
            return
        outcomes = self._outcomes.setdefault(event.computation, Counter())
        if event.outcome is not None:
            outcomes[event.outcome] += 1
        elif event.kind == "step_finished" and outcomes:
            told = ", ".join(f"{number:,} {outcome}" for outcome, number in outcomes.items())
            self._stream.write(f"[{event.done:,}/{event.total:,}] {visible(event.computation)}: {told}\n")
