"""From partitions that are due to the roots: through what is planned upstream, then through what was published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from assetflow.keys import AssetKey
from assetflow.partitions.sets import PartitionSet
from assetflow.partitions.spans import covered
from assetflow.planner.causes import Cause
from assetflow.planner.differences import Replaced, code_changes, read_of, replaced
from assetflow.planner.evidence import Evidence
from assetflow.planner.facts import CODE, SCHEMA, EdgeFacts, Facts
from assetflow.planner.flow import unobtainable
from assetflow.planner.former import repartitioned
from assetflow.planner.reasons import Scene, inherited_causes, own_causes, waiting_cause
from assetflow.planner.recounting import SHOWN, Changes, changed_input, recount
from assetflow.planner.spans import Flags
from assetflow.planner.trace import Link, Reason, Trace, few

_EXAMINED = 200
"""What so many rows of an asset have read is compared one by one; the planner's own sentence speaks for the others."""

_MOST_ROUNDS = 64
"""An asset that reads itself is followed so many times from its rows to earlier ones, then to all that move."""


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
    for name in reversed(list(scene.facts)):
        chosen = pending.pop(name, None)
        if chosen is None:
            continue
        upstream = _upstream(scene, name, chosen) if deep else {}
        if name in upstream:
            chosen = chosen | upstream.pop(name)[1]
        for above, (key, moving) in upstream.items():
            walk.labels.setdefault(above, key)
            pending[above] = pending[above] | moving if above in pending else moving
        links.append(walk.link(name, chosen, [walk.labels[above] for above in upstream]))
        if not pending:
            break
    order = {key: place for place, node in enumerate(graph.nodes.values()) for key in node.outputs}
    return Trace((*links, *recount(evidence, walk.changes, order, shown)))


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
    edges = [(place, edge) for place, edge in enumerate(scene.facts[name].edges) if edge.upstream == name]
    fresh = rows
    for _ in range(_MOST_ROUNDS):
        reached = [found for place, edge in edges if (found := _reached(scene, name, place, edge, fresh)) is not None]
        fresh = np.logical_or.reduce(reached) & ~rows if reached else np.zeros(len(rows), np.bool_)
        if not fresh.any():
            return rows
        rows = rows | fresh
    moves = scene.flows[name].moves
    return rows if moves is None else rows | (moves & (np.arange(len(rows)) < int(rows.nonzero()[0][-1])))


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
    changes: Changes = field(default_factory=dict[AssetKey, "set[Replaced]"])

    def link(self, name: str, rows: Flags, onward: Sequence[AssetKey]) -> Link:
        """What made these rows of a computation due; ``onward`` are the assets to which the way goes on."""
        facts = self.scene.facts[name]
        edges = {edge.edge.parameter: edge for edge in facts.edges}
        reasons: list[Reason] = []
        unexamined = 0
        for cause in _causes(self.scene, name, rows):
            edge = edges.get(cause.parameter or "")
            if cause.kind == "input_changed" and edge is not None:
                reason, left = self._changed_input(facts, edge, rows, cause)
                unexamined = max(unexamined, left)
            elif cause.kind in ("code_changed", "schema_changed") and cause.components:
                reason = _code(self.scene, facts, rows, cause, self.evidence)
            elif cause.kind == "upstream_stale" and edge is not None:
                reason = _plain(cause, self.labels.get(edge.upstream, edge.edge.upstream))
            else:
                waits = cause.kind == "waiting"
                reason = _plain(cause, next((key for key in onward if waits and key in cause.detail), None))
            reasons.append(reason)
        partitions = PartitionSet.from_ordinals(facts.ordinals[rows])
        ranges = few(facts.space.describe(partitions), self.shown)
        return Link(self.labels[name], True, ranges, len(partitions), tuple(reasons), unexamined)

    def _changed_input(self, facts: Facts, edge: EdgeFacts, rows: Flags, cause: Cause) -> tuple[Reason, int]:
        """The cause with the versions that differ, and how many rows were not looked at."""
        upstream, above = edge.edge.upstream, self.scene.facts[edge.upstream]
        if repartitioned(self.scene.world, facts, edge, above, rows & edge.changed):
            return _plain(cause, upstream), 0  # what was read then are other partitions, not others of these
        found, left = _changes(facts, edge, above, rows & edge.changed, self.evidence)
        self.changes.setdefault(upstream, set()).update(found)
        exact = changed_input(self.evidence, upstream, cause.parameter, found, cause.count, self.shown)
        if left or not found:  # the planner's own sentence speaks for all of the rows
            exact = replace(exact, detail=cause.detail)
        return exact, left


def _causes(scene: Scene, name: str, rows: Flags) -> list[Cause]:
    facts = scene.facts[name]
    if facts.node.kind == "source":
        missing = int(np.count_nonzero(rows & ~facts.outputs[0].versioned))
        return [Cause("missing", missing, "not observed", facts.node.outputs)] if missing else []
    waiting = waiting_cause(scene, name, rows)
    return [*([waiting] if waiting else []), *own_causes(scene, name, rows), *inherited_causes(scene, name, rows)]


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


def _changes(
    facts: Facts, edge: EdgeFacts, upstream: Facts, rows: Flags, evidence: Evidence
) -> tuple[set[Replaced], int]:
    """Which upstream versions are others than these rows have read, and how many rows were not looked at."""
    found: set[Replaced] = set()
    parameter, key = edge.edge.parameter, edge.edge.upstream
    pointers = upstream.output(key).pointers
    left = 0
    for output in facts.outputs:
        places = np.flatnonzero(rows[output.places])
        left = max(left, len(places) - _EXAMINED)
        places = places[:_EXAMINED]
        at = places if output.rows is None else output.rows[places]
        derivations: list[int] = output.pointers.derivation[places].tolist()
        reads = evidence.reads(derivations)
        for row, derivation in zip(at.tolist(), derivations, strict=True):
            positions = edge.signature.read.positions(row)
            now = (pointers.ordinals[positions], pointers.version[positions])
            found |= replaced(evidence, read_of(reads.get(derivation, {}), parameter, key), now)
    return found, max(left, 0)
