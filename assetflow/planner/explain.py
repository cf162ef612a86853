"""Why one partition, or a whole asset, has the state that it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from assetflow.errors import InvalidPartition
from assetflow.keys import AssetKey, VersionId, format_address
from assetflow.partitions.spaces import ordinal_of
from assetflow.planner.causes import PRECEDENCE, Cause, PartitionState
from assetflow.planner.facts import Facts
from assetflow.planner.reasons import Scene, inherited_causes, own_causes, waiting_cause
from assetflow.planner.spans import Flags
from assetflow.planner.staleness import UP_TO_DATE_STATE, Assessment


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

    def to_dict(self) -> dict[str, object]:
        """The explanation as the JSON document of ``why``."""
        counts = {} if self.counts is None else {"partitions": dict(self.counts)}
        return {
            "asset": self.asset,
            "partition": self.partition,
            "state": self.state,
            "held": self.held,
            "causes": [cause.to_dict() for cause in self.causes],
            "version": self.version,
            "notes": list(self.notes),
            **counts,
        }


def explain(assessment: Assessment, asset: AssetKey, partition: str | None = None) -> Explanation:
    """Why ``asset``, or one partition of it, is in its state. Raises UnknownAsset and InvalidPartition."""
    asset = assessment.world.graph.require(asset)
    facts = assessment.facts[assessment.world.graph.owner[asset]]
    if partition is None and facts.space.grain != "none":
        return _of_all(assessment, facts, asset)

    row = 0 if partition is None else _row(facts, asset, partition)
    rows = np.zeros(len(facts.ordinals), np.bool_)
    rows[row] = True
    output = facts.output(asset)
    place = np.flatnonzero(np.arange(len(rows))[output.places] == row)
    version = VersionId(int(output.pointers.version[place[0]])) if len(place) else None
    code = int(assessment.states(asset)[row])
    held = code == UP_TO_DATE_STATE and len(place) > 0 and bool(output.pointers.held[place[0]])
    key = facts.space.key(int(facts.ordinals[row]))
    return Explanation(asset, key, PRECEDENCE[code], held, _causes(assessment, facts, rows), version)


def _of_all(assessment: Assessment, facts: Facts, asset: AssetKey) -> Explanation:
    codes = assessment.states(asset)
    state = PRECEDENCE[int(codes.min())] if len(codes) else "up_to_date"
    output = facts.output(asset)
    held = bool((output.pointers.held & (codes[output.places] == UP_TO_DATE_STATE)).any())
    causes = _causes(assessment, facts, np.ones(len(codes), np.bool_))
    return Explanation(asset, None, state, held, causes, None, assessment.counts(asset))


def _row(facts: Facts, asset: AssetKey, partition: str) -> int:
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


def _causes(assessment: Assessment, facts: Facts, rows: Flags) -> tuple[Cause, ...]:
    name = facts.node.name
    scene = Scene(assessment.world, assessment.facts, assessment.flows)
    if facts.node.kind == "source":
        missing = int(np.count_nonzero(rows & ~facts.outputs[0].versioned))
        return (Cause("missing", missing, "not observed", facts.node.outputs),) if missing else ()
    waiting = waiting_cause(scene, name, rows)
    own, inherited = own_causes(scene, name, rows), inherited_causes(scene, name, rows)
    return (*([waiting] if waiting else []), *own, *inherited)
