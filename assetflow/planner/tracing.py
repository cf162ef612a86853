"""From partitions that are due to the roots: through what is planned upstream, then through what was published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from assetflow.keys import AssetKey
from assetflow.partitions.sets import PartitionSet
from assetflow.partitions.spans import covered
from assetflow.planner.causes import Cause, CauseKind
from assetflow.planner.changed_inputs import recorded_changes
from assetflow.planner.differences import Replaced, code_changes
from assetflow.planner.evidence import Era, Evidence
from assetflow.planner.facts import CODE, FAILED, MISSING, SCHEMA, EdgeFacts, Facts
from assetflow.planner.flow import unobtainable
from assetflow.planner.inherited import inherited_causes
from assetflow.planner.publish_groups import grouped
from assetflow.planner.reasons import own_causes
from assetflow.planner.recounting import SHOWN, Changes, changed_input, recount
from assetflow.planner.scans import traced
from assetflow.planner.scene import Scene
from assetflow.planner.spans import Flags
from assetflow.planner.trace import Link, Reason, Trace, few
from assetflow.planner.waiting import waiting_cause, with_own

_BITS: Mapping[CauseKind, int] = {"missing": MISSING, "code_changed": CODE, "schema_changed": SCHEMA, "failed": FAILED}


def trace(
    scene: Scene, asset: AssetKey, rows: Flags, evidence: Evidence, *, deep: bool = True, shown: int = SHOWN
) -> Trace:
    """The way from these rows of an asset's computation to what made them due.

    Without ``deep``, what is planned upstream is left to its own trace. Up to ``shown`` ranges of partitions and
    versions are listed.
    """
    graph = scene.world.graph
    pending = {graph.owner[asset]: rows}
    walk = _Walk(scene, evidence, shown, {graph.owner[asset]: asset})
    links: list[Link] = []
    for name in _backward(scene, walk, pending) if deep else list(pending):
        chosen = pending.pop(name)
        upstream = _upstream(scene, name, chosen) if deep else {}
        if name in upstream:
            chosen = chosen | upstream.pop(name)[1]
        for above, (key, moving) in upstream.items():
            walk.labels.setdefault(above, key)
            pending[above] = pending[above] | moving if above in pending else moving
        links.append(walk.link(name, chosen, [walk.labels[above] for above in upstream]))
    order = {key: place for place, node in enumerate(graph.nodes.values()) for key in node.outputs}
    return Trace((*links, *recount(evidence, walk.changes, order, shown)))


def _backward(scene: Scene, walk: _Walk, pending: dict[str, Flags]) -> Iterator[str]:
    """The computations that are met, each before its upstreams; of a publish group, those met from outside first."""
    for members in reversed(list(grouped(scene.facts))):
        if not pending:
            return
        met = [name for name in reversed(members) if name in pending]
        for name in met:
            for mate, rows in _mates(scene, name, pending[name]).items():
                walk.labels.setdefault(mate, scene.facts[mate].node.outputs[0])
                pending[mate] = pending[mate] | rows if mate in pending else rows
        # Members may read each other: what is met on the way comes after what it was met from.
        for name in (*met, *(each for each in reversed(members) if each not in met)):
            if name in pending:
                yield name
        for name in members:
            pending.pop(name, None)


def _mates(scene: Scene, name: str, rows: Flags) -> dict[str, Flags]:
    """The rows of other members of the publish group, which wait for what these rows only wait with."""
    held = scene.flows[name].held
    if held is None or not (rows & held).any():
        return {}
    found: dict[str, Flags] = {}
    for mate in scene.world.graph.mates(name):
        if mate not in scene.flows:
            continue
        flow = scene.flows[mate]
        lacks = flow.lacks if flow.held is None or flow.lacks is None else flow.lacks & ~flow.held
        if lacks is not None and (waiting := rows & held & lacks).any():
            found[mate] = waiting
    return found


def _upstream(scene: Scene, name: str, rows: Flags) -> dict[str, tuple[AssetKey, Flags]]:
    """The rows of each upstream computation that make these rows move or wait; of the computation itself too."""
    facts = scene.facts[name]
    found: dict[str, tuple[AssetKey, Flags]] = {}
    own = [edge.upstream == name for edge in facts.edges]
    if any(own):
        rows = _closed(scene, name, rows)
        found[name] = (facts.node.outputs[0], rows)
    for place, edge in enumerate(facts.edges):
        reached = None if own[place] else _reached(scene, name, place, edge, rows)
        if reached is not None and reached.any():
            key, known = found.get(edge.upstream, (edge.edge.upstream, reached))
            found[edge.upstream] = (key, known | reached)
    return found


def _closed(scene: Scene, name: str, rows: Flags) -> Flags:
    """The rows of a computation with those of its own that they lead back to."""
    facts, flow = scene.facts[name], scene.flows[name]
    found = rows
    if facts.own is not None and flow.moves is not None:
        found = found | traced(facts.own, rows & flow.moves, flow.moves)
    if flow.lacks is not None:
        found = found | with_own(scene, name, rows & flow.lacks)
    return found


def _reached(scene: Scene, name: str, place: int, edge: EdgeFacts, rows: Flags) -> Flags | None:
    """The rows of one upstream that move, or wait themselves, and that some of ``rows`` are pending or waiting for."""
    flow, above = scene.flows[name], scene.flows[edge.upstream]
    size = len(scene.facts[edge.upstream].ordinals)
    found: Flags | None = None
    pending = flow.pending[place] if place < len(flow.pending) else None
    if pending is not None and above.moves is not None:
        found = above.moves & covered(rows & pending, edge.spans, size)
    if flow.lacks is not None and above.lacks is not None and edge.edge.missing == "wait":
        absent = unobtainable(scene.facts[edge.upstream], above, edge.edge.upstream)
        if absent is not None:
            waiting = absent & above.lacks & covered(rows & flow.lacks, edge.spans, size)
            found = waiting if found is None else found | waiting
    return found


@dataclass(frozen=True, slots=True)
class _Walk:
    """What is known on the way: by which asset each computation was met, and which versions were replaced."""

    scene: Scene
    evidence: Evidence
    shown: int
    labels: dict[str, AssetKey]
    changes: Changes = field(default_factory=dict[Era, "set[Replaced]"])

    def link(self, name: str, rows: Flags, onward: Sequence[AssetKey]) -> Link:
        """What made these rows of a computation due; ``onward`` are the assets to which the way goes on."""
        facts = self.scene.facts[name]
        edges = {edge.edge.parameter: edge for edge in facts.edges}
        reasons = [_plain(cause, upstream) for cause, upstream in self._waiting(name, rows, onward)]
        unexamined = 0
        for cause in _causes(self.scene, name, rows):
            edge = edges.get(cause.parameter or "")
            if cause.kind == "input_changed" and edge is not None:
                told, left = self._changed_input(facts, edge, rows, cause)
                unexamined = max(unexamined, left)
                reasons += told if len(told) > 1 else self._placed(name, cause, rows, told)
                continue
            if cause.kind in ("code_changed", "schema_changed") and cause.components:
                reason = _code(self.scene, facts, rows, cause, self.evidence)
            elif cause.kind == "upstream_stale" and edge is not None:
                reason = _plain(cause, self.labels.get(edge.upstream, edge.edge.upstream))
            else:
                reason = _plain(cause)
            reasons += self._placed(name, cause, rows, [reason])
        partitions = PartitionSet.from_ordinals(facts.ordinals[rows])
        ranges = few(facts.space.describe(partitions), self.shown)
        return Link(self.labels[name], True, ranges, len(partitions), tuple(reasons), unexamined)

    def _waiting(self, name: str, rows: Flags, onward: Sequence[AssetKey]) -> Iterator[tuple[Cause, AssetKey | None]]:
        """What the rows wait for, and apart from that what only their group does; with where the way goes on."""
        held = self.scene.flows[name].held
        own = waiting_cause(self.scene, name, rows if held is None else rows & ~held)
        if own is not None:
            yield own, next((key for key in onward if key in own.detail), None)
        shared = None if held is None else waiting_cause(self.scene, name, rows & held)
        if shared is not None:
            yield shared, next((self.labels[mate] for mate in _mates(self.scene, name, rows)), None)

    def _placed(self, name: str, cause: Cause, rows: Flags, reasons: list[Reason]) -> list[Reason]:
        """The reasons with the partitions that the cause is for, where rows read each other and it is not for all."""
        facts = self.scene.facts[name]
        concerned = None if facts.own is None else _concerned(self.scene, name, cause, rows)
        if concerned is None or np.array_equal(concerned, rows):
            return reasons
        partitions = few(facts.space.describe(PartitionSet.from_ordinals(facts.ordinals[concerned])), self.shown)
        return [replace(reason, partitions=partitions) for reason in reasons]

    def _changed_input(self, facts: Facts, edge: EdgeFacts, rows: Flags, cause: Cause) -> tuple[list[Reason], int]:
        """The cause with the versions that differ, and how many rows were not looked at.

        Rows that read the upstream when it was partitioned otherwise have a reason of their own.
        """
        upstream_facts = self.scene.facts[edge.upstream]
        found = recorded_changes(facts, edge, upstream_facts, rows & edge.changed, self.evidence)
        left = found.unexamined
        reasons = [Reason("input_changed", said, number, cause.parameter) for said, number in found.otherwise()]
        others = cause.count - len(set[int]().union(*found.formers.values()))
        if others <= 0:
            return reasons, left
        self.changes.setdefault(found.upstream, set()).update(found.changes)
        exact = changed_input(self.evidence, found.upstream, cause.parameter, found.changes, others, self.shown)
        if left or not found.changes:  # the planner's own sentence speaks for all of the rows
            exact = replace(exact, detail=cause.detail)
        return [*reasons, exact], left


def _causes(scene: Scene, name: str, rows: Flags) -> list[Cause]:
    facts = scene.facts[name]
    if facts.node.kind == "source":
        missing = int(np.count_nonzero(rows & ~facts.outputs[0].versioned))
        return [Cause("missing", missing, "not observed", facts.node.outputs)] if missing else []
    return [*own_causes(scene, name, rows), *inherited_causes(scene, name, rows)]


def _concerned(scene: Scene, name: str, cause: Cause, rows: Flags) -> Flags | None:
    """The rows that a cause is for; None where that is not known."""
    facts = scene.facts[name]
    edges = [(place, edge) for place, edge in enumerate(facts.edges) if edge.edge.parameter == cause.parameter]
    found: Flags | None = None
    if cause.kind == "input_changed" and edges:
        found = rows & edges[0][1].changed
    elif cause.kind == "upstream_stale" and edges:
        pending = scene.flows[name].pending[edges[0][0]]
        found = None if pending is None else rows & pending
    elif cause.kind in _BITS:
        found = rows & ((facts.bits & _BITS[cause.kind]) != 0)
    return found if found is not None and int(np.count_nonzero(found)) == cause.count else None


def _plain(cause: Cause, upstream: AssetKey | None = None) -> Reason:
    """A cause as a reason; ``upstream`` is where the way goes on."""
    return Reason(cause.kind, cause.detail, cause.count, cause.parameter, upstream)


def _code(scene: Scene, facts: Facts, rows: Flags, cause: Cause, evidence: Evidence) -> Reason:
    """The cause with the difference to the code that the first of the rows was made by."""
    bit = CODE if cause.kind == "code_changed" else SCHEMA
    present = scene.world.codes.computations[facts.node.name].version
    changed = rows & ((facts.bits & bit) != 0)
    for output in facts.outputs:
        recorded = output.pointers.code[changed[output.places]]
        if len(recorded):
            earlier = scene.world.state.codes.get(int(recorded[0]))
            version = None if earlier is None else earlier.version
            code = code_changes(evidence, version, present, cause.components)
            return Reason(cause.kind, cause.detail, cause.count, code=code)
    return _plain(cause)
