"""``status``: counts by state, watermark and last materialization of each asset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from assetflow.keys import AssetKey
from assetflow.planner.data_times import DataTimes
from assetflow.planner.freshness import Freshness, freshness_of, late_notes
from assetflow.planner.staleness import Assessment
from assetflow.store.records import AssetHead


@dataclass(frozen=True, slots=True)
class AssetStatus:
    """One asset. ``gaps`` are ranges of keys that are not published although a later one is; times are aware."""

    asset: AssetKey
    kind: str
    partitions: Mapping[str, int]
    watermark: datetime | None
    gaps: tuple[str, ...]
    last_materialized: datetime | None
    freshness: Freshness
    tolerated: int = 0
    """How many of the partitions that are up to date leave late data out."""

    def to_dict(self) -> dict[str, object]:
        """The entry as in the status document."""
        return {
            "asset": self.asset,
            "kind": self.kind,
            "partitions": dict(self.partitions),
            "watermark": self.watermark.isoformat() if self.watermark else None,
            "tolerated": self.tolerated,
            "gaps": list(self.gaps),
            "freshness": self.freshness.to_dict(),
            "last_materialized": self.last_materialized.isoformat() if self.last_materialized else None,
        }


@dataclass(frozen=True, slots=True)
class Status:
    """The assets of a selection, upstreams first; ``notes`` are sentences for people."""

    rows: tuple[AssetStatus, ...]
    notes: tuple[str, ...] = field(default=())

    def totals(self) -> dict[str, int]:
        """Partitions by state over all assets but sources."""
        totals: dict[str, int] = {}
        for row in self.rows:
            if row.kind != "source":
                for name, number in row.partitions.items():
                    totals[name] = totals.get(name, 0) + number
        return totals

    def to_dict(self) -> dict[str, object]:
        """The status document."""
        return {"assets": [row.to_dict() for row in self.rows], "notes": list(self.notes)}


def status_of(
    assessment: Assessment,
    computations: Iterable[str],
    heads: Mapping[AssetKey, AssetHead],
    notes: tuple[str, ...] = (),
) -> Status:
    """The status of every asset of some assessed computations."""
    rows: list[AssetStatus] = []
    times = DataTimes(assessment)
    for name in computations:
        facts = assessment.facts[name]
        for asset in facts.node.outputs:
            gaps = assessment.gaps(asset)
            head = heads.get(asset)
            rows.append(
                AssetStatus(
                    asset,
                    facts.node.kind,
                    assessment.counts(asset),
                    assessment.watermark(asset),
                    tuple(facts.space.describe(gaps, limit=3)) if gaps else (),
                    head.published_at if head else None,
                    freshness_of(assessment, asset, times),
                    assessment.tolerated(asset),
                )
            )
    late = late_notes({row.asset: row.freshness for row in rows})
    return Status(tuple(rows), (*notes, *late))
