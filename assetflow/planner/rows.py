"""Which partitions of each computation a plan is about: what was asked for, mapped along the graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from assetflow.errors import InvalidPartition
from assetflow.graph import AssetGraph
from assetflow.keys import AssetKey, escape_key
from assetflow.partitions.sets import PartitionSet
from assetflow.partitions.spans import any_within, covered
from assetflow.planner.facts import Facts
from assetflow.planner.publish_groups import grouped
from assetflow.planner.scans import carried, traced
from assetflow.planner.spans import Flags, members
from assetflow.planner.targets import Chosen

Range = tuple[str, str]
"""First and last key, both included; twice the same for a single or coarser key."""


def selected_rows(facts: Mapping[str, Facts], chosen: Chosen, ranges: Sequence[Range]) -> dict[str, Flags]:
    """The rows of each selected computation, sources left out.

    ``facts`` must hold everything chosen and all upstreams of it. Targets get the partitions in ``ranges`` (all,
    without any); assets that ``+`` added get those that the named ones map to. Raises InvalidPartition.
    """
    wanted = _wanted(facts, chosen, ranges)
    above = _mapped_up(facts, {name: wanted[name] for name in chosen.above}) if chosen.above else {}
    below = _mapped_down(facts, {name: wanted[name] for name in chosen.below}, chosen.selected) if chosen.below else {}
    rows: dict[str, Flags] = {}
    for name in facts:
        if name not in chosen.selected or facts[name].node.kind == "source":
            continue
        parts = [wanted[name]] if name in chosen.targets else []
        parts += [found[name] for found in (above, below) if name in found]
        flags = np.logical_or.reduce(parts) if len(parts) > 1 else parts[0] if parts else None
        if flags is not None and flags.any():
            rows[name] = flags
    return with_mates(facts, rows)


def with_mates(facts: Mapping[str, Facts], rows: Mapping[str, Flags]) -> dict[str, Flags]:
    """The rows with those of each publish group joined: its members have the same partitions."""
    joined: dict[str, Flags] = dict(rows)
    for names in grouped(facts):
        found = [rows[name] for name in names if name in rows]
        if len(names) > 1 and found:
            flags: Flags = np.logical_or.reduce(found)
            joined.update(dict.fromkeys(names, flags))
    return {name: joined[name] for name in facts if name in joined}


def stale_outside(
    graph: AssetGraph, facts: Mapping[str, Facts], rows: Mapping[str, Flags], moves: Mapping[str, Flags | None]
) -> tuple[AssetKey, ...]:
    """The assets upstream of ``rows``, not among them, with partitions to build (``moves`` of the full plan)."""
    free = {name: found for name, flags in moves.items() if (found := _outside(flags, rows.get(name))) is not None}
    if not free:
        return ()
    outside: set[AssetKey] = set()
    needed: dict[str, Flags] = dict(rows)
    for name in reversed(list(facts)):
        if name not in needed:
            continue
        own, around = facts[name].own, free.get(name)
        if own is not None and around is not None:
            needed[name] = traced(own, needed[name], around)
        settled = facts[name].settled
        if settled is not None and free.keys().isdisjoint(settled):
            continue
        for edge in facts[name].edges:
            moving = free.get(edge.upstream)
            if moving is None:
                continue
            found = moving & covered(needed[name], edge.spans, len(moving))
            if not found.any():
                continue
            outside.add(edge.edge.upstream)
            if not edge.edge.own:
                needed[edge.upstream] = needed[edge.upstream] | found if edge.upstream in needed else found
    return tuple(key for key in graph.owner if key in outside)


def _outside(moves: Flags | None, rows: Flags | None) -> Flags | None:
    """The rows that move and are not among ``rows``; None for no row."""
    if moves is None or rows is None:
        return moves
    found = moves & ~rows
    return found if found.any() else None


def _wanted(facts: Mapping[str, Facts], chosen: Chosen, ranges: Sequence[Range]) -> dict[str, Flags]:
    """The rows that the named computations have in ``ranges``."""
    named = chosen.targets | chosen.above | chosen.below
    if not ranges:
        every = {size: np.ones(size, np.bool_) for size in {len(facts[name].ordinals) for name in named}}
        return {name: every[len(facts[name].ordinals)] for name in named}
    wanted = {name: np.full(len(facts[name].ordinals), facts[name].space.grain == "none") for name in named}
    for asked in ranges:
        defined = False
        exists = False
        for name in named:
            partitions = _in_range(facts[name], asked)
            if partitions is None or not partitions:
                continue
            defined = True
            found = members(facts[name].ordinals, partitions.array())
            exists |= bool(found.any())
            wanted[name] |= found
        if not exists:
            raise _no_match(facts, named, asked, defined)
    return wanted


def _in_range(facts: Facts, asked: Range) -> PartitionSet | None:
    """The partitions of a computation in a range; None if it has no such keys. Raises InvalidPartition."""
    first, last = asked
    if first == last:
        return facts.space.within(first)
    try:
        return facts.space.between(first, last)
    except InvalidPartition as error:
        raise InvalidPartition(
            f"{facts.node.name}: no range runs from {first!r} to {last!r}: {error.message}", hint=error.hint
        ) from None


def _no_match(facts: Mapping[str, Facts], named: frozenset[str], asked: Range, defined: bool) -> InvalidPartition:
    text = "...".join(dict.fromkeys(escape_key(key) for key in asked))
    if defined:
        return InvalidPartition(
            f"partition {text} does not exist yet", hint="a time partition exists once its window has ended"
        )
    keys = dict.fromkeys(asked)
    near = [f"{name}: {hint}" for name in sorted(named) for key in keys if (hint := _nearest(facts[name], key))]
    if near:
        return InvalidPartition(f"nothing that is selected has the partition {text}", hint="; ".join(near[:3]))
    described = [f"{name} is {each.describe()}" for name in sorted(named) if (each := facts[name].space.definition)]
    hint = "; ".join(described[:3]) if described else "nothing that is selected is partitioned: leave the partition out"
    return InvalidPartition(f"nothing that is selected has the partition {text}", hint=hint)


def _nearest(facts: Facts, key: str) -> str | None:
    """The keys that are like one that a list of keys does not have."""
    if facts.space.grain not in ("static", "dynamic"):
        return None
    try:
        facts.space.ordinal(key)
    except InvalidPartition as error:
        return error.hint
    return None


def _mapped_up(facts: Mapping[str, Facts], seeds: Mapping[str, Flags]) -> dict[str, Flags]:
    reached = dict(seeds)
    for name in reversed(list(facts)):
        if name not in reached:
            continue
        own = facts[name].own
        if own is not None:
            reached[name] = traced(own, reached[name], np.ones(len(reached[name]), np.bool_))
        for edge in facts[name].edges:
            found = covered(reached[name], edge.spans, len(facts[edge.upstream].ordinals))
            reached[edge.upstream] = reached[edge.upstream] | found if edge.upstream in reached else found
    return reached


def _mapped_down(facts: Mapping[str, Facts], seeds: Mapping[str, Flags], selected: frozenset[str]) -> dict[str, Flags]:
    reached = dict(seeds)
    for name in facts:
        if name not in selected:
            continue
        for edge in facts[name].edges:
            if edge.upstream in reached:
                found = any_within(reached[edge.upstream], edge.spans)
                reached[name] = reached[name] | found if name in reached else found
        own = facts[name].own
        if own is not None and name in reached:
            reached[name] = carried(own, reached[name], np.ones(len(reached[name]), np.bool_))
    return reached
