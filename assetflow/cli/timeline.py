"""A run as a timeline: when each step waited, ran and was published, drawn in as many columns as there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import cast

from assetflow.cli.terminal import Column

WAITS, RUNS, PUBLISHES, CRITICAL = ".", "#", ">", "*"

LEGEND = f"{WAITS} waits  {RUNS} runs  {PUBLISHES} is published  {CRITICAL} on the critical path"

_STYLES = {WAITS: "dim", RUNS: "green", PUBLISHES: "cyan", CRITICAL: "bold yellow"}
_LEAST, _MOST = 12, 60


BARS = Column("timeline", styles=_STYLES, whole=True)
"""The column that bars are printed in."""


def bar_width(page_width: int, taken: int) -> int:
    """How many columns a bar has beside others that take so many.

    >>> bar_width(100, 50), bar_width(10_000, 50), bar_width(40, 50)
    (46, 60, 12)
    """
    return min(max(page_width - taken - 4, _LEAST), _MOST)


class Timeline:
    """The steps of a run document on one scale."""

    def __init__(self, run: Mapping[str, object], width: int) -> None:
        steps = [step for step in cast("Sequence[Mapping[str, object]]", run["steps"]) if step["call_size"] is not None]
        path = cast("Sequence[Mapping[str, object]]", run["critical_path"])
        self._width = width
        self._critical = {_identity(step) for step in path}
        self._begins = min((_spans(step)[0] for step in steps), default=0.0)
        self._scale = max((_spans(step)[-1] for step in steps), default=0.0) - self._begins

    def bar(self, steps: Sequence[Mapping[str, object]]) -> str:
        """One bar for some steps: from when the first was ready until the last was published."""
        called = [step for step in steps if step["call_size"] is not None]
        if not called:
            return ""
        spans = [_spans(step) for step in called]
        started, ended = min(span[1] for span in spans), max(span[2] for span in spans)
        queued, published = self._column(min(span[0] for span in spans)), self._column(max(span[3] for span in spans))
        first = min(self._column(started), self._width - 1)
        last = max(self._column(ended), first + 1)
        text = " " * min(queued, first) + WAITS * (first - queued) + RUNS * (last - first)
        text += PUBLISHES * (published - last)
        critical = any(_identity(step) in self._critical for step in called)
        return f"{CRITICAL if critical else ' '} {text}".rstrip()

    def _column(self, moment: float) -> int:
        return round((moment - self._begins) / self._scale * self._width) if self._scale else 0


def _identity(step: Mapping[str, object]) -> tuple[object, ...]:
    return step["asset"], step["partition"], step["attempt"]


def _spans(step: Mapping[str, object]) -> tuple[float, float, float, float]:
    """When it was ready, began, ended, and was published, in seconds."""
    queued, started, ended = (
        datetime.fromisoformat(cast("str", step[name])).timestamp() for name in ("queued_at", "started_at", "ended_at")
    )
    return queued, started, ended, ended + (cast("float | None", step["publish_seconds"]) or 0.0)
