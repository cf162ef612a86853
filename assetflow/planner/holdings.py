"""What a long-lived planner keeps: by computation the pointers, the edges and the rows that something is true of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from assetflow.graph import AssetGraph, Node
from assetflow.keys import AssetKey
from assetflow.partitions.definitions import dynamic_names
from assetflow.partitions.keyed import StaticMapping
from assetflow.partitions.spaces import PartitionSpace
from assetflow.planner.data_times import ageing_assets
from assetflow.planner.facts import Facts, World
from assetflow.planner.judging import facts_of
from assetflow.planner.kept import Column, KeptPointers, merged, taken
from assetflow.planner.readers import KeptEdge
from assetflow.planner.spans import Integers, members
from assetflow.planner.state import AssetState, State, empty_asset_state

Rows = Mapping[str, Integers]
"""Ascending rows by computation."""


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


@dataclass(slots=True, eq=False)
class Holdings:
    """All that is kept. ``world.state`` has everything but the pointers of existing partitions, unless it is ``whole``.

    ``readers`` are the edges that read an asset; ``busy`` the computations at which anything begins; ``told_of`` those
    of which a plan may say something although they are up to date; ``ageing`` the assets of which it matters when their
    data were last found.
    """

    world: World
    kept: dict[str, Kept]
    readers: dict[AssetKey, list[KeptEdge]]
    ageing: frozenset[AssetKey]
    busy: set[str]
    told_of: frozenset[str]
    whole: bool

    @property
    def owner(self) -> Mapping[AssetKey, str]:
        """The computation of each asset."""
        return self.world.graph.owner

    def rows_of(self, key: AssetKey) -> Integers:
        """The existing partitions of an asset."""
        return self.kept[self.owner[key]].existing

    def pointers_of(self, key: AssetKey) -> KeptPointers:
        """The kept pointers of an asset."""
        return self.kept[self.owner[key]].pointers[key]

    def note(self, names: Iterable[str]) -> None:
        """Note whether anything begins at some computations."""
        for name in names:
            if len(self.kept[name].begun()):
                self.busy.add(name)
            else:
                self.busy.discard(name)

    def times_of(self, key: AssetKey, state: State) -> Integers | None:
        """When the data of each pointer in ``state`` were last found, where that matters."""
        return _times(state, key) if key in self.ageing else None

    def outside(self, key: AssetKey, state: State) -> tuple[AssetState, Integers | None]:
        """The pointers of partitions that do not exist: windows that have not ended, keys that were removed."""
        pointers, times = state.assets.get(key) or empty_asset_state(), self.times_of(key, state)
        places = np.flatnonzero(~members(pointers.ordinals, self.rows_of(key)))
        return taken(pointers, places), None if times is None else times[places]

    def state(self) -> State:
        """Everything recorded; a copy."""
        known = self.world.state
        if self.whole:
            return known
        assets: dict[AssetKey, AssetState] = {}
        verified: dict[AssetKey, Integers] = {}
        for key in self.owner:
            existing, pointers = self.rows_of(key), self.pointers_of(key)
            inside, times = pointers.at(np.arange(len(existing)), existing.copy()), pointers.verified()
            assets[key], order = merged(inside, known.assets[key])
            if times is not None:
                outside = known.verified.get(key, np.zeros(len(known.assets[key].ordinals), np.int64))
                verified[key] = np.concatenate((times, outside))[order]
        return replace(known, assets=assets, verified=verified)


def hold(world: World) -> Holdings:
    """Keep what there is in a world."""
    graph, state = world.graph, world.state
    whole = needs_everything(graph, state)
    ageing = frozenset(ageing_assets(graph))
    facts = {} if whole else facts_of(world, graph.nodes)
    kept = {name: _kept(world, name, facts.get(name), ageing) for name in graph.nodes}
    readers: dict[AssetKey, list[KeptEdge]] = {key: [] for key in graph.owner}
    for each in kept.values():
        for edge in each.edges.values():
            readers[edge.edge.upstream].append(edge)
    told_of = frozenset(name for name, node in graph.nodes.items() if _names_keys(graph, node))
    found = Holdings(world, kept, readers, ageing, set(), told_of, whole)
    if whole:
        assets = {key: state.assets.get(key) or empty_asset_state() for key in graph.owner}
        found.world = replace(world, state=replace(state, assets=assets))
    else:
        outside = {key: found.outside(key, state) for key in graph.owner}
        known = replace(
            state,
            assets={key: pointers for key, (pointers, _) in outside.items()},
            verified={key: times for key, (_, times) in outside.items() if times is not None},
        )
        found.world = replace(world, state=known, existing={})
    found.note(kept)
    return found


def needs_everything(graph: AssetGraph, state: State) -> bool:
    """Whether facts depend on more than what is published now, so that every plan is worked out from scratch.

    So it is with assets that read themselves, whose partitions follow from one another, and with late data, which is
    told by the history.
    """
    edges = [edge for node in graph.nodes.values() for edge in node.edges]
    if any(edge.own or edge.late_tolerance is not None for edge in edges):
        return True
    return any(pointers.tolerated.any() for pointers in state.assets.values())


def joined(parts: Iterable[Integers]) -> Integers:
    """The members of ascending arrays, each once, ascending."""
    filled = [part for part in parts if len(part)]
    if len(filled) < 2:
        return filled[0] if filled else np.empty(0, np.int64)
    return np.unique(np.concatenate(filled))


def _kept(world: World, name: str, facts: Facts | None, ageing: frozenset[AssetKey]) -> Kept:
    """What to keep of a computation; without facts, no more than the pointers."""
    node, existing = world.graph.nodes[name], world.existing[name]
    pointers: dict[AssetKey, KeptPointers] = {}
    for key in node.outputs:
        times = _times(world.state, key) if key in ageing else None
        pointers[key] = KeptPointers(world.state.assets.get(key) or empty_asset_state(), times, existing)
    edges = {} if facts is None else {each.edge.parameter: KeptEdge(each, name) for each in facts.edges}
    marked = np.empty(0, np.int64) if facts is None else np.flatnonzero(facts.bits)
    return Kept(node, world.spaces[name], Column(existing), pointers, edges, marked)


def _times(state: State, key: AssetKey) -> Integers:
    times, pointers = state.verified.get(key), state.assets.get(key)
    if times is None:
        return np.zeros(0 if pointers is None else len(pointers.ordinals), np.int64)
    return times


def _names_keys(graph: AssetGraph, node: Node) -> bool:
    """Whether a mapping names keys that dynamic partitions may lack, which plans mention."""
    return any(
        isinstance(edge.mapping, StaticMapping)
        and (dynamic_names(node.partitions) or dynamic_names(graph.node_of(edge.upstream).partitions))
        for edge in node.edges
    )
