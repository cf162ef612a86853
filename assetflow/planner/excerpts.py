"""A part of what a long-lived planner keeps, as facts that planning reads like those of everything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from assetflow.graph import Edge, Node
from assetflow.keys import AssetKey
from assetflow.partitions.spaces import PartitionSpace
from assetflow.partitions.spans import flattened
from assetflow.planner.decide import EdgeSignature
from assetflow.planner.facts import Facts, World, facts_of, output_of
from assetflow.planner.kept import Column, KeptPointers, intervals
from assetflow.planner.readers import KeptEdge
from assetflow.planner.spans import Flags, Integers, through
from assetflow.planner.state import Failures, Retained, State


@dataclass(slots=True, eq=False)
class Kept:
    """What is kept of one computation; rows are its existing partitions, ascending.

    ``marked`` are the rows that something is true of by themselves: what :attr:`Facts.bits` are about.
    """

    node: Node
    space: PartitionSpace
    ordinals: Column
    pointers: dict[AssetKey, KeptPointers]
    edges: dict[str, KeptEdge]
    """By parameter."""
    marked: Integers

    @property
    def existing(self) -> Integers:
        """The ordinals of all rows."""
        return self.ordinals.values

    def begun(self) -> Integers:
        """The rows at which something may begin: marked ones, and those whose mappings ask for what is not there."""
        return joined([self.marked, *(edge.early for edge in self.edges.values())])


Rows = Mapping[str, Integers]
"""Ascending rows by computation."""


def facts_at(
    world: World, kept: Mapping[str, Kept], rows: Rows, names: Iterable[str]
) -> tuple[World, dict[str, Facts]]:
    """The facts of the computations ``names`` at some rows, and the world as they see it.

    ``rows`` says which rows of upstreams their edges shall see; of one that it leaves out, none. ``world.state`` has
    everything but pointers.
    """
    named = list(names)
    existing = {name: kept[name].existing[found] for name, found in rows.items()}
    assets = {
        key: pointers.at(rows[name], existing[name]) for name in named for key, pointers in kept[name].pointers.items()
    }
    state = narrowed_state(world.state, {key: existing[name] for name in named for key in kept[name].pointers})
    part = replace(world, state=replace(state, assets=assets), existing=existing)
    return part, facts_of(part, named, _Known(kept, rows))


def passive_facts(world: World, kept: Kept, rows: Integers) -> Facts:
    """The facts of a computation at rows that are up to date: who reads them looks at nothing but their pointers."""
    ordinals = kept.existing[rows]
    assets = {key: pointers.at(rows, ordinals) for key, pointers in kept.pointers.items()}
    part = replace(world, state=replace(world.state, assets=assets), existing={kept.node.name: ordinals})
    outputs = tuple(output_of(part, kept.node, key) for key in kept.node.outputs)
    return Facts(kept.node, kept.space, ordinals, outputs, (), np.zeros(len(rows), np.uint16), 0, None)


def all_facts(world: World, kept: Mapping[str, Kept], names: Iterable[str]) -> dict[str, Facts]:
    """The facts of computations at all their rows; ``world.state`` has everything, pointers included."""
    existing = {name: each.existing for name, each in kept.items()}
    return facts_of(replace(world, existing=existing), names, _Known(kept, None))


def read_by_changed(kept: Kept, edge: KeptEdge, upstream: KeptPointers) -> Integers:
    """Of what an edge's changed rows read, all that was published after them, and perhaps more."""
    rows = edge.changed
    oldest = [each.generation[rows[each.versioned[rows]]] for each in kept.pointers.values()]
    generation = min((int(each.min()) for each in oldest if len(each)), default=None)
    if generation is None:
        return np.empty(0, np.int64)
    if edge.by_key:
        read = edge.read_by(rows)
        return read[(upstream.generation[read] > generation) & upstream.versioned[read]]
    return joined([upstream.newer(first, stop, generation) for first, stop in intervals(*edge.runs(rows))])


def joined(parts: Iterable[Integers]) -> Integers:
    """The members of ascending arrays, each once, ascending."""
    filled = [part for part in parts if len(part)]
    if len(filled) < 2:
        return filled[0] if filled else np.empty(0, np.int64)
    return np.unique(np.concatenate(filled))


@dataclass(frozen=True, slots=True)
class _Known:
    """The signatures that are kept, at some rows; ``rows`` None: at all."""

    kept: Mapping[str, Kept]
    rows: Rows | None

    def signature(self, node: Node, edge: Edge) -> tuple[str, EdgeSignature, Flags | None]:
        known = self.kept[node.name].edges[edge.parameter]
        upstream = self.kept[known.upstream]
        pointers = upstream.pointers[edge.upstream]
        if self.rows is None:
            every = np.arange(len(self.kept[node.name].existing))
            spans, existing, versioned, sums = known.spans, upstream.existing, pointers.versioned, known.sums.copy()
        else:
            every = self.rows[node.name]
            seen = self.rows.get(known.upstream, _NO_ROWS)
            spans, existing, versioned = known.among(every, seen), upstream.existing[seen], pointers.versioned[seen]
            sums = known.sums[every]
        read = through(spans, existing, existing if versioned.all() else existing[versioned])
        return known.upstream, EdgeSignature(spans, read, sums, None), known.premature(every)


_NO_ROWS = np.empty(0, np.int64)


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
