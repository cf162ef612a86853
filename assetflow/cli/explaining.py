"""The answer to ``why`` in words."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from assetflow.cli.sentences import because, origin
from assetflow.cli.terminal import Page
from assetflow.cli.words import count
from assetflow.keys import format_address

if TYPE_CHECKING:
    from assetflow.keys import AssetKey
    from assetflow.planner.causes import Cause, PartitionState
    from assetflow.planner.explain import Explanation

STATE_STYLES: dict[PartitionState, str] = {
    "failed": "bold red",
    "waiting": "magenta",
    "missing": "yellow",
    "stale": "yellow",
    "up_to_date": "green",
}
_SHOWN_ROOTS = 3
_ORDER: tuple[PartitionState, ...] = ("up_to_date", "stale", "missing", "waiting", "failed")


def show_explanation(
    page: Page, found: Explanation, roots: Sequence[Explanation] = (), *, is_source: bool = False
) -> None:
    """Print the state and each cause, then what is published and what to do.

    ``roots`` explain the assets in which inherited causes began. A source is observed, so there is nothing to do to it.
    """
    address = format_address(found.asset, found.partition)
    lead = f"{address} {'has' if found.state == 'failed' else 'is'} {_words(found.state)}"
    page.line(f"{lead}{_counted(found)}", style=STATE_STYLES[found.state], lead=lead)
    for cause in found.causes:
        page.line(f"  {because(cause)}{cause.detail}{origin(cause, [found.asset])}{_number(cause, found)}")
    for root in roots:
        for cause in root.causes:
            if cause.kind != "upstream_stale":
                page.line(f"    and {root.asset}: {cause.detail}{_number(cause, root)}")
    if found.held:
        page.line("  held: an older version was published again; it stays until code or inputs change")
    if found.counts is None:
        page.line("  nothing is published" if found.version is None else f"  published: version {found.version}")
    for note in found.notes:
        page.line(f"  note: {note}")
    hint = None if is_source else _hint(found.state, address)
    if hint is not None:
        page.line(f"  hint: {hint}", style="cyan", lead="  hint:")


def root_assets(found: Explanation) -> list[AssetKey]:
    """The first few assets elsewhere in which the causes began."""
    roots = dict.fromkeys(root for cause in found.causes if cause.kind == "upstream_stale" for root in cause.root)
    return [root for root in roots if root != found.asset][:_SHOWN_ROOTS]


def _number(cause: Cause, found: Explanation) -> str:
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
