"""The answer to ``why`` in words."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from assetflow.cli.terminal import Page
from assetflow.cli.tracing import show_trace
from assetflow.cli.words import count
from assetflow.keys import format_address

if TYPE_CHECKING:
    from assetflow.planner.causes import Cause, PartitionState
    from assetflow.planner.explain import Explanation

STATE_STYLES: dict[PartitionState, str] = {
    "failed": "bold red",
    "waiting": "magenta",
    "missing": "yellow",
    "stale": "yellow",
    "up_to_date": "green",
}
_ORDER: tuple[PartitionState, ...] = ("up_to_date", "stale", "missing", "waiting", "failed")


def show_explanation(page: Page, found: Explanation, *, is_source: bool = False) -> None:
    """Print the state and the way to each of its causes, then what is published and what to do.

    A source is observed, so there is nothing to do to it.
    """
    address = format_address(found.asset, found.partition)
    lead = f"{address} {'has' if found.state == 'failed' else 'is'} {_words(found.state)}"
    page.line(f"{lead}{_counted(found)}", style=STATE_STYLES[found.state], lead=lead)
    show_trace(page, found.trace, indent=2, numbers=found.counts is not None)
    for cause in found.tolerated:
        page.line(f"  leaves out: {cause.detail}{_shared(cause, found)}; --include-late takes it in")
    if found.held:
        page.line("  held: an older version was published again; it stays until code or inputs change")
    if found.counts is None:
        page.line("  nothing is published" if found.version is None else f"  published: version {found.version}")
    for note in found.notes:
        page.line(f"  note: {note}")
    hint = None if is_source else _hint(found.state, address)
    if hint is not None:
        page.line(f"  hint: {hint}", style="cyan", lead="  hint:")


def _shared(cause: Cause, found: Explanation) -> str:
    return "" if found.counts is None else f" ({count(cause.count, 'partition')})"


def _counted(found: Explanation) -> str:
    if found.counts is None:
        return ""
    parts = [f"{found.counts[state]:,} {_words(state)}" for state in _ORDER if found.counts[state]]
    return f": of {count(found.counts['total'], 'partition')}, {', '.join(parts) or 'none exists yet'}"


def _hint(state: PartitionState, address: str) -> str | None:
    asset, at, partition = address.partition("@")
    chosen = f"{asset} --partition {shlex.quote(partition)}" if at else asset
    match state:
        case "stale" | "missing":
            return f"assetflow materialize --select +{chosen}"
        case "failed":
            return f"after mending: assetflow materialize --select {chosen}"
        case _:
            return None


def _words(state: str) -> str:
    return state.replace("_", " ")
