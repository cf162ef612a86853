"""What rows read that is another thing now: told from what was recorded, or where nobody looks it up, from generations.

An edge's recorded signature says that something differs, not what. The records of a derivation say which versions were
read; without them it is only known what was published after a row was, which may be equal to what was there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from assetflow.partitions.mappings import Identity
from assetflow.partitions.sets import PartitionSet
from assetflow.partitions.spans import covered
from assetflow.planner.causes import Cause
from assetflow.planner.differences import Replaced, read_of, repartitioned, replaced, verb_of
from assetflow.planner.evidence import Era, Evidence
from assetflow.planner.facts import EdgeFacts, Facts, Output
from assetflow.planner.former import otherwise
from assetflow.planner.scene import Scene
from assetflow.planner.spans import Flags, narrowed
from assetflow.planner.wording import ranges_of

_EXAMINED = 200
"""What so many rows of an asset have read is compared one by one."""

_LAST = np.iinfo(np.int64).max
_MOST_PAIRS = 2_000_000
"""Up to so many pairs of a row and an upstream partition, each row's own generation decides what changed for it."""


@dataclass(slots=True)
class Recorded:
    """What the records say of one edge at some rows.

    ``changes`` are the upstream versions that are others than those read; ``formers`` the rows that read the upstream
    in another space of ordinals than it has now, by that space. ``unexamined`` rows were not looked at.
    """

    upstream: Era
    changes: set[Replaced] = field(default_factory=set[Replaced])
    formers: dict[str, set[int]] = field(default_factory=dict[str, "set[int]"])
    unexamined: int = 0

    def otherwise(self) -> list[tuple[str, int]]:
        """A sentence for each other space that the upstream was read in, and how many rows read it so."""
        upstream = self.upstream
        return [(otherwise(upstream.asset, upstream.space, space), len(rows)) for space, rows in self.formers.items()]


def recorded_changes(facts: Facts, edge: EdgeFacts, upstream: Facts, rows: Flags, evidence: Evidence) -> Recorded:
    """What differs between what these rows have read through an edge and what they would read now."""
    parameter, key = edge.edge.parameter, edge.edge.upstream
    found = Recorded(evidence.present(key))
    pointers = upstream.output(key).pointers
    for output in facts.outputs:
        places = np.flatnonzero(rows[output.places])
        found.unexamined = max(found.unexamined, len(places) - _EXAMINED)
        places = places[:_EXAMINED]
        at = places if output.rows is None else output.rows[places]
        derivations: list[int] = output.pointers.derivation[places].tolist()
        reads = evidence.reads(derivations)
        for row, derivation in zip(at.tolist(), derivations, strict=True):
            read = reads.get(derivation, {})
            former = repartitioned(read.get(parameter), found.upstream)
            if former:
                found.formers.setdefault(former, set()).add(row)
                continue
            positions = edge.signature.read.positions(row)
            present = (pointers.ordinals[positions], pointers.version[positions])
            found.changes |= replaced(evidence, read_of(read, parameter, key), present)
    return found


def input_causes(scene: Scene, facts: Facts, edge: EdgeFacts, rows: Flags) -> Iterator[Cause]:
    """The causes that what an edge reads is another thing at some of these rows; several where it is partitioned so."""
    changed = rows & edge.changed
    count = int(np.count_nonzero(changed))
    if not count:
        return
    upstream, key = scene.facts[edge.upstream], edge.edge.upstream
    if scene.evidence is None:
        yield _by_generation(facts, edge, upstream, changed)
        return
    found = recorded_changes(facts, edge, upstream, changed, scene.evidence)
    for sentence, number in found.otherwise():
        yield Cause("input_changed", number, sentence, (key,), edge.edge.parameter)
    others = count - len(set[int]().union(*found.formers.values()))
    if not others:
        return
    if found.unexamined or not found.changes:
        told = changed if not found.formers else _without(changed, found)
        yield _by_generation(facts, edge, upstream, told)
        return
    partitions = ranges_of(upstream.space, PartitionSet.from_ordinals([each.ordinal for each in found.changes]))
    words = [key, ", ".join(partitions), verb_of(found.changes)]
    yield _cause(edge, others, " ".join(filter(None, words)), partitions)


def _without(rows: Flags, found: Recorded) -> Flags:
    """The rows apart from those that read the upstream in another space."""
    kept = rows.copy()
    kept[sorted(set[int]().union(*found.formers.values()))] = False
    return kept


def _cause(edge: EdgeFacts, count: int, sentence: str, partitions: tuple[str, ...]) -> Cause:
    return Cause("input_changed", count, sentence, (edge.edge.upstream,), edge.edge.parameter, partitions=partitions)


def _by_generation(facts: Facts, edge: EdgeFacts, upstream: Facts, rows: Flags) -> Cause:
    """What is known without records: that an input changed, and what of it was published since the rows were.

    Where a row reads the partition of its own key and nothing else, that is what changed. Where it had to be told which
    changes are late, the history of the upstream was at hand.
    """
    key, sure = edge.edge.upstream, True
    if isinstance(edge.edge.mapping, Identity):
        since = _read_now(edge, upstream.output(key), rows)
    elif edge.told and bool(_judged(edge, len(rows))[rows].all()):
        since = told_late(edge, rows)
    else:
        since, sure = _published_since(facts, edge, upstream, rows), False
    partitions = ranges_of(upstream.space, since)
    among = ", ".join(partitions)
    sentence = f"{key} changed"
    if partitions:
        sentence = f"{key} {among} changed" if sure else f"{key} changed ({among} published since)"
    return _cause(edge, int(np.count_nonzero(rows)), sentence, partitions)


def _judged(edge: EdgeFacts, size: int) -> Flags:
    """The rows of which it was told what changed."""
    judged = np.zeros(size, np.bool_)
    for each in edge.told:
        judged[each.rows] = True
    return judged


def _read_now(edge: EdgeFacts, upstream: Output, rows: Flags) -> PartitionSet:
    ordinals = upstream.pointers.ordinals
    return PartitionSet.from_ordinals(ordinals[covered(rows, edge.signature.read, len(ordinals))])


def _published_since(facts: Facts, edge: EdgeFacts, upstream: Facts, rows: Flags) -> PartitionSet:
    """The upstream partitions published since these rows were: what was removed since cannot be told any more."""
    pointers, read = upstream.output(edge.edge.upstream).pointers, edge.signature.read
    found = [np.empty(0, np.int64)]
    for output in facts.outputs:
        built = rows[output.places]
        at = np.flatnonzero(rows) if output.rows is None else output.rows[built]
        generations = output.pointers.generation[built]
        # Nothing else can be younger than one of the rows, and mostly that is next to nothing.
        recent = np.flatnonzero(pointers.generation > generations.min(initial=_LAST))
        spans = narrowed(read, at, recent)
        sizes = spans.hi - spans.lo
        if int(sizes.sum()) <= _MOST_PAIRS:
            positions = recent[spans.flat(spans.lo, spans.hi)]
            found.append(positions[pointers.generation[positions] > np.repeat(generations, sizes)])
        else:
            found.append(recent[covered(np.ones(len(at), np.bool_), spans, len(recent))])
    return PartitionSet.from_ordinals(pointers.ordinals[np.concatenate(found)])


def late_causes(scene: Scene, name: str, rows: Flags) -> tuple[Cause, ...]:
    """The changes upstream that these rows leave out because they came late, one cause for each edge."""
    facts = scene.facts[name]
    found: list[Cause] = []
    for edge in facts.edges:
        late = None if edge.late is None else rows & edge.late
        if late is None or not late.any():
            continue
        upstream = scene.facts[edge.upstream]
        key = edge.edge.upstream
        partitions = ranges_of(upstream.space, told_late(edge, late))
        detail = f"{key} {', '.join(partitions)} changed late"
        found.append(_cause(edge, int(np.count_nonzero(late)), detail, partitions))
    return tuple(found)


def told_late(edge: EdgeFacts, rows: Flags) -> PartitionSet:
    """What changed of what these rows read, where it had to be told which of it is late."""
    return PartitionSet.from_ordinals(np.concatenate([each.of(rows) for each in edge.told]))
