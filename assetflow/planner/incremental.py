"""The long-lived planner: it is told what happened, and judges again only what that touches.

A fact about a partition depends on what is recorded of it and on the data hashes of what it reads. So an event changes
the facts of the partitions that it is about, and through the additive sums those of their direct readers. What follows
further down is worked out when a plan is asked for, by the same functions as for a plan from scratch, on an excerpt:
the partitions that are not up to date, and those that they need to look at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from heapq import heapify, heappop, heappush
from typing import TypeVar

import numpy as np

from assetflow.graph import AssetGraph
from assetflow.keys import AssetKey
from assetflow.partitions.multi_space import MultiSpace
from assetflow.partitions.spaces import PartitionSpace, ordinal_of
from assetflow.partitions.time_space import TimeSpace
from assetflow.planner.changes import Changes, applied
from assetflow.planner.data_times import ageing_assets
from assetflow.planner.excerpts import Kept, all_facts, facts_at, joined, narrowed_state, passive_facts, read_by_changed
from assetflow.planner.explain import Explanation, explain
from assetflow.planner.facts import Facts, World, facts_of, world_of
from assetflow.planner.flow import Request, flows_of
from assetflow.planner.kept import Column, KeptPointers, merged, taken
from assetflow.planner.plan import Plan
from assetflow.planner.planning import plan_from, plan_of_all
from assetflow.planner.readers import KeptEdge, Upstream
from assetflow.planner.redefinition import judging, same_reads
from assetflow.planner.rows import Range
from assetflow.planner.selection import Selection, parse_selection
from assetflow.planner.signatures import mix
from assetflow.planner.spans import Flags, Integers, Lanes, members
from assetflow.planner.staleness import UP_TO_DATE_STATE, Assessment, StateCodes, with_upstreams
from assetflow.planner.state import AssetState, Codes, State, empty_asset_state
from assetflow.planner.targets import choose

_Record = TypeVar("_Record")


class LivePlanner:
    """Plans of a graph whose recorded state goes on changing, each equal to a plan from scratch.

    It copies what it keeps of ``state``. The order is: :meth:`apply` what was committed, :meth:`advance` the clock,
    and ask. Not for several threads at once.
    """

    def __init__(self, graph: AssetGraph, state: State, codes: Codes, now: datetime) -> None:
        self._begin(world_of(graph, state, codes, now))

    def _begin(self, world: World) -> None:
        graph, state = world.graph, world.state
        facts = facts_of(world, graph.nodes)
        self._owner = graph.owner
        self._mates = {name: group for group in graph.groups.values() for name in group}
        self._ageing = frozenset(ageing_assets(graph))
        self._kept = {name: _kept(world, each, self._ageing) for name, each in facts.items()}
        self._place = {name: place for place, name in enumerate(graph.nodes)}
        self._names = list(graph.nodes)
        self._readers: dict[AssetKey, list[KeptEdge]] = {key: [] for key in graph.owner}
        for each in self._kept.values():
            for edge in each.edges.values():
                self._readers[edge.edge.upstream].append(edge)
        # What is recorded besides the pointers of existing partitions.
        outside = {key: self._outside(key, state) for key in graph.owner}
        known = replace(
            state,
            assets={key: pointers for key, (pointers, _) in outside.items()},
            verified={key: times for key, (_, times) in outside.items() if times is not None},
        )
        self._world = replace(world, state=known, existing={})
        self._frontiers = _frontiers(world.spaces.values(), world.now)
        self._busy = {name for name, each in self._kept.items() if len(each.begun())}
        self._forget()

    def _outside(self, key: AssetKey, state: State) -> tuple[AssetState, Integers | None]:
        """The pointers of partitions that do not exist: windows that have not ended, keys that were removed."""
        pointers, times = state.assets.get(key) or empty_asset_state(), self._times_of(key, state)
        places = np.flatnonzero(~members(pointers.ordinals, self._kept[self._owner[key]].existing))
        return taken(pointers, places), None if times is None else times[places]

    def _times_of(self, key: AssetKey, state: State) -> Integers | None:
        return _times(state, key) if key in self._ageing else None

    def _forget(self) -> None:
        self._excerpt: Assessment | None = None
        self._plans: dict[bool, Plan] = {}

    # What happened

    def apply(self, changes: Changes) -> None:
        """Take in what commits did. Its cost follows the number of partitions touched, and of those that read them."""
        if not changes.anew.isdisjoint(self._readers):
            known = self._world
            self._begin(world_of(known.graph, applied(self.state(), changes), known.codes, known.now))
            return
        touched = {key: each for key, each in changes.touched.items() if len(each) and key in self._readers}
        recorded = self._recorded(touched)
        dirty: dict[str, list[Integers]] = {}
        for key, ordinals in touched.items():
            name = self._owner[key]
            existing = self._kept[name].existing
            inside = members(ordinals, existing)
            rows = existing.searchsorted(ordinals[inside])
            dirty.setdefault(name, []).append(rows)
            for edge, concerned in self._put(key, rows, ordinals[inside], changes.state):
                dirty.setdefault(edge.down, []).append(concerned)
        self._record(changes, touched, recorded)
        for key in changes.observed.keys() & self._ageing:
            self._observed(key, changes.observed[key])
        self._mark({name: joined(parts) for name, parts in dirty.items()})
        self._forget()

    def _recorded(self, touched: Mapping[AssetKey, Integers]) -> State:
        """What is recorded of the touched assets; of pointers, those of touched partitions and of ones outside."""
        known = self._world.state
        assets: dict[AssetKey, AssetState] = {}
        verified: dict[AssetKey, Integers] = {}
        for key, ordinals in touched.items():
            existing, pointers = self._kept[self._owner[key]].existing, self._kept[self._owner[key]].pointers[key]
            rows = existing.searchsorted(ordinals[members(ordinals, existing)])
            assets[key], order = merged(pointers.at(rows, existing[rows]), known.assets[key])
            if key in self._ageing:
                outside = known.verified.get(key, np.zeros(len(known.assets[key].ordinals), np.int64))
                verified[key] = np.concatenate((pointers.verified_at(rows), outside))[order]
        return replace(
            known,
            assets=assets,
            verified=verified,
            failures=_of(touched, known.failures),
            retained=_of(touched, known.retained),
            candidates=_of(touched, known.candidates),
            checks={(key, name): each for (key, name), each in known.checks.items() if key in touched},
        )

    def _record(self, changes: Changes, touched: Mapping[AssetKey, Integers], recorded: State) -> None:
        """Keep what the changes say of touched assets, apart from the pointers of existing partitions."""
        latest, known = changes.state, self._world.state
        told = {key: latest.assets.get(key) or empty_asset_state() for key in touched}
        times = {key: self._times_of(key, latest) for key in touched if key in self._ageing}
        checks = {(key, name): each for (key, name), each in latest.checks.items() if key in touched}
        latest = replace(latest, assets=told, verified=times, checks=checks)
        after = applied(recorded, Changes(touched, latest))
        outside = {key: self._outside(key, after) for key in touched}
        state = replace(
            latest,
            assets={**known.assets, **{key: pointers for key, (pointers, _) in outside.items()}},
            verified={**known.verified, **{key: each for key, (_, each) in outside.items() if each is not None}},
            codes={**known.codes, **after.codes},
            failures=_without(touched, known.failures, after.failures),
            retained=_without(touched, known.retained, after.retained),
            candidates=_without(touched, known.candidates, after.candidates),
            checks={**{pair: each for pair, each in known.checks.items() if pair[0] not in touched}, **after.checks},
        )
        self._world = replace(self._world, state=state)

    def _observed(self, key: AssetKey, at: int) -> None:
        """Keep when a source was asked last, which all its partitions have in common."""
        self._kept[self._owner[key]].pointers[key].verify(at)
        known = self._world.state
        outside = np.full(len(known.assets[key].ordinals), at, np.int64)
        self._world = replace(self._world, state=replace(known, verified={**known.verified, key: outside}))

    def _put(self, key: AssetKey, rows: Integers, ordinals: Integers, latest: State) -> list[tuple[KeptEdge, Integers]]:
        """Replace pointers; gives the edges that see other data, with the rows concerned."""
        pointers, uid = self._kept[self._owner[key]].pointers[key], latest.uids.get(key, 0)
        there, hashes = pointers.versioned[rows], pointers.hashes[rows]
        pointers.put(rows, ordinals, latest.assets.get(key) or empty_asset_state(), self._times_of(key, latest))
        there_now, hashes_now = pointers.versioned[rows], pointers.hashes[rows]
        differ = (there != there_now) | (there & (hashes != hashes_now).any(axis=1))
        if not differ.any():
            return []
        rows, ordinals = rows[differ], ordinals[differ]
        found: list[tuple[KeptEdge, Integers]] = []
        for edge in self._readers[key]:
            parameter = edge.edge.parameter
            more = _summands(uid, parameter, ordinals, hashes_now[differ], there_now[differ])
            less = _summands(uid, parameter, ordinals, hashes[differ], there[differ])
            found.append((edge, edge.shift(rows, more - less)))
        return found

    def _mark(self, rows: Mapping[str, Integers]) -> None:
        """Judge rows again by themselves."""
        _, facts = facts_at(self._world, self._kept, rows, rows)
        for name, each in facts.items():
            kept, judged = self._kept[name], rows[name]
            kept.marked = _updated(kept.marked, judged, each.bits != 0)
            for edge in each.edges:
                known = kept.edges[edge.edge.parameter]
                known.changed = _updated(known.changed, judged, edge.changed)
            self._note(name)

    def _note(self, name: str) -> None:
        """Note whether anything begins at a computation."""
        if len(self._kept[name].begun()):
            self._busy.add(name)
        else:
            self._busy.discard(name)

    def advance(self, now: datetime) -> None:
        """Set the clock: windows that have ended since become partitions. ``now`` is an aware datetime."""
        before, after = self._frontiers, _frontiers(self._world.spaces.values(), now)
        moved = {place for place in after if after[place] != before[place]}
        concerned = {name for name, each in self._kept.items() if id(each.space) in moved}
        if not all(self._grows(name, before[id(self._kept[name].space)], now) for name in concerned):
            self._begin(world_of(self._world.graph, self.state(), self._world.codes, now))
            return
        self._world = replace(self._world, now=now)
        self._frontiers = after
        if concerned:
            self._grow(concerned, before, now)
        self._forget()

    def _grows(self, name: str, frontier: tuple[int, ...], now: datetime) -> bool:
        """Whether all that time does to a computation is to add rows at the end, of it and of its upstreams."""
        kept = self._kept[name]
        edges = [*kept.edges.values(), *(edge for key in kept.node.outputs for edge in self._readers[key])]
        forward = isinstance(kept.space, TimeSpace) and kept.space.frontier(now) >= frontier[0]
        return forward and all(edge.extends for edge in edges)

    def _grow(self, names: Collection[str], before: Mapping[int, tuple[int, ...]], now: datetime) -> None:
        """Add the rows of windows that have ended."""
        sizes = {name: len(self._kept[name].existing) for name in names}
        dirty: dict[str, list[Integers]] = {}
        for name in names:
            kept = self._kept[name]
            assert isinstance(kept.space, TimeSpace)
            added = kept.space.begun(before[id(kept.space)][0], now).array()
            kept.ordinals.grow(added)
            dirty[name] = [np.arange(sizes[name], len(kept.existing))]
            for pointers in kept.pointers.values():
                pointers.grow(len(added))
        for name, kept in self._kept.items():
            for edge in kept.edges.values():
                if name in names or edge.upstream in names:
                    up = self._kept[edge.upstream]
                    uid = self._world.state.uids.get(edge.edge.upstream, 0)
                    upstream = Upstream(up.space, up.existing, up.pointers[edge.edge.upstream], uid)
                    known = sizes.get(edge.upstream, len(up.existing))
                    judged = edge.extend(kept.space, kept.existing, upstream, known, now)
                    dirty.setdefault(name, []).append(judged)
        self._mark({name: joined(parts) for name, parts in dirty.items()})
        self._admit(names)

    def _admit(self, names: Collection[str]) -> None:
        """Take in the pointers of partitions that have come to exist, which were published before."""
        known = self._world.state
        early: dict[AssetKey, Integers] = {}
        for key in (key for name in names for key in self._kept[name].node.outputs):
            ordinals = known.assets[key].ordinals
            found = ordinals[members(ordinals, self._kept[self._owner[key]].existing)]
            if len(found):
                early[key] = found
        if early:
            known = narrowed_state(known, early)
            pointers = {key: taken(known.assets[key], _at(known.assets[key].ordinals, early[key])) for key in early}
            times = {
                key: known.verified[key][_at(known.assets[key].ordinals, early[key])]
                for key in early
                if key in known.verified
            }
            self.apply(Changes(early, replace(known, assets=pointers, verified=times)))

    def redefine(self, graph: AssetGraph, codes: Codes, changes: Changes) -> None:
        """Take in other definitions or other code.

        ``changes`` are what was committed since, and what is recorded with regard to the code as it is now: versions
        that could be published again, results of checks, and all that there is of assets that are new. With other
        partitions, mappings or upstreams anywhere, all is begun anew.
        """
        same = same_reads(self._world.graph, graph) and self._ageing == frozenset(ageing_assets(graph))
        if changes.anew or not same:
            self._begin(world_of(graph, applied(self.state(), changes), codes, self._world.now))
            return
        before = self._world
        self._owner = graph.owner
        rows: dict[str, Integers] = {}
        for name, node in graph.nodes.items():
            kept = self._kept[name]
            kept.node = node
            for edge in node.edges:
                kept.edges[edge.parameter].edge = edge
            if node.kind == "asset" and judging(before.graph, before.codes, node) != judging(graph, codes, node):
                rows[name] = np.arange(len(kept.existing))
        self._world = replace(before, graph=graph, codes=codes)
        self.apply(changes)
        self._mark(rows)
        self._forget()

    # Questions

    def plan(
        self,
        selection: str | Selection = "*",
        partitions: str | Sequence[str | Range] = (),
        *,
        force: bool = False,
        retry_failed: bool = True,
        due: bool = False,
    ) -> Plan:
        """The plan that :func:`assetflow.planner.planning.plan` makes of the same graph, state, codes and moment.

        It has no scene: what it was decided from goes on changing.

        The plan of everything (``"*"`` without more) costs what is not up to date; any other is worked out over all
        partitions, from facts that are known. Raises as that function.
        """
        parsed = selection if isinstance(selection, Selection) else parse_selection(selection)
        if parsed.text.strip() != "*" or force or partitions or due:
            only = None if parsed.needs_states else choose(parsed, self._world.graph, {}).every
            made = plan_from(
                self.assessment(only),
                selection=parsed,
                partitions=partitions,
                force=force,
                retry_failed=retry_failed,
                due=due,
            )
            return replace(made, scene=None)
        if retry_failed not in self._plans:
            self._plans[retry_failed] = plan_of_all(self.excerpt(), retry_failed=retry_failed)
        return self._plans[retry_failed]

    def counts(self, key: AssetKey) -> dict[str, int]:
        """Partitions by state, as :meth:`Assessment.counts`."""
        kept = self._kept[self._world.graph.owner[key]]
        total, empty = len(kept.existing), int(np.count_nonzero(kept.pointers[key].empty))
        excerpt = self.excerpt()
        if kept.node.name not in excerpt.facts:
            zeros = dict.fromkeys(("stale", "missing", "waiting", "failed"), 0)
            return {"total": total, "up_to_date": total, **zeros, "empty": empty}
        found = excerpt.counts(key)
        rest = total - found["total"]
        seen = int(np.count_nonzero(excerpt.facts[kept.node.name].output(key).pointers.empty))
        more = {"total": total, "up_to_date": found["up_to_date"] + rest, "empty": found["empty"] + empty - seen}
        return {**found, **more}

    def states(self, key: AssetKey) -> StateCodes:
        """The state of each existing partition, as :meth:`Assessment.states`."""
        kept = self._kept[self._world.graph.owner[key]]
        codes = np.full(len(kept.existing), UP_TO_DATE_STATE, np.uint8)
        excerpt = self.excerpt()
        if kept.node.name in excerpt.facts:
            codes[kept.existing.searchsorted(excerpt.ordinals(key))] = excerpt.states(key)
        return codes

    def why(self, asset: AssetKey, partition: str | None = None) -> Explanation:
        """Why an asset, or one partition, is in its state, as :func:`assetflow.planner.explain.explain`."""
        key = self._world.graph.require(asset)
        name = self._owner[key]
        kept = self._kept[name]
        if partition is None and kept.space.grain != "none":
            return explain(self.assessment([name]), key)
        ordinal = 0 if partition is None else ordinal_of(kept.space, key, partition)
        row = np.flatnonzero(members(np.array([ordinal]), kept.existing)) + kept.existing.searchsorted(ordinal)
        return explain(self._excerpted({name: row}), key, partition)

    def assessment(self, only: Iterable[str] | None = None) -> Assessment:
        """Everything judged, as :func:`assetflow.planner.staleness.assess` does; ``only`` some, and their upstreams.

        It holds until the planner is told of something.
        """
        graph = self._world.graph
        names = graph.nodes if only is None else with_upstreams(graph, only)
        existing = {name: each.existing.copy() for name, each in self._kept.items()}
        world = replace(self._world, state=self.state(), existing=existing)
        facts = all_facts(world, self._kept, names)
        return Assessment(world, facts, flows_of(facts, Request()))

    @property
    def recorded(self) -> State:
        """What is recorded apart from most pointers, with how far it goes: what to ask for changes since with."""
        return self._world.state

    @property
    def codes(self) -> Codes:
        """The code that partitions are judged by."""
        return self._world.codes

    def state(self) -> State:
        """Everything recorded, as after all that was applied; a copy."""
        known = self._world.state
        assets: dict[AssetKey, AssetState] = {}
        verified: dict[AssetKey, Integers] = {}
        for key, name in self._owner.items():
            existing, pointers = self._kept[name].existing, self._kept[name].pointers[key]
            inside, times = pointers.at(np.arange(len(existing)), existing.copy()), pointers.verified()
            assets[key], order = merged(inside, known.assets[key])
            if times is not None:
                outside = known.verified.get(key, np.zeros(len(known.assets[key].ordinals), np.int64))
                verified[key] = np.concatenate((times, outside))[order]
        return replace(known, assets=assets, verified=verified)

    def excerpt(self) -> Assessment:
        """What is not up to date, judged, with what it needs to look at."""
        if self._excerpt is None:
            self._excerpt = self._excerpted({})
        return self._excerpt

    def _excerpted(self, also: Mapping[str, Integers]) -> Assessment:
        active = self._active()
        parts: dict[str, list[Integers]] = {name: [rows] for name, rows in also.items()}
        for name, rows in active.items():
            parts.setdefault(name, []).append(rows)
        for name, rows in active.items():
            kept = self._kept[name]
            for edge in kept.edges.values():
                needed = parts.setdefault(edge.upstream, [])
                if edge.by_key:
                    needed.append(edge.first_read(rows))
                if len(edge.changed):
                    needed.append(read_by_changed(kept, edge, self._kept[edge.upstream].pointers[edge.edge.upstream]))
        # The rows of a publish group's members stand side by side.
        shared = {
            name: [part for mate in self._mates.get(name, (name,)) for part in parts.get(mate, ())] for name in parts
        }
        rows_of = {name: joined(found) for name, found in shared.items()}
        world, judged = facts_at(self._world, self._kept, rows_of, active)
        facts: dict[str, Facts] = {}
        for name in sorted(rows_of, key=self._place.__getitem__):
            facts[name] = judged.get(name) or passive_facts(self._world, self._kept[name], rows_of[name])
        return Assessment(world, facts, flows_of(facts, Request()))

    def _active(self) -> dict[str, Integers]:
        """The rows that may have a step or have to wait, by computation: where it begins, and what lies downstream."""
        reached = {name: [self._kept[name].begun()] for name in self._busy}
        queue = [self._place[name] for name in reached]
        heapify(queue)
        active: dict[str, Integers] = {}
        while queue:
            name = self._names[heappop(queue)]
            kept, known = self._kept[name], active.get(name, _NO_ROWS)
            found = joined(reached.pop(name, ()))
            found = found[~members(found, known)]
            if not len(found):
                continue
            active[name] = joined((known, found))
            further = [(mate, found) for mate in self._mates.get(name, ()) if mate != name]
            edges = [edge for key in kept.node.outputs for edge in self._readers[key]]
            further += [(edge.down, edge.readers(found)) for edge in edges]
            for follower, rows in further:
                if len(rows):
                    reached.setdefault(follower, []).append(rows)
                    heappush(queue, self._place[follower])
        return active


_NO_ROWS = np.empty(0, np.int64)


def _kept(world: World, facts: Facts, ageing: frozenset[AssetKey]) -> Kept:
    pointers: dict[AssetKey, KeptPointers] = {}
    for key in facts.node.outputs:
        times = _times(world.state, key) if key in ageing else None
        pointers[key] = KeptPointers(world.state.assets.get(key) or empty_asset_state(), times, facts.ordinals)
    edges = {each.edge.parameter: KeptEdge(each, facts.node.name) for each in facts.edges}
    return Kept(facts.node, facts.space, Column(facts.ordinals), pointers, edges, np.flatnonzero(facts.bits))


def _times(state: State, key: AssetKey) -> Integers:
    times, pointers = state.verified.get(key), state.assets.get(key)
    if times is None:
        return np.zeros(0 if pointers is None else len(pointers.ordinals), np.int64)
    return times


def _summands(uid: int, parameter: str, ordinals: Integers, hashes: Lanes, there: Flags) -> Lanes:
    summands = mix(uid, parameter, ordinals, hashes)
    summands[~there] = 0
    return summands


def _of(keys: Collection[AssetKey], records: Mapping[AssetKey, _Record]) -> dict[AssetKey, _Record]:
    return {key: records[key] for key in keys if key in records}


def _without(
    keys: Collection[AssetKey], before: Mapping[AssetKey, _Record], after: Mapping[AssetKey, _Record]
) -> dict[AssetKey, _Record]:
    """The records before, with those of ``keys`` as they are after."""
    return {**{key: each for key, each in before.items() if key not in keys}, **_of(keys, after)}


def _at(ordinals: Integers, some: Integers) -> Integers:
    return np.flatnonzero(members(ordinals, some))


def _updated(rows: Integers, judged: Integers, found: Flags) -> Integers:
    """Ascending ``rows``, where of the ``judged`` ones those that were ``found`` belong to them now."""
    if len(judged) and int(judged[-1]) - int(judged[0]) == len(judged) - 1:
        kept = (rows < judged[0]) | (rows > judged[-1])
    else:
        kept = ~members(rows, judged)
    return joined([rows[kept], judged[found]])


def _frontiers(spaces: Iterable[PartitionSpace], now: datetime) -> dict[int, tuple[int, ...]]:
    """How far time has come in each space: where that is the same, the same partitions exist."""
    found: dict[int, tuple[int, ...]] = {}
    for space in spaces:
        if id(space) not in found:
            dimensions = space.spaces if isinstance(space, MultiSpace) else (space,)
            found[id(space)] = tuple(each.frontier(now) for each in dimensions if isinstance(each, TimeSpace))
    return found
