"""What a run reports: progress while it goes, the result at its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from assetflow.keys import AssetKey, format_address
from assetflow.planner.plan import Plan

Outcome = Literal["materialized", "unchanged", "reused", "failed", "quarantined", "blocked", "waiting", "canceled"]
OUTCOMES: tuple[Outcome, ...] = (
    "materialized",
    "unchanged",
    "reused",
    "failed",
    "quarantined",
    "blocked",
    "waiting",
    "canceled",
)
ResultStatus = Literal["success", "failed", "canceled"]


EventKind = Literal["started", "step_started", "partition", "step_finished", "finished", "waiting", "lease_lost"]


@dataclass(frozen=True, slots=True)
class RunEvent:
    """Progress: a run or a step starts or ends, or one partition of a computation is done.

    Or the run waits for others (``waits_for``), or has stood still for so long that it has to begin again.

    ``done`` and ``total`` count asset partitions of the whole run; ``seconds`` is the time since the run began,
    ``left`` what the rest is expected to take: at least that, where not ``left_complete``, None without any history.
    """

    kind: EventKind
    done: int
    total: int
    seconds: float
    computation: str | None = None
    partition: str | None = None
    outcome: Outcome | None = None
    left: float | None = None
    left_complete: bool = True
    waits_for: tuple[str, ...] = ()
    run_id: str | None = None


Listener = Callable[[RunEvent], None]


@dataclass(frozen=True, slots=True)
class Failure:
    """One asset partition that failed or was quarantined; ``error`` has the fields of the error document."""

    asset: AssetKey
    partition: str | None
    error: Mapping[str, object]

    def to_dict(self) -> dict[str, object]:
        """The failure as in the materialize document."""
        return {"asset": self.asset, "partition": self.partition, "error": dict(self.error)}

    def __str__(self) -> str:
        return f"{format_address(self.asset, self.partition)}: {self.error['message']}"


def no_counts() -> dict[Outcome, int]:
    """All outcomes at zero.

    >>> sum(no_counts().values())
    0
    """
    return dict.fromkeys(OUTCOMES, 0)


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended; ``run_id`` is None when there was nothing to do."""

    status: ResultStatus
    run_id: str | None
    counts: Mapping[Outcome, int]
    seconds: float
    failures: tuple[Failure, ...]
    plan: Plan
    by_asset: Mapping[AssetKey, Mapping[Outcome, int]] = field(default_factory=dict[AssetKey, "Mapping[Outcome, int]"])
    added: Mapping[str, int] = field(default_factory=dict[str, int])
    """How many keys the run added to dynamic partitions, by name; the next run builds them."""

    def to_dict(self) -> dict[str, object]:
        """The materialize document."""
        return {
            "run_id": self.run_id,
            "status": self.status,
            "counts": dict(self.counts),
            "seconds": round(self.seconds, 3),
            "failures": [failure.to_dict() for failure in self.failures],
            "assets": {asset: {k: n for k, n in counts.items() if n} for asset, counts in self.by_asset.items()},
            "added": dict(self.added),
        }
