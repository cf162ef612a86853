"""The plan: frozen data that explaining and running read alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from assetflow.errors import UsageError
from assetflow.keys import AssetKey
from assetflow.partitions.sets import PartitionSet
from assetflow.planner.causes import Cause

if TYPE_CHECKING:
    from assetflow.planner.answers import Answer
    from assetflow.planner.evidence import Evidence
    from assetflow.planner.scene import Scene
    from assetflow.planner.trace import Trace

Certainty = Literal["will", "may", "reuse", "check"]


@dataclass(frozen=True, slots=True)
class Partitions:
    """Partitions of one computation, with ranges for people; ``ranges`` is None when it is unpartitioned."""

    ordinals: PartitionSet
    ranges: tuple[tuple[str, str], ...] | None

    def to_dict(self) -> dict[str, object] | None:
        """``{"count", "ranges"}``, or None when unpartitioned."""
        if self.ranges is None:
            return None
        return {"count": len(self.ordinals), "ranges": [list(pair) for pair in self.ranges]}


@dataclass(frozen=True, slots=True, eq=False)
class Reuse:
    """Which retained versions a ``reuse`` or a candidate ``check`` step would publish, aligned by ordinal."""

    ordinals: NDArray[np.int64]
    version: NDArray[np.int64]
    derivation: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a step is expected to take and to write; rows and bytes are None for values that have none."""

    seconds: float
    rows: int | None
    bytes: int | None

    def to_dict(self) -> dict[str, object]:
        """The estimate as in the plan document."""
        return {"seconds": round(self.seconds, 3), "rows": self.rows, "bytes": self.bytes}


@dataclass(frozen=True, slots=True)
class Step:
    """What one computation would do, for all its partitions of one certainty."""

    computation: str
    outputs: tuple[AssetKey, ...]
    certainty: Certainty
    partitions: Partitions
    causes: tuple[Cause, ...]
    inherited: tuple[Cause, ...] = ()
    """Causes of kind ``upstream_stale``, kept apart from the roots."""
    reuse: Mapping[AssetKey, Reuse] = field(default_factory=dict[AssetKey, Reuse])
    """By output: what a ``reuse`` step publishes again, or the candidates that a ``check`` step is to publish."""
    publish_group: str | None = None
    """Under which name its partitions are published together with those of other steps."""
    expired: PartitionSet = field(default_factory=PartitionSet.empty)
    """Those of the partitions that are computed although nothing may have changed: their data is too old."""
    estimate: Estimate | None = None
    """From the computation's own past; None without any."""

    @property
    def asset_partitions(self) -> int:
        """How many asset partitions the step covers: partitions times outputs."""
        return len(self.partitions.ordinals) * len(self.outputs)

    def to_dict(self) -> dict[str, object]:
        """The step as in the plan document."""
        document: dict[str, object] = {
            "asset": self.computation,
            "outputs": list(self.outputs),
            "certainty": self.certainty,
            "partitions": self.partitions.to_dict(),
            "causes": [cause.to_dict() for cause in (*self.causes, *self.inherited)],
            "estimate": self.estimate.to_dict() if self.estimate else None,
        }
        if self.publish_group is not None:
            document["publish_group"] = self.publish_group
        return document


@dataclass(frozen=True, slots=True)
class Waiting:
    """Partitions of a computation that cannot be built in this plan, and the upstream partitions that they lack."""

    computation: str
    outputs: tuple[AssetKey, ...]
    partitions: Partitions
    lacking: tuple[str, ...]
    """Addresses ``asset@key``, ``asset@first...last`` or ``asset``."""

    def to_dict(self) -> dict[str, object]:
        """The entry as in the plan document."""
        return {"asset": self.computation, "partitions": self.partitions.to_dict(), "for": list(self.lacking)}


@dataclass(frozen=True, slots=True)
class Tolerated:
    """Partitions of a computation that stay as they are although late data would change them."""

    computation: str
    outputs: tuple[AssetKey, ...]
    partitions: Partitions

    def to_dict(self) -> dict[str, object]:
        """The entry as in the plan document."""
        return {"asset": self.computation, "partitions": self.partitions.to_dict()}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a plan was asked for, beside ``forced`` and ``due``.

    ``partitions`` are pairs of first and last key. ``scope`` holds by computation the partitions that could get a step;
    None means all that existed of everything. ``retry_of`` is the run whose partitions are tried again.
    """

    selection: str = "*"
    partitions: tuple[tuple[str, str], ...] = ()
    retry_failed: bool = True
    scope: Mapping[str, PartitionSet] | None = None
    retry_of: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What would run now and why, in an order that respects the graph.

    ``plan_id`` is a hash of the content, so that an outdated plan is recognised; ``as_of`` is the ``now`` it was made
    for, ``generation`` the commit it was made on.
    """

    plan_id: str
    as_of: datetime
    generation: int
    steps: tuple[Step, ...]
    waiting: tuple[Waiting, ...] = ()
    outside: tuple[AssetKey, ...] = ()
    forced: bool = False
    notes: tuple[str, ...] = ()
    """Sentences for people: upstream keys that cannot exist, sources that could not be observed."""
    totals: Mapping[str, int | float | None] = field(default_factory=dict[str, "int | float | None"])
    due: bool = False
    """Whether it is made of what freshness policies need now, instead of all that is stale."""
    next_deadline: datetime | None = None
    """Of a ``due`` plan: when there will be more to do, if nothing is done until then."""
    tolerated: tuple[Tolerated, ...] = ()
    """What late data is left out of."""
    include_late: bool = False
    """Whether late data makes stale like any other."""
    asked: Asked = field(default_factory=Asked)
    scene: Scene | None = field(default=None, repr=False, compare=False)
    """What the plan was decided from."""
    evidence: Evidence | None = field(default=None, repr=False, compare=False)
    """Where explanations look up the past; None: nowhere."""

    def explain(self, asset: str, partition: str | None = None) -> Answer:
        """What the plan does with an asset or partition, with the way to what made it due.

        Looks up the past, so it takes longer than the plan's own causes. Raises UnknownAsset, InvalidPartition,
        StoreError, and UsageError for a plan that was made apart from a project.
        """
        from assetflow.planner.answers import answer

        scene, evidence = self._explained()
        return answer(self, scene, evidence, asset, partition)

    def traces(self) -> tuple[Trace, ...]:
        """The trace of every step, without what the steps upstream tell themselves. Raises as :meth:`explain`."""
        from assetflow.planner.answers import step_trace

        scene, evidence = self._explained()
        return tuple(step_trace(scene, evidence, step) for step in self.steps)

    def _explained(self) -> tuple[Scene, Evidence]:
        if self.scene is None or self.evidence is None:
            raise UsageError("this plan knows nothing of the past", hint="explain plans that Project.plan() made")
        return self.scene, self.evidence

    def to_dict(self) -> dict[str, object]:
        """The plan as the JSON document that programs read."""
        document: dict[str, object] = {
            "plan_id": self.plan_id,
            "as_of": self.as_of.isoformat(),
            "generation": self.generation,
            "steps": [step.to_dict() for step in self.steps],
            "totals": dict(self.totals),
            "waiting": [entry.to_dict() for entry in self.waiting],
            "outside": list(self.outside),
            "tolerated": [entry.to_dict() for entry in self.tolerated],
            "notes": list(self.notes),
        }
        if self.due:
            document["next_deadline"] = self.next_deadline.isoformat() if self.next_deadline else None
        return document
