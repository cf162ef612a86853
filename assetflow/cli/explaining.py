"""The answer to ``why`` in words."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from assetflow.cli.terminal import Page
from assetflow.cli.words import count
from assetflow.keys import format_address

if TYPE_CHECKING:
    from assetflow.planner.causes import PartitionState
    from assetflow.planner.explain import Explanation

STATE_STYLES: dict[PartitionState, str] = {
    "failed": "bold red",
    "waiting": "magenta",
    "missing": "yellow",
    "stale": "yellow",
    "up_to_date": "green",
}
_ORDER: tuple[PartitionState, ...] = ("up_to_date", "stale", "missing", "waiting", "failed")


def show_explanation(page: Page, found: Explanation) -> None:
    """Print the state, then each cause on its own line, then what is published and what to do."""
    address = format_address(found.asset, found.partition)
    lead = f"{address} is {_words(found.state)}"
    page.line(f"{lead}{_counted(found)}", style=STATE_STYLES[found.state], lead=lead)
    for cause in found.causes:
        elsewhere = [root for root in cause.root if root != found.asset]
        began = f" (began at {', '.join(elsewhere)})" if elsewhere and "began at" not in cause.detail else ""
        number = f" ({count(cause.count, 'partition')})" if found.counts is not None else ""
        page.line(f"  because {cause.detail}{began}{number}")
    if found.held:
        page.line("  held: an older version was published again; it stays until code or inputs change")
    if found.counts is None:
        page.line("  nothing is published" if found.version is None else f"  published: version {found.version}")
    if hint := _hint(found.state, address):
        page.line(f"  hint: {hint}", style="cyan", lead="  hint:")


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
