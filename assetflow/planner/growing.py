"""How a long-lived planner follows the clock: windows that end are added at the cost of those."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

import numpy as np

from assetflow.keys import AssetKey
from assetflow.partitions.multi_space import MultiSpace
from assetflow.partitions.spaces import PartitionSpace
from assetflow.partitions.time_space import TimeSpace
from assetflow.planner.changes import Changes
from assetflow.planner.excerpts import narrowed_state
from assetflow.planner.holdings import Holdings, joined
from assetflow.planner.intake import judge, take_in
from assetflow.planner.kept import taken
from assetflow.planner.readers import Upstream
from assetflow.planner.spans import Integers, members

Frontiers = Mapping[int, tuple[int, ...]]
"""By the identity of a space: how far time has come in its dimensions."""


def frontiers(spaces: Iterable[PartitionSpace], now: datetime) -> Frontiers:
    """How far time has come in each space: where that is the same, the same partitions exist."""
    found: dict[int, tuple[int, ...]] = {}
    for space in spaces:
        if id(space) not in found:
            dimensions = space.spaces if isinstance(space, MultiSpace) else (space,)
            found[id(space)] = tuple(each.frontier(now) for each in dimensions if isinstance(each, TimeSpace))
    return found


def grown(held: Holdings, now: datetime) -> bool:
    """Set the clock; false, and nothing done, where that does more than add rows at the end."""
    spaces = held.world.spaces.values()
    before, after = frontiers(spaces, held.world.now), frontiers(spaces, now)
    moved = {place for place in after if after[place] != before[place]}
    concerned = {name for name, each in held.kept.items() if id(each.space) in moved}
    if not all(_grows(held, name, before[id(held.kept[name].space)], now) for name in concerned):
        return False
    held.world = replace(held.world, now=now)
    if concerned:
        _grow(held, concerned, before)
    return True


def _grows(held: Holdings, name: str, frontier: tuple[int, ...], now: datetime) -> bool:
    """Whether all that time does to a computation is to add rows at the end, of it and of its upstreams."""
    kept = held.kept[name]
    edges = [*kept.edges.values(), *(edge for key in kept.node.outputs for edge in held.readers[key])]
    forward = isinstance(kept.space, TimeSpace) and kept.space.frontier(now) >= frontier[0]
    return forward and all(edge.extends for edge in edges)


def _grow(held: Holdings, names: Collection[str], before: Frontiers) -> None:
    """Add the rows of windows that have ended."""
    now = held.world.now
    sizes = {name: len(held.kept[name].existing) for name in names}
    dirty: dict[str, list[Integers]] = {}
    for name in names:
        kept = held.kept[name]
        assert isinstance(kept.space, TimeSpace)
        added = kept.space.begun(before[id(kept.space)][0], now).array()
        kept.ordinals.grow(added)
        dirty[name] = [np.arange(sizes[name], len(kept.existing))]
        for pointers in kept.pointers.values():
            pointers.grow(len(added))
    for name, kept in held.kept.items():
        for edge in kept.edges.values():
            if name in names or edge.upstream in names:
                up = held.kept[edge.upstream]
                uid = held.world.state.uids.get(edge.edge.upstream, 0)
                upstream = Upstream(up.space, up.existing, up.pointers[edge.edge.upstream], uid)
                known = sizes.get(edge.upstream, len(up.existing))
                judged = edge.extend(kept.space, kept.existing, upstream, known, now)
                dirty.setdefault(name, []).append(judged)
    judge(held, {name: joined(parts) for name, parts in dirty.items()})
    _admit(held, names)


def _admit(held: Holdings, names: Collection[str]) -> None:
    """Take in the pointers of partitions that have come to exist, which were published before."""
    known = held.world.state
    early: dict[AssetKey, Integers] = {}
    for key in (key for name in names for key in held.kept[name].node.outputs):
        ordinals = known.assets[key].ordinals
        found = ordinals[members(ordinals, held.rows_of(key))]
        if len(found):
            early[key] = found
    if early:
        known = narrowed_state(known, early)
        places = {key: np.flatnonzero(members(known.assets[key].ordinals, early[key])) for key in early}
        pointers = {key: taken(known.assets[key], places[key]) for key in early}
        times = {key: known.verified[key][places[key]] for key in early if key in known.verified}
        take_in(held, Changes(early, replace(known, assets=pointers, verified=times)))
