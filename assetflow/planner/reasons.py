"""Causes in words: why the rows of a computation have the steps and states that they have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from assetflow.graph import Edge
from assetflow.keys import AssetKey
from assetflow.partitions.sets import PartitionSet
from assetflow.partitions.spaces import PartitionSpace
from assetflow.partitions.spans import covered
from assetflow.planner.causes import Cause, CauseKind
from assetflow.planner.facts import CODE, FAILED, MISSING, SCHEMA, EdgeFacts, Facts, Output, World
from assetflow.planner.flow import CANDIDATE, CHECK, Flow, busy_rows, roots_through, unobtainable
from assetflow.planner.former import formerly, repartitioned
from assetflow.planner.publish_groups import grouped
from assetflow.planner.scans import OwnReads, traced
from assetflow.planner.spans import Flags, Integers, distinct, narrowed, picked

_SHOWN = 3
"""How many ranges or names a sentence lists."""

_LAST = np.iinfo(np.int64).max
_MOST_PAIRS = 2_000_000
"""Up to so many pairs of a row and an upstream partition, each row's own generation decides what changed for it."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What reasons are read from: facts, and the flow of one plan over them."""

    world: World
    facts: Mapping[str, Facts]
    flows: Mapping[str, Flow]
    forced: bool = False
    expired: Mapping[str, Flags] = field(default_factory=dict[str, Flags])


def own_causes(scene: Scene, name: str, rows: Flags) -> tuple[Cause, ...]:
    """The causes that began at these rows of a computation."""
    facts = scene.facts[name]
    if facts.seen == 0 and not scene.forced and name not in scene.expired:
        return ()
    own = facts.node.outputs
    forced = int(np.count_nonzero(rows)) if scene.forced else 0
    expired = int(np.count_nonzero(rows & scene.expired[name])) if name in scene.expired else 0
    return (
        *_missing(scene.world, facts, rows),
        *_code(scene.world, facts, rows),
        *(cause for edge in facts.edges for cause in _input_changed(scene, facts, edge, rows)),
        *([Cause("forced", forced, "forced", own)] if forced else []),
        *([Cause("expired", expired, "its data is older than a freshness policy allows", own)] if expired else []),
        *_failed(scene.world, facts, rows),
        *_check_failed(facts, rows),
        *_check_due(scene, facts, rows),
    )


def inherited_causes(scene: Scene, name: str, rows: Flags) -> tuple[Cause, ...]:
    """The causes that began further up: one for each direct upstream that is stale, with the assets where it began."""
    facts, flow = scene.facts[name], scene.flows[name]
    if facts.settled is not None:
        pending = zip(facts.node.edges, flow.pending, strict=False)
        moving = [edge for edge, flags in pending if flags is not None]
        first = {edge.upstream: edge for edge in reversed(moving)}
        return tuple([_one_upstream_stale(scene, edge) for edge in moving if first[edge.upstream] is edge])
    edges: dict[AssetKey, list[tuple[EdgeFacts, Flags]]] = {}
    for edge, pending in zip(facts.edges, flow.pending, strict=False):
        if pending is not None and (concerned := rows & pending).any():
            edges.setdefault(edge.edge.upstream, []).append((edge, concerned))
    return tuple(_upstream_stale(scene, facts, concerned) for concerned in edges.values())


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
        partitions = _ranges(upstream.space, _told(edge, late).array())
        detail = f"{key} {', '.join(partitions)} changed late"
        count = int(np.count_nonzero(late))
        found.append(Cause("input_changed", count, detail, (key,), edge.edge.parameter, partitions=partitions))
    return tuple(found)


def _told(edge: EdgeFacts, rows: Flags) -> PartitionSet:
    return PartitionSet.from_ordinals(np.concatenate([each.of(rows) for each in edge.told]))


def waiting_cause(scene: Scene, name: str, rows: Flags) -> Cause | None:
    """What these rows wait for; None when they wait for nothing."""
    flow = scene.flows[name]
    if flow.lacks is None or not (rows & flow.lacks).any():
        return None
    waiting = rows & flow.lacks
    shown = tuple(text for _, text in lacking_addresses(scene, name, waiting, _SHOWN))
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
        for problem, concerned in list(rows_of_problem.items())[:_SHOWN]:
            shown = facts.space.describe(PartitionSet.from_ordinals(facts.ordinals[concerned]), _SHOWN)
            sentences.append(f"{facts.node.name}@{', '.join(shown)}: the mapping to {edge.edge.upstream}: {problem}")
        if len(rows_of_problem) > _SHOWN:
            hidden = len(rows_of_problem) - _SHOWN
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


def _missing(world: World, facts: Facts, rows: Flags) -> list[Cause]:
    missing = rows & ((facts.bits & MISSING) != 0)
    if not missing.any():
        return []
    if all(not output.versioned[missing].any() for output in facts.outputs):
        detail = f"never built{formerly(world, facts)}"
        return [Cause("missing", int(np.count_nonzero(missing)), detail, facts.node.outputs)]
    found = ((output.key, int(np.count_nonzero(missing & ~output.versioned))) for output in facts.outputs)
    return [Cause("missing", count, f"{key} was never built", (key,)) for key, count in found if count]


def _code(world: World, facts: Facts, rows: Flags) -> list[Cause]:
    kinds: tuple[tuple[CauseKind, int], ...] = (("code_changed", CODE), ("schema_changed", SCHEMA))
    return [
        _changed_code(world, facts, kind, changed)
        for kind, bit in kinds
        if (changed := rows & ((facts.bits & bit) != 0)).any()
    ]


def _changed_code(world: World, facts: Facts, kind: CauseKind, rows: Flags) -> Cause:
    present = world.codes.computations[facts.node.name].components
    changes: dict[str, str] = {}
    for output in facts.outputs:
        for number in distinct(picked(output.pointers.code, rows[output.places])):
            earlier = world.state.codes.get(number)
            if earlier is not None:
                changes.update(_component_changes(earlier.components, present))
    names = sorted(changes)
    sentence = _listed([f"{component_name(name)} {changes[name]}" for name in names]) or "the code changed"
    return Cause(kind, int(np.count_nonzero(rows)), sentence, facts.node.outputs, components=tuple(names))


def _component_changes(earlier: Mapping[str, str], present: Mapping[str, str]) -> dict[str, str]:
    changes = dict.fromkeys(present.keys() - earlier.keys(), "added")
    changes |= dict.fromkeys(earlier.keys() - present.keys(), "removed")
    # Windows of UTC, which begin where their name says, go without saying.
    changes |= dict.fromkeys(changes.keys() & {"option:windows:partitions"}, "changed")
    return changes | {name: "changed" for name in present.keys() & earlier.keys() if present[name] != earlier[name]}


def component_name(component: str) -> str:
    """A part of the code as people call it.

    >>> component_name("shop.helpers.clean"), component_name("option:missing:orders"), component_name("schema:items")
    ('shop.helpers.clean', 'missing of orders', 'schema of items')
    """
    parts = component.removeprefix("option:").split(":", 1)
    return component if len(parts) == 1 and parts[0] == component else " of ".join(parts)


def _input_changed(scene: Scene, facts: Facts, edge: EdgeFacts, rows: Flags) -> list[Cause]:
    changed = rows & edge.changed
    if not changed.any():
        return []
    upstream = scene.facts[edge.upstream]
    key = edge.edge.upstream
    since = _changed_partitions(facts, edge, upstream.output(key), changed)
    if edge.told:
        since |= _told(edge, changed)
    partitions = _ranges(upstream.space, since.array())
    sentence = f"{key} {', '.join(partitions)} changed" if partitions else f"{key} changed"
    sentence = repartitioned(scene.world, facts, edge, upstream, changed) or sentence
    count = int(np.count_nonzero(changed))
    return [Cause("input_changed", count, sentence, (key,), edge.edge.parameter, partitions=partitions)]


def _changed_partitions(facts: Facts, edge: EdgeFacts, upstream: Output, rows: Flags) -> PartitionSet:
    """The upstream partitions published since these rows were: what was removed since cannot be told any more."""
    pointers, read = upstream.pointers, edge.signature.read
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


def _covered(edge: EdgeFacts, rows: Flags, busy: Flags, size: int) -> Flags:
    """The upstream rows that would make these rows due if they were published now."""
    if edge.timely is None:
        return covered(rows, edge.spans, size)
    return covered(rows & busy, edge.spans, size) | (covered(rows & ~busy, edge.spans, size) & edge.timely)


def _upstream_stale(scene: Scene, reader: Facts, edges: Sequence[tuple[EdgeFacts, Flags]]) -> Cause:
    """What moves upstream, through all edges that read one asset at the rows concerned."""
    first = edges[0][0]
    upstream, flow = scene.facts[first.upstream], scene.flows[first.upstream]
    assert flow.moves is not None
    busy = busy_rows(reader, force=scene.forced)
    read = [_covered(edge, rows, busy, len(flow.moves)) for edge, rows in edges]
    moving = flow.moves & np.logical_or.reduce(read)
    partitions = _ranges(upstream.space, picked(upstream.ordinals, moving))
    reached = [keys for edge, rows in edges for keys, flags in roots_through(edge, flow, busy) if (flags & rows).any()]
    count = int(np.count_nonzero(np.logical_or.reduce([rows for _, rows in edges])))
    return _stale_cause(scene, first.edge, upstream, moving, reached, count, partitions)


def _one_upstream_stale(scene: Scene, edge: Edge) -> Cause:
    """The same, where one row reads one row."""
    name = scene.world.graph.owner[edge.upstream]
    upstream, flow = scene.facts[name], scene.flows[name]
    assert flow.moves is not None
    return _stale_cause(scene, edge, upstream, flow.moves, [keys for keys, _ in flow.roots], 1, ())


def _stale_cause(
    scene: Scene,
    edge: Edge,
    upstream: Facts,
    moving: Flags,
    reached: Sequence[frozenset[AssetKey]],
    count: int,
    partitions: tuple[str, ...],
) -> Cause:
    roots = tuple(sorted(reached[0] if len(reached) == 1 else frozenset[AssetKey]().union(*reached)))
    missing = not (moving & ((upstream.bits & MISSING) == 0)).any()
    manner = "is rebuilt" if scene.forced else "is missing" if missing else "is stale"
    named = " ".join([edge.upstream, ", ".join(partitions)]).rstrip()
    elsewhere = [root for root in roots if root not in upstream.node.outputs]
    origin = f", which began at {_listed(elsewhere)}" if elsewhere else ""
    return Cause("upstream_stale", count, f"{named} {manner}{origin}", roots, edge.parameter, partitions=partitions)


def _failed(world: World, facts: Facts, rows: Flags) -> list[Cause]:
    failed = rows & ((facts.bits & FAILED) != 0)
    if not failed.any():
        return []
    stories: Counter[tuple[str, str]] = Counter()
    for output in facts.outputs:
        failures = world.state.failures.get(output.key)
        if output.failed is None or failures is None:
            continue
        ordinals = facts.ordinals[output.failed & failed]
        places: list[int] = np.searchsorted(failures.ordinals, ordinals).tolist()
        stories.update((failures.runs[place], failures.errors[place]) for place in places)
    run, error = next(iter(stories))
    others = len(stories) - 1
    more = f", and {others} other {'error' if others == 1 else 'errors'}" if others else ""
    detail = f"failed in run {run}: {error}{more}"
    return [Cause("failed", int(np.count_nonzero(failed)), detail, facts.node.outputs)]


def _check_failed(facts: Facts, rows: Flags) -> list[Cause]:
    return [
        Cause("check_failed", count, f"check {check.name} failed", (output.key,))
        for output in facts.outputs
        for check in output.checks
        if (count := int(np.count_nonzero(rows & check.failed)))
    ]


def _check_due(scene: Scene, facts: Facts, rows: Flags) -> Iterable[Cause]:
    """Why checks would run: on current versions, or on candidates that only the checks kept back."""
    certainty = scene.flows[facts.node.name].certainty
    if certainty is None:
        return
    current, candidate = rows & (certainty == CHECK), rows & (certainty == CANDIDATE)
    for output in facts.outputs:
        for check in output.checks:
            changed = int(np.count_nonzero(current & check.changed))
            fresh = int(np.count_nonzero(current & check.due & ~check.changed))
            if changed:
                yield Cause("code_changed", changed, f"check {check.name} changed", (output.key,))
            if fresh:
                yield Cause("missing", fresh, f"check {check.name} has not run on this version", (output.key,))
    if candidate.any():
        yield from _mended(scene.world, facts, candidate)


def _mended(world: World, facts: Facts, rows: Flags) -> Iterable[Cause]:
    assert facts.offers is not None
    found = False
    for output in facts.outputs:
        versions = world.state.candidates[output.key].version[facts.offers.candidates[output.key][rows]]
        for check in world.graph.checks.get(output.key, ()):
            results = world.state.checks.get((output.key, check.name))
            seen = 0 if results is None else int(np.count_nonzero(np.isin(versions, results.earlier)))
            if seen:
                found = True
                yield Cause("code_changed", seen, f"check {check.name} changed", (output.key,))
    if not found:
        yield Cause("code_changed", int(np.count_nonzero(rows)), "the checks changed", facts.node.outputs)


def _ranges(space: PartitionSpace, ordinals: Integers) -> tuple[str, ...]:
    """Some of ascending partitions, as ranges."""
    if space.grain == "none":
        return ()
    shown, hidden = space.first_ranges(PartitionSet.from_ascending(ordinals), _SHOWN)
    ranges = [first if first == last else f"{first}...{last}" for first, last in shown]
    return (*ranges, f"+{hidden} more") if hidden else tuple(ranges)


def _listed(texts: Sequence[str]) -> str:
    if len(texts) <= _SHOWN:
        return ", ".join(texts)
    return f"{', '.join(texts[:_SHOWN])} and {len(texts) - _SHOWN} more"


def rows_of(facts: Facts, partitions: Integers) -> Flags:
    """The rows of these existing partitions."""
    rows = np.zeros(len(facts.ordinals), np.bool_)
    rows[np.searchsorted(facts.ordinals, partitions)] = True
    return rows
