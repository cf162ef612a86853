"""What rows wait for, in words: which upstream partitions they lack, and where the waiting began."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from assetflow.keys import AssetKey
from assetflow.partitions.sets import PartitionSet
from assetflow.partitions.spans import covered
from assetflow.planner.causes import Cause
from assetflow.planner.facts import EdgeFacts, Facts
from assetflow.planner.flow import unobtainable
from assetflow.planner.publish_groups import grouped
from assetflow.planner.scans import OwnReads, traced
from assetflow.planner.scene import Scene
from assetflow.planner.spans import Flags
from assetflow.planner.wording import SHOWN


def waiting_cause(scene: Scene, name: str, rows: Flags) -> Cause | None:
    """What these rows wait for; None when they wait for nothing."""
    flow = scene.flows[name]
    if flow.lacks is None or not (rows & flow.lacks).any():
        return None
    waiting = rows & flow.lacks
    shown = tuple(text for _, text in lacking_addresses(scene, name, waiting, SHOWN))
    roots = _waiting_roots(scene, name, waiting)
    held = flow.held is not None and bool((waiting & flow.held).any())
    manner = f"waits, with its publish group {scene.facts[name].node.publish_group!r}, for" if held else "waits for"
    facts = scene.facts[name]
    reasons = [*_impossible(scene, facts, waiting), *mapping_problems(facts, waiting)]
    detail = "; ".join([f"{manner} {', '.join(shown)}", *reasons])
    return Cause("waiting", int(np.count_nonzero(waiting)), detail, roots, partitions=shown)


def _impossible(scene: Scene, facts: Facts, rows: Flags) -> Iterator[str]:
    """A sentence for each upstream of which some of these rows need what it can never have."""
    for edge in facts.edges:
        if edge.premature is None or not edge.edge.mapping.strict:
            continue
        upstream, early = scene.facts[edge.upstream].space, facts.ordinals[rows & edge.premature]
        if upstream.definition is not None and edge.edge.mapping.nonexistent(facts.space, early, upstream).any():
            yield f"{edge.edge.upstream} ({upstream.definition.describe()}) cannot have all that it asks for"


def mapping_problems(facts: Facts, rows: Flags) -> list[str]:
    """A sentence for each reason why nobody knows what some of these rows read."""
    sentences: list[str] = []
    for edge in facts.edges:
        rows_of_problem: dict[str, list[int]] = {}
        for row, problem in sorted(edge.spans.problems.items()):
            if rows[row]:
                rows_of_problem.setdefault(problem, []).append(row)
        for problem, concerned in list(rows_of_problem.items())[:SHOWN]:
            shown = facts.space.describe(PartitionSet.from_ordinals(facts.ordinals[concerned]), SHOWN)
            sentences.append(f"{facts.node.name}@{', '.join(shown)}: the mapping to {edge.edge.upstream}: {problem}")
        if len(rows_of_problem) > SHOWN:
            hidden = len(rows_of_problem) - SHOWN
            sentences.append(f"the mapping to {edge.edge.upstream} has {hidden} more problems")
    return sentences


def _waiting_roots(scene: Scene, name: str, rows: Flags) -> tuple[AssetKey, ...]:
    """Where the waiting began: the upstreams, near or far, that lack partitions and do not wait themselves."""
    roots: dict[AssetKey, None] = {}
    waiting = {name: rows}
    for members in reversed(list(grouped(scene.facts))):
        _share(scene, members, waiting)
        for each in reversed(members):
            asking = waiting.pop(each, None)
            if asking is not None:
                _ask_upstream(scene, each, with_own(scene, each, asking), waiting, roots)
    return tuple(roots)


def _share(scene: Scene, members: Sequence[str], waiting: dict[str, Flags]) -> None:
    """What one member of a publish group waits for, the others wait for too."""
    asking = [waiting[name] for name in members if name in waiting]
    if len(members) == 1 or not asking:
        return
    for name in members:
        lacks = scene.flows[name].lacks
        if lacks is not None:
            waiting[name] = np.logical_or.reduce(asking) & lacks


def _ask_upstream(
    scene: Scene, name: str, asking: Flags, waiting: dict[str, Flags], roots: dict[AssetKey, None]
) -> None:
    """Note the upstreams that lack what these rows ask for as roots, or as waiting themselves."""
    for edge in scene.facts[name].edges:
        broken = edge.spans.broken
        if broken is not None and (asking & broken).any():
            roots.update(dict.fromkeys(scene.facts[name].node.outputs))
        if edge.edge.missing != "wait":
            continue
        absent = unobtainable(scene.facts[edge.upstream], scene.flows[edge.upstream], edge.edge.upstream)
        early = edge.premature is not None and (asking & edge.premature).any()
        lacked = None if absent is None else absent & covered(asking, edge.spans, len(absent))
        further = scene.flows[edge.upstream].lacks
        if lacked is not None and further is not None and (lacked & further).any():
            if not edge.edge.own:
                known = waiting.get(edge.upstream)
                waiting[edge.upstream] = lacked & further if known is None else known | (lacked & further)
            lacked &= ~further
        if early or (lacked is not None and lacked.any()):
            roots[edge.edge.upstream] = None


def with_own(scene: Scene, name: str, rows: Flags) -> Flags:
    """The rows, with those of the same computation that they wait for and that wait themselves."""
    facts, flow = scene.facts[name], scene.flows[name]
    waited = [edge for edge in facts.own_edges if edge.edge.missing == "wait"]
    for edge in waited:
        absent = unobtainable(facts, flow, edge.edge.upstream)
        if absent is not None and flow.lacks is not None and facts.own is not None:
            only = OwnReads((edge.spans,), facts.own.order)
            rows = traced(only, rows, absent & flow.lacks)
    return rows


def lacking_addresses(scene: Scene, name: str, rows: Flags, limit: int | None = None) -> Iterator[tuple[AssetKey, str]]:
    """The upstream partitions that these rows wait for, as (asset, address); ranges beyond ``limit`` are counted."""
    facts = scene.facts[name]
    seen: set[tuple[AssetKey, str]] = set()
    for edge in facts.edges:
        broken = edge.spans.broken
        if broken is not None and (rows & broken).any():
            # Nobody knows which partitions it waits for.
            seen.add((edge.edge.upstream, edge.edge.upstream))
            yield edge.edge.upstream, edge.edge.upstream
        if edge.edge.missing != "wait":
            continue
        for address in _lacking(scene, facts, edge, rows, limit):
            if (edge.edge.upstream, address) not in seen:
                seen.add((edge.edge.upstream, address))
                yield edge.edge.upstream, address
    held = scene.flows[name].held
    if held is not None and (kept := rows & held).any():
        for mate in scene.world.graph.mates(name):
            lacks, also = scene.flows[mate].lacks, scene.flows[mate].held
            own = None if lacks is None else kept & lacks if also is None else kept & lacks & ~also
            for pair in lacking_addresses(scene, mate, own, limit) if own is not None and own.any() else ():
                if pair not in seen:
                    seen.add(pair)
                    yield pair


def _lacking(scene: Scene, facts: Facts, edge: EdgeFacts, rows: Flags, limit: int | None) -> list[str]:
    upstream, key = scene.facts[edge.upstream], edge.edge.upstream
    absent = unobtainable(upstream, scene.flows[edge.upstream], key)
    lacking = PartitionSet.empty()
    if absent is not None:
        lacked = absent & covered(rows, edge.spans, len(absent))
        # Of partitions of its own, those that are told of anyway, for they wait here too, say nothing new.
        lacked = lacked & ~rows if edge.edge.own else lacked
        lacking = PartitionSet.from_ordinals(upstream.ordinals[lacked])
    early = None if edge.premature is None else rows & edge.premature
    if early is not None and early.any():
        asking = PartitionSet.from_ordinals(facts.ordinals[early])
        awaited = edge.edge.mapping.awaited(asking, facts.space, upstream.space, scene.world.now)
        if not awaited and not lacking:
            return [key]
        lacking |= awaited
    if not lacking:
        return []
    addresses = [f"{key}@{text}" for text in upstream.space.describe(lacking)] or [key]
    hidden = 0 if limit is None else len(addresses) - limit
    return [*addresses[:limit], f"+{hidden} more"] if hidden > 0 else addresses
