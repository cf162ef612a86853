"""A plan as a record: all that a later retry or comparison needs to know of it, as JSON and read back.

Partitions are recorded as ordinals, which never move; the keys of the first and the last one beside them tell whether
the definition still means the same by them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from typing import Any, cast

from assetflow.graph import AssetGraph
from assetflow.keys import AssetKey, CodeVersion
from assetflow.partitions.dynamic_space import DynamicSpace
from assetflow.partitions.multi_space import MultiSpace
from assetflow.partitions.ordinal_spaces import ordinal_space
from assetflow.partitions.sets import PartitionSet
from assetflow.partitions.spaces import PartitionSpace
from assetflow.planner.plan import Asked, Certainty, Plan
from assetflow.planner.state import Codes

RECORD = "record"
"""The field of a run's plan document that is read back."""


@dataclass(frozen=True, slots=True)
class RecordedComputation:
    """What a plan meant to do with one computation, and from which code.

    ``grain`` and ``definition`` describe how it was partitioned, the latter None for not at all; ``ends`` are the least
    and the greatest of its planned or waiting partitions, with their keys. ``expired`` are partitions that were
    computed whatever had changed.
    """

    name: str
    outputs: tuple[AssetKey, ...]
    code: CodeVersion
    grain: str
    definition: str | None
    ends: tuple[tuple[int, str | None], ...]
    steps: Mapping[Certainty, PartitionSet]
    waiting: PartitionSet = field(default_factory=PartitionSet.empty)
    expired: PartitionSet = field(default_factory=PartitionSet.empty)

    @property
    def planned(self) -> PartitionSet:
        """The partitions of all steps."""
        return _union(self.steps.values())


@dataclass(frozen=True, slots=True)
class RecordedPlan:
    """A plan as it was recorded with its run."""

    plan_id: str
    as_of: datetime
    generation: int
    asked: Asked
    forced: bool
    due: bool
    include_late: bool
    computations: Mapping[str, RecordedComputation]
    spaces: Mapping[str, str] = field(default_factory=dict[str, str])
    """What ordinals count, by computation: of those in ``computations`` and in the scope, where it was recorded."""
    dynamic: Mapping[str, PartitionSet] = field(default_factory=dict[str, PartitionSet])
    """The keys that there were of dynamic partitions, by name: of all that the planned computations could read."""


def recorded(plan: Plan, graph: AssetGraph, codes: Codes, spaces: Mapping[str, PartitionSpace]) -> dict[str, object]:
    """The plan document with the field ``record``, which :func:`read_record` reads."""
    asked = plan.asked
    steps: dict[str, dict[Certainty, PartitionSet]] = {}
    waiting: dict[str, PartitionSet] = {}
    expired: dict[str, PartitionSet] = {}
    for step in plan.steps:
        steps.setdefault(step.computation, {})[step.certainty] = step.partitions.ordinals
        if step.expired:
            expired[step.computation] = expired.get(step.computation, PartitionSet.empty()) | step.expired
    for entry in plan.waiting:
        waiting[entry.computation] = entry.partitions.ordinals
    computations: dict[str, object] = {}
    for name in dict.fromkeys((*steps, *waiting)):
        space = spaces[name]
        every = _union((*steps.get(name, {}).values(), waiting.get(name, PartitionSet.empty())))
        described: dict[str, object] = {
            "outputs": list(graph.nodes[name].outputs),
            "code": codes.computations[name].version,
            "grain": space.grain,
            "definition": None if space.definition is None else space.definition.describe(),
            "ends": [[ordinal, space.key(ordinal)] for ordinal in dict.fromkeys((every.min(), every.max()))],
            "steps": {certainty: partitions.to_text() for certainty, partitions in steps.get(name, {}).items()},
        }
        for place, found in (("waiting", waiting), ("expired", expired)):
            if name in found:
                described[place] = found[name].to_text()
        computations[name] = described
    record: dict[str, object] = {
        "selection": asked.selection,
        "partitions": [list(pair) for pair in asked.partitions],
        "retry_failed": asked.retry_failed,
        "retry_of": asked.retry_of,
        "forced": plan.forced,
        "due": plan.due,
        "include_late": plan.include_late,
        "scope": None if asked.scope is None else {name: each.to_text() for name, each in asked.scope.items()},
        "computations": computations,
        "spaces": {name: ordinal_space(graph.nodes[name].partitions) for name in (*computations, *(asked.scope or ()))},
        "dynamic": {name: each.to_text() for name, each in _dynamic(graph, computations, spaces).items()},
    }
    return {**plan.to_dict(), RECORD: record}


def _dynamic(graph: AssetGraph, names: Iterable[str], spaces: Mapping[str, PartitionSpace]) -> dict[str, PartitionSet]:
    """The keys of the sets that these computations or their upstreams have."""
    named = set(names)
    found: dict[str, PartitionSet] = {}
    for name in named | graph.ancestors(named):
        space = spaces[name]
        for each in space.spaces if isinstance(space, MultiSpace) else (space,):
            if isinstance(each, DynamicSpace) and each.definition.name not in found:
                found[each.definition.name] = PartitionSet.from_ordinals(each.present)
    return dict(sorted(found.items()))


def request_of(document: Mapping[str, object]) -> dict[str, object] | None:
    """What the plan in a run's plan document was asked for, as JSON; None where only the document was recorded."""
    record = cast("Mapping[str, object] | None", document.get(RECORD))
    if record is None:
        return None
    names = ("selection", "partitions", "forced", "due", "include_late", "retry_failed", "retry_of")
    return {"as_of": document["as_of"], **{name: record[name] for name in names}}


def read_record(document: Mapping[str, object]) -> RecordedPlan | None:
    """The plan in a run's plan document; None where only the document was recorded."""
    record = cast("Mapping[str, Any] | None", document.get(RECORD))
    if record is None:
        return None
    scope = record["scope"]
    asked = Asked(
        selection=record["selection"],
        partitions=tuple((first, last) for first, last in record["partitions"]),
        retry_failed=record["retry_failed"],
        scope=None if scope is None else {name: PartitionSet.from_text(text) for name, text in scope.items()},
        retry_of=record["retry_of"],
    )
    return RecordedPlan(
        plan_id=cast("str", document["plan_id"]),
        as_of=datetime.fromisoformat(cast("str", document["as_of"])),
        generation=cast("int", document["generation"]),
        asked=asked,
        forced=record["forced"],
        due=record["due"],
        include_late=record["include_late"],
        computations={name: _computation(name, entry) for name, entry in record["computations"].items()},
        spaces=record.get("spaces", {}),
        dynamic={name: PartitionSet.from_text(text) for name, text in record.get("dynamic", {}).items()},
    )


def _computation(name: str, entry: Mapping[str, Any]) -> RecordedComputation:
    return RecordedComputation(
        name=name,
        outputs=tuple(AssetKey(key) for key in entry["outputs"]),
        code=CodeVersion(entry["code"]),
        grain=entry["grain"],
        definition=entry["definition"],
        ends=tuple((ordinal, key) for ordinal, key in entry["ends"]),
        steps={certainty: PartitionSet.from_text(text) for certainty, text in entry["steps"].items()},
        waiting=_partitions(entry, "waiting"),
        expired=_partitions(entry, "expired"),
    )


def _partitions(entry: Mapping[str, Any], place: str) -> PartitionSet:
    return PartitionSet.from_text(entry[place]) if place in entry else PartitionSet.empty()


def _union(sets: Iterable[PartitionSet]) -> PartitionSet:
    return reduce(PartitionSet.__or__, sets, PartitionSet.empty())
