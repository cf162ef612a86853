"""How far the windows of a time-partitioned asset are published."""

from __future__ import annotations

from datetime import UTC, datetime

from assetflow.keys import AssetKey
from assetflow.planner.facts import Facts


def first_missing(facts: Facts, key: AssetKey) -> int:
    """The row up to which all windows are published."""
    versioned = facts.output(key).versioned
    return len(versioned) if versioned.all() else int((~versioned).argmax())


def reached(facts: Facts, key: AssetKey) -> datetime | None:
    """The watermark, or the begin of the first window where nothing is published; None: no window has ended yet."""
    if not len(facts.ordinals):
        return None
    row = first_missing(facts, key)
    windows = facts.space.windows(facts.ordinals[max(row - 1, 0)][None])
    assert windows is not None
    return datetime.fromtimestamp(int(windows[1 if row else 0][0]), UTC)


def complete(facts: Facts, key: AssetKey) -> bool:
    """Whether every window is published that there will ever be."""
    if first_missing(facts, key) < len(facts.ordinals) or not len(facts.ordinals):
        return False
    return not facts.space.has(facts.ordinals[-1:] + 1)[0]
