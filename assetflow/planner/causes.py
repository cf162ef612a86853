"""Why a partition is not up to date: the kinds of cause, and the states that they lead to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from assetflow.keys import AssetKey

CauseKind = Literal[
    "missing",
    "waiting",
    "code_changed",
    "input_changed",
    "upstream_stale",
    "schema_changed",
    "check_failed",
    "failed",
    "expired",
    "forced",
]

PartitionState = Literal["failed", "waiting", "missing", "stale", "up_to_date"]

PRECEDENCE: tuple[PartitionState, ...] = ("failed", "waiting", "missing", "stale", "up_to_date")
"""The states are disjoint: the first that applies."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason, shared by ``count`` partitions of a step.

    ``root`` names the assets where the reason began (the asset itself when it began here); ``parameter`` the edge;
    ``components`` the parts of the code that changed; ``partitions`` a few of the upstream partitions concerned, as
    ranges for people.
    """

    kind: CauseKind
    count: int
    detail: str
    root: tuple[AssetKey, ...]
    parameter: str | None = None
    components: tuple[str, ...] = ()
    partitions: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """The cause as in the plan document."""
        return {
            "kind": self.kind,
            "count": self.count,
            "detail": self.detail,
            "root": list(self.root),
            "parameter": self.parameter,
            "components": list(self.components),
            "partitions": list(self.partitions),
        }
