"""How a run is followed while it goes: a live line on a terminal, otherwise one line at the end of each step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from assetflow.cli.terminal import Page
from assetflow.cli.words import visible

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
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    bars = Progress(
        SpinnerColumn(),
        TextColumn("{task.fields[what]}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TextColumn("ETA", style="dim"),
        TimeRemainingColumn(compact=True),
    )
    task = bars.add_task("", total=None, what="starting", rate="")
    latest: RunEvent | None = None

    def listen(event: RunEvent) -> None:
        # Only kept here, and drawn some times a second: a run of many tiny partitions does not wait for its display.
        nonlocal latest
        latest = event

    def draw() -> RenderableType:
        if latest is not None:
            rate = f"{latest.done / latest.seconds:,.0f}/s" if latest.seconds > 0 and latest.done else ""
            what = visible(latest.computation or "run")
            bars.update(task, total=latest.total, completed=latest.done, what=what, rate=rate)
        return bars.get_renderable()

    with Live(get_renderable=draw, console=Page(stream).console, transient=True, refresh_per_second=10):
        yield listen


class StepLines:
    """Prints for each step, once it has ended, how many of its partitions had which outcome."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._outcomes: dict[str, Counter[str]] = {}

    def __call__(self, event: RunEvent) -> None:
        """Take one event of a run."""
        if event.computation is None:
            return
        outcomes = self._outcomes.setdefault(event.computation, Counter())
        if event.outcome is not None:
            outcomes[event.outcome] += 1
        elif event.kind == "step_finished" and outcomes:
            told = ", ".join(f"{number:,} {outcome}" for outcome, number in outcomes.items())
            self._stream.write(f"[{event.done:,}/{event.total:,}] {visible(event.computation)}: {told}\n")
