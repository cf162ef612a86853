"""Assets that were partitioned otherwise before: what to say of them, and of what was made from them."""

from __future__ import annotations

from datetime import UTC, datetime

from assetflow.keys import AssetKey
from assetflow.partitions.ordinal_spaces import WHOLE, space_words
from assetflow.planner.evidence import Era, Evidence
from assetflow.planner.facts import Facts, World


def formerly(world: World, facts: Facts) -> str:
    """What is still published of a computation from when it was partitioned otherwise; empty for nothing."""
    former = next((world.state.former[key] for key in facts.node.outputs if key in world.state.former), None)
    if former is None:
        return ""
    until = datetime.fromtimestamp(former.published_at // 1_000_000, UTC).date().isoformat()
    several = "its partition" if former.partitions == 1 else f"its {former.partitions:,} partitions"
    kept = "its version is kept" if former.space == WHOLE else f"{several} of then {_are(former.partitions)} kept"
    return f": until {until} it was {space_words(former.space)}, and {kept}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def former_words(evidence: Evidence, era: Era) -> str | None:
    """How an asset was partitioned then; None where it still is."""
    return None if era == evidence.present(era.asset) else space_words(era.space)


def otherwise(asset: AssetKey, now: str, before: str) -> str:
    """That an asset is in another space of ordinals than before.

    >>> otherwise(AssetKey("orders"), "month", "whole")
    'orders is partitioned by month, and was not partitioned'
    """
    return f"{asset} is {space_words(now)}, and was {space_words(before)}"
