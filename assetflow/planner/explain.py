"""Why one partition, or a whole asset, has the state that it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from assetflow.errors import InvalidPartition
from assetflow.keys import AssetKey, VersionId, format_address
from assetflow.partitions.spaces import ordinal_of
from assetflow.planner.causes import PRECEDENCE, Cause, PartitionState
from assetflow.planner.changed_inputs import late_causes
from assetflow.planner.evidence import Evidence
from assetflow.planner.facts import Facts
from assetflow.planner.inherited import inherited_causes
from assetflow.planner.reasons import own_causes
from assetflow.planner.scene import Scene
from assetflow.planner.spans import Flags
from assetflow.planner.staleness import UP_TO_DATE_STATE, Assessment
from assetflow.planner.trace import Trace
from assetflow.planner.tracing import trace
from assetflow.planner.waiting import waiting_cause


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer to ``why``: a state and its causes, roots before inherited ones.

    Of a whole partitioned asset, ``partition`` and ``version`` are None, ``state`` is the first in precedence that any
    partition has, ``counts`` are as in the status, and causes say how many partitions share them.
    """

    asset: AssetKey
    partition: str | None
    state: PartitionState
    held: bool
    causes: tuple[Cause, ...]
    version: VersionId | None
    counts: Mapping[str, int] | None = None
    notes: tuple[str, ...] = ()
    """Sentences for people: sources that could not be observed."""
    trace: Trace = field(default_factory=Trace)
    """The way to the roots, where the past could be looked up."""
    tolerated: tuple[Cause, ...] = ()
    """The late data that is left out, by edge."""

    def to_dict(self) -> dict[str, object]:
        """The explanation as the JSON document of ``why``."""
        counts = {} if self.counts is None else {"partitions": dict(self.counts)}
        return {
            "asset": self.asset,
            "partition": self.partition,
            "state": self.state,
            "held": self.held,
            "causes": [cause.to_dict() for cause in self.causes],
            "trace": self.trace.to_dict(),
            "version": self.version,
            "notes": list(self.notes),
            "tolerated": [cause.to_dict() for cause in self.tolerated],
            **counts,
        }


def explain(
    assessment: Assessment, asset: AssetKey, partition: str | None = None, evidence: Evidence | None = None
) -> Explanation:
    """Why ``asset``, or one partition of it, is in its state, with ``evidence`` exactly and back to the roots.

    Raises UnknownAsset and InvalidPartition.
    """
    asset = assessment.world.graph.require(asset)
    facts = assessment.facts[assessment.world.graph.owner[asset]]
    if partition is None and facts.space.grain != "none":
        return _of_all(assessment, facts, asset, evidence)

    row = 0 if partition is None else row_of(facts, asset, partition)
    rows = np.zeros(len(facts.ordinals), np.bool_)
    rows[row] = True
    output = facts.output(asset)
    place = np.flatnonzero(np.arange(len(rows))[output.places] == row)
    version = VersionId(int(output.pointers.version[place[0]])) if len(place) else None
    code = int(assessment.states(asset)[row])
    held = code == UP_TO_DATE_STATE and len(place) > 0 and bool(output.pointers.held[place[0]])
    key = facts.space.key(int(facts.ordinals[row]))
    causes = causes_of(assessment, facts, rows, evidence)
    way = _trace(assessment, asset, rows, evidence) if causes else Trace()
    late = late_causes(Scene(assessment.world, assessment.facts, assessment.flows), facts.node.name, rows)
    return Explanation(asset, key, PRECEDENCE[code], held, causes, version, trace=way, tolerated=late)


def _trace(assessment: Assessment, asset: AssetKey, rows: Flags, evidence: Evidence | None) -> Trace:
    if evidence is None:
        return Trace()
    return trace(Scene(assessment.world, assessment.facts, assessment.flows), asset, rows, evidence)


def _of_all(assessment: Assessment, facts: Facts, asset: AssetKey, evidence: Evidence | None) -> Explanation:
    codes = assessment.states(asset)
    state = PRECEDENCE[int(codes.min())] if len(codes) else "up_to_date"
    output = facts.output(asset)
    held = bool((output.pointers.held & (codes[output.places] == UP_TO_DATE_STATE)).any())
    every = np.ones(len(codes), np.bool_)
    causes = causes_of(assessment, facts, every, evidence)
    way = _trace(assessment, asset, _concerned(assessment, facts), evidence) if causes else Trace()
    late = late_causes(Scene(assessment.world, assessment.facts, assessment.flows), facts.node.name, every)
    return Explanation(asset, None, state, held, causes, None, assessment.counts(asset), trace=way, tolerated=late)


def _concerned(assessment: Assessment, facts: Facts) -> Flags:
    """The rows that have any cause."""
    flow = assessment.flows[facts.node.name]
    found = [facts.bits != 0, *(each for each in (flow.lacks, *flow.pending) if each is not None)]
    return np.logical_or.reduce(found)


def row_of(facts: Facts, asset: AssetKey, partition: str) -> int:
    """The row of an existing partition. Raises InvalidPartition."""
    ordinal = ordinal_of(facts.space, asset, partition)
    row = int(np.searchsorted(facts.ordinals, ordinal))
    if row < len(facts.ordinals) and facts.ordinals[row] == ordinal:
        return row
    window = facts.space.window(ordinal)
    ends = f": its window ends at {window[1].isoformat()}" if window else ""
    raise InvalidPartition(
        f"{format_address(asset, partition)} does not exist yet{ends}",
        hint="a time partition exists once its window has ended",
    )


def causes_of(assessment: Assessment, facts: Facts, rows: Flags, evidence: Evidence | None = None) -> tuple[Cause, ...]:
    """Why these rows of a computation are not up to date; with ``evidence``, exactly what changed."""
    name = facts.node.name
    scene = Scene(assessment.world, assessment.facts, assessment.flows, evidence=evidence)
    if facts.node.kind == "source":
        missing = int(np.count_nonzero(rows & ~facts.outputs[0].versioned))
        return (Cause("missing", missing, "not observed", facts.node.outputs),) if missing else ()
    waiting = waiting_cause(scene, name, rows)
    own, inherited = own_causes(scene, name, rows), inherited_causes(scene, name, rows)
    return (*([waiting] if waiting else []), *own, *inherited)
