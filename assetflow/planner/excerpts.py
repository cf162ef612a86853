"""A part of what a long-lived planner keeps, as facts that planning reads like those of everything.

The plan of everything is made from the partitions that are not up to date, and those that they need to look at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush

import numpy as np

from assetflow.graph import Edge, Node
from assetflow.keys import AssetKey
from assetflow.partitions.dimension_mapping import DimensionMapping
from assetflow.partitions.keyed import KeyedMapping
from assetflow.partitions.mappings import Identity
from assetflow.partitions.spans import flattened
from assetflow.planner.decide import EdgeSignature
from assetflow.planner.facts import Facts, Output, World
from assetflow.planner.flow import Request, flows_of
from assetflow.planner.holdings import Holdings, Kept, Rows, joined
from assetflow.planner.judging import facts_of, output_of
from assetflow.planner.kept import KeptPointers, at_rows, intervals
from assetflow.planner.readers import KeptEdge
from assetflow.planner.reading import NOTHING, WHOLE
from assetflow.planner.spans import Flags, Integers, Lanes, members, through
from assetflow.planner.staleness import Assessment
from assetflow.planner.state import Failures, Retained, State

_NO_ROWS = np.empty(0, np.int64)


def facts_at(
    world: World, kept: Mapping[str, Kept], rows: Rows, names: Iterable[str]
) -> tuple[World, dict[str, Facts]]:
    """The facts of the computations ``names`` at some rows, and the world as they see it.

    ``rows`` says which rows of upstreams their edges shall see; of one that it leaves out, none. ``world.state`` has
    everything but pointers.
    """
    named = list(names)
    existing = {name: at_rows(kept[name].existing, found) for name, found in rows.items()}
    assets = {
        key: pointers.at(rows[name], existing[name]) for name in named for key, pointers in kept[name].pointers.items()
    }
    state = narrowed_state(world.state, {key: existing[name] for name in named for key in kept[name].pointers})
    part = replace(world, state=replace(state, assets=assets), existing=existing)
    return part, facts_of(part, named, _Known(kept, rows))


def excerpted(held: Holdings, also: Rows) -> Assessment:
    """What is not up to date, judged, with what it needs to look at, and some rows ``also``."""
    world, kept = held.world, held.kept
    active = _active(held)
    for name in held.told_of:
        active.setdefault(name, np.arange(min(1, len(kept[name].existing))))
    parts: dict[str, list[Integers]] = {name: [rows] for name, rows in also.items()}
    for name, rows in active.items():
        parts.setdefault(name, []).append(rows)
    for name, rows in active.items():
        for edge in kept[name].edges.values():
            parts.setdefault(edge.upstream, []).extend(_looked_at(held, kept[name], edge, rows))
    # The rows of a publish group's members stand side by side.
    shared = {name: [part for mate in world.graph.mates(name) for part in parts.get(mate, ())] for name in parts}
    rows_of = {name: joined(found) for name, found in shared.items()}
    part, judged = facts_at(world, kept, rows_of, active)
    facts = {
        name: judged.get(name) or _passive_facts(world, kept[name], rows_of[name])
        for name in world.graph.nodes
        if name in rows_of
    }
    return Assessment(part, facts, flows_of(facts, Request()))


def _active(held: Holdings) -> dict[str, Integers]:
    """The rows that may have a step or have to wait, by computation: where it begins, and what lies downstream."""
    kept, graph = held.kept, held.world.graph
    names = list(graph.nodes)
    place = {name: number for number, name in enumerate(names)}
    reached = {name: [kept[name].begun()] for name in held.busy}
    queue = [place[name] for name in reached]
    heapify(queue)
    active: dict[str, Integers] = {}
    while queue:
        name = names[heappop(queue)]
        known = active.get(name, _NO_ROWS)
        found = joined(reached.pop(name, ()))
        if len(known):
            found = found[~members(found, known)]
        if not len(found):
            continue
        active[name] = joined((known, found))
        further = [(mate, found) for mate in graph.mates(name) if mate != name]
        edges = [edge for key in kept[name].node.outputs for edge in held.readers[key]]
        further += [(edge.down, edge.readers(found)) for edge in edges]
        for follower, rows in further:
            if len(rows):
                reached.setdefault(follower, []).append(rows)
                heappush(queue, place[follower])
    return active


def _looked_at(held: Holdings, kept: Kept, edge: KeptEdge, rows: Integers) -> Iterator[Integers]:
    """The upstream rows that active ``rows`` need to look at, though these may be up to date."""
    if isinstance(edge.edge.mapping, KeyedMapping | DimensionMapping):
        # Where such a mapping gives nothing, the plan says so.
        yield edge.first_read(rows)
    if not len(edge.changed):
        return
    upstream = held.pointers_of(edge.edge.upstream)
    yield _read_by_changed(kept, edge, upstream)


def _passive_facts(world: World, kept: Kept, rows: Integers) -> Facts:
    """The facts of a computation at rows that are up to date: who reads them looks at nothing but their pointers."""
    ordinals = at_rows(kept.existing, rows)
    assets = {key: pointers.at(rows, ordinals) for key, pointers in kept.pointers.items()}
    part = replace(world, state=replace(world.state, assets=assets), existing={kept.node.name: ordinals})
    outputs = tuple(output_of(part, kept.node, key) for key in kept.node.outputs)
    return Facts(kept.node, kept.space, ordinals, outputs, (), np.zeros(len(rows), np.uint16), 0, None)


def all_facts(world: World, kept: Mapping[str, Kept], names: Iterable[str]) -> dict[str, Facts]:
    """The facts of computations at all their rows; ``world.state`` has everything, pointers included."""
    existing = {name: each.existing for name, each in kept.items()}
    return facts_of(replace(world, existing=existing), names, _Known(kept, None))


def _read_by_changed(kept: Kept, edge: KeptEdge, upstream: KeptPointers) -> Integers:
    """Of what an edge's changed rows read, all that causes may name, and perhaps more."""
    rows = edge.changed
    if isinstance(edge.edge.mapping, Identity):
        return flattened(*edge.runs(rows))
    oldest = [each.generation[rows[each.versioned[rows]]] for each in kept.pointers.values()]
    generation = min((int(each.min()) for each in oldest if len(each)), default=None)
    if generation is None:
        return np.empty(0, np.int64)
    if edge.by_key:
        read = edge.read_by(rows)
        return read[(upstream.generation[read] > generation) & upstream.versioned[read]]
    return joined([upstream.newer(first, stop, generation) for first, stop in intervals(*edge.runs(rows))])


@dataclass(frozen=True, slots=True)
class _Known:
    """The signatures that are kept, at some rows; ``rows`` None: at all."""

    kept: Mapping[str, Kept]
    rows: Rows | None

    def signature(self, node: Node, edge: Edge) -> tuple[str, EdgeSignature, Flags | None]:
        known = self.kept[node.name].edges[edge.parameter]
        upstream = self.kept[known.upstream]
        pointers = upstream.pointers[edge.upstream]
        if node.partitions is None and upstream.node.partitions is None:
            seen = self.rows is None or len(self.rows.get(known.upstream, _NO_ROWS))
            if not seen or pointers.versioned[0]:
                spans = WHOLE if seen else NOTHING
                return known.upstream, EdgeSignature(spans, spans, known.sums.copy(), None), None
        if self.rows is None:
            every = np.arange(len(self.kept[node.name].existing))
            spans, existing, versioned, sums = known.spans, upstream.existing, pointers.versioned, known.sums.copy()
        else:
            every = self.rows[node.name]
            seen = self.rows.get(known.upstream, _NO_ROWS)
            spans = known.among(every, seen)
            existing, versioned = at_rows(upstream.existing, seen), at_rows(pointers.versioned, seen)
            sums = at_rows(known.sums, every)
        read = through(spans, existing, existing if versioned.all() else existing[versioned])
        return known.upstream, EdgeSignature(spans, read, sums, None), known.premature(every)

    def verdict(self, node: Node, edge: Edge, signature: EdgeSignature, output: Output, recoded: Flags | None) -> None:
        """Nothing is late where no edge has a tolerance."""

    def of_one_row(self, edges: Sequence[Edge]) -> Lanes:
        return np.concatenate([self.kept[edge.computation].edges[edge.parameter].sums for edge in edges])


def narrowed_state(state: State, ordinals: Mapping[AssetKey, Integers]) -> State:
    """What is recorded of some partitions, besides their pointers."""
    return replace(
        state,
        failures={key: _failures(each, ordinals[key]) for key, each in state.failures.items() if key in ordinals},
        retained={key: _retained(each, ordinals[key]) for key, each in state.retained.items() if key in ordinals},
        candidates={key: _retained(each, ordinals[key]) for key, each in state.candidates.items() if key in ordinals},
    )


def _failures(record: Failures, ordinals: Integers) -> Failures:
    at = _places(record.ordinals, ordinals)
    places: list[int] = at.tolist()
    runs, errors = tuple([record.runs[place] for place in places]), tuple([record.errors[place] for place in places])
    return Failures(record.ordinals[at], record.keys[at], runs, errors)


def _retained(record: Retained, ordinals: Integers) -> Retained:
    at = _places(record.ordinals, ordinals)
    return Retained(record.ordinals[at], record.keys[at], record.version[at], record.derivation[at])


def _places(recorded: Integers, ordinals: Integers) -> Integers:
    return flattened(np.searchsorted(recorded, ordinals), np.searchsorted(recorded, ordinals, side="right"))
