"""Which partitions a retry takes: those of a recorded plan that are still to be done and still mean the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from assetflow.keys import AssetKey
from assetflow.partitions.sets import PartitionSet
from assetflow.planner.facts import Facts
from assetflow.planner.plan import Asked, Plan
from assetflow.planner.planning import plan_rows
from assetflow.planner.recording import RecordedComputation, RecordedPlan
from assetflow.planner.rows import with_mates
from assetflow.planner.spans import Flags, members
from assetflow.planner.staleness import Assessment
from assetflow.planner.state import State

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Retry:
    """Partitions by computation; ``notes`` say, a sentence each, what had to be left out and why."""

    partitions: Mapping[str, PartitionSet]
    notes: tuple[str, ...]


def as_of_run(state: State, recorded: RecordedPlan) -> State:
    """The state without the keys of dynamic partitions that were added after a plan was recorded.

    As windows that have ended since, they did not exist for it: nothing waits for them, and nothing reads them.
    """
    dynamic = {
        name: ordinals[members(ordinals, recorded.dynamic[name].array())] if name in recorded.dynamic else ordinals
        for name, ordinals in state.dynamic.items()
    }
    return replace(state, dynamic=dynamic)


def left_to_do(
    recorded: RecordedPlan, succeeded: Mapping[AssetKey, PartitionSet], *, everything: bool = False
) -> dict[str, PartitionSet]:
    """The planned and the waiting partitions that did not succeed for every output; with ``everything`` all of them."""
    found: dict[str, PartitionSet] = {}
    for name, each in recorded.computations.items():
        partitions = each.planned | each.waiting
        if not everything:
            done = partitions
            for key in each.outputs:
                done = done & succeeded.get(key, PartitionSet.empty())
            partitions = partitions - done
        if partitions:
            found[name] = partitions
    return found


def still_there(
    recorded: RecordedPlan, wanted: Mapping[str, PartitionSet], assessment: Assessment, run_id: str
) -> Retry:
    """Those of the ``wanted`` partitions that the definitions still have and mean the same by."""
    kept: dict[str, PartitionSet] = {}
    notes: list[str] = []
    for name, partitions in wanted.items():
        facts = assessment.facts.get(name)
        each = recorded.computations[name]
        number = f"{len(partitions):,} {'partition' if len(partitions) == 1 else 'partitions'}"
        if facts is None or facts.node.kind == "source":
            what = "is declared no more" if facts is None else "is a source now"
            notes.append(f"{name} {what}: {number} of run {run_id} cannot be tried again")
            continue
        if not _means_the_same(each, facts):
            now = facts.space.definition.describe() if facts.space.definition else "not partitioned"
            was = each.definition or "not partitioned"
            notes.append(f"{name} was {was} in run {run_id}, and is {now}: {number} cannot be tried again")
            continue
        ordinals = partitions.array()
        present = members(ordinals, facts.ordinals)
        if not present.all():
            gone = ordinals[~present].tolist()
            notes.append(f"{name} has {_named(assessment, facts, gone)} no more: not tried again")
        if present.any():
            kept[name] = PartitionSet.from_ordinals(ordinals[present])
    return Retry(kept, tuple(notes))


def plan_retry(
    assessment: Assessment, recorded: RecordedPlan, retry: Retry, run_id: str, *, notes: tuple[str, ...] = ()
) -> Plan:
    """The plan that does again what a run did not do: its partitions, with the code and inputs of now.

    What a run was forced to compute, or had to because it was too old, is computed whatever has changed, unless it was
    published since. What is published together is tried together. The assessment is to be made as of the recorded
    plan's moment and of the state :func:`as_of_run`.
    """
    rows: dict[str, Flags] = {}
    expired: dict[str, Flags] = {}
    for name, facts in assessment.facts.items():
        if name not in retry.partitions:
            continue
        chosen = members(facts.ordinals, retry.partitions[name].array())
        since = _published_since(facts, recorded.generation)
        if recorded.forced:
            chosen &= ~since
        old = recorded.computations[name].expired
        if old:
            expired[name] = chosen & ~since & members(facts.ordinals, old.array())
        if chosen.any():
            rows[name] = chosen
    rows = with_mates(assessment.facts, rows)
    scope = {name: PartitionSet.from_ordinals(assessment.facts[name].ordinals[chosen]) for name, chosen in rows.items()}
    asked = Asked(recorded.asked.selection, recorded.asked.partitions, scope=scope, retry_of=run_id)
    return plan_rows(assessment, rows, asked, force=recorded.forced, expired=expired, notes=(*retry.notes, *notes))


def _means_the_same(each: RecordedComputation, facts: Facts) -> bool:
    """Whether the definition gives the recorded ordinals the keys that they had, where it has them."""
    if each.grain != facts.space.grain:
        return False
    known: list[bool] = facts.space.has(np.array([ordinal for ordinal, _ in each.ends], np.int64)).tolist()
    return all(facts.space.key(ordinal) == key for (ordinal, key), has in zip(each.ends, known, strict=True) if has)


def _published_since(facts: Facts, generation: int) -> Flags:
    since = np.ones(len(facts.ordinals), np.bool_)
    for output in facts.outputs:
        newer = np.zeros(len(facts.ordinals), np.bool_)
        newer[output.places] = output.pointers.generation > generation
        since &= newer
    return since


def _named(assessment: Assessment, facts: Facts, ordinals: list[int]) -> str:
    """Partitions that a definition had once, by key where that can be told."""
    keys = [_key(assessment, facts, ordinal) for ordinal in ordinals[:_SHOWN]]
    more = f", +{len(ordinals) - _SHOWN:,} more" if len(ordinals) > _SHOWN else ""
    return f"the {'partition' if len(ordinals) == 1 else 'partitions'} {', '.join(keys)}{more}"


def _key(assessment: Assessment, facts: Facts, ordinal: int) -> str:
    try:
        if facts.space.grain == "static":
            return assessment.world.state.keys.key(ordinal)
        return str(facts.space.key(ordinal))
    except (KeyError, ValueError, OverflowError):
        return f"#{ordinal}"
