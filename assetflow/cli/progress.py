"""How a run is followed while it goes: a live line on a terminal, otherwise one line at the end of each step."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from assetflow.cli.terminal import Page
from assetflow.cli.words import visible

if TYPE_CHECKING:
    from assetflow.execution.result import Listener, RunEvent

_PAUSE = 0.1
"""Seconds between two refreshes: a run of many tiny partitions must not wait for its display."""


@contextmanager
def following(stream: TextIO) -> Generator[Listener]:
    """Give a listener for ``Project.materialize`` that tells on ``stream`` how the run goes."""
    if not stream.isatty():
        yield StepLines(stream)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    display = Progress(
        SpinnerColumn(),
        TextColumn("{task.fields[what]}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TextColumn("ETA", style="dim"),
        TimeRemainingColumn(compact=True),
        console=Page(stream).console,
        transient=True,
    )
    with display:
        task = display.add_task("", total=None, what="starting", rate="")
        shown = 0.0

        def live(event: RunEvent) -> None:
            nonlocal shown
            now = time.monotonic()
            if now - shown < _PAUSE and event.kind == "partition":
                return
            shown = now
            rate = f"{event.done / event.seconds:,.0f}/s" if event.seconds > 0 and event.done else ""
            display.update(
                task, total=event.total, completed=event.done, what=visible(event.computation or "run"), rate=rate
            )

        yield live


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
