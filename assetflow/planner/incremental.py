"""The long-lived planner: it is told what happened, and judges again only what that touches.

A fact about a partition depends on what is recorded of it and on the data hashes of what it reads. So an event changes
the facts of the partitions that it is about, and through the additive sums those of their direct readers. What follows
further down is worked out when a plan is asked for, by the same functions as for a plan from scratch, on an excerpt:
the partitions that are not up to date, and those that they need to look at.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from assetflow.graph import AssetGraph
from assetflow.keys import AssetKey
from assetflow.partitions.spaces import ordinal_of
from assetflow.planner.changes import Changes, applied
from assetflow.planner.data_times import ageing_assets
from assetflow.planner.excerpts import all_facts, excerpted
from assetflow.planner.explain import Explanation, explain
from assetflow.planner.facts import world_of
from assetflow.planner.flow import Request, flows_of
from assetflow.planner.growing import grown
from assetflow.planner.holdings import Rows, hold, needs_everything
from assetflow.planner.intake import judge, take_in
from assetflow.planner.plan import Plan
from assetflow.planner.planning import plan_from, plan_of_all
from assetflow.planner.redefinition import judging, same_reads
from assetflow.planner.rows import Range
from assetflow.planner.selection import Selection, parse_selection
from assetflow.planner.spans import Integers, members
from assetflow.planner.staleness import UP_TO_DATE_STATE, Assessment, StateCodes, assess, with_upstreams
from assetflow.planner.state import Codes, State
from assetflow.planner.targets import choose


class LivePlanner:
    """Plans of a graph whose recorded state goes on changing, each equal to a plan from scratch.

    It copies what it keeps of ``state``. The order is: :meth:`apply` what was committed, :meth:`advance` the clock,
    and ask. Not for several threads at once.
    """

    def __init__(self, graph: AssetGraph, state: State, codes: Codes, now: datetime) -> None:
        self._begin(graph, state, codes, now)

    def _begin(self, graph: AssetGraph, state: State, codes: Codes, now: datetime) -> None:
        self._held = hold(world_of(graph, state, codes, now))
        self._forget()

    def _forget(self) -> None:
        self._excerpt: Assessment | None = None
        self._plans: dict[bool, Plan] = {}

    # What happened

    def apply(self, changes: Changes) -> None:
        """Take in what commits did. Its cost follows the number of partitions touched, and of those that read them.

        Where keys were added to dynamic partitions or removed, all is begun anew.
        """
        world = self._held.world
        if self._moves_rows(changes):
            self._begin(world.graph, applied(self.state(), changes), world.codes, world.now)
            return
        take_in(self._held, changes)
        self._forget()

    def _moves_rows(self, changes: Changes) -> bool:
        """Whether changes do more than to touch partitions that are there."""
        known, latest = self._held.world.state, changes.state
        if self._held.whole or needs_everything(self._held.world.graph, latest):
            return True
        same = known.uids == latest.uids and known.dynamic.keys() == latest.dynamic.keys()
        same = same and all(np.array_equal(known.dynamic[name], each) for name, each in latest.dynamic.items())
        return not same or not changes.anew.isdisjoint(self._held.owner)

    def advance(self, now: datetime) -> None:
        """Set the clock: windows that have ended since become partitions. ``now`` is an aware datetime."""
        world = self._held.world
        if self._held.whole or not grown(self._held, now):
            self._begin(world.graph, self.state(), world.codes, now)
        self._forget()

    def redefine(self, graph: AssetGraph, codes: Codes, changes: Changes) -> None:
        """Take in other definitions or other code.

        ``changes`` are what was committed since, and what is recorded with regard to the code as it is now: versions
        that could be published again, results of checks, and all that there is of assets that are new. With other
        partitions, mappings or upstreams anywhere, all is begun anew.
        """
        held = self._held
        before = held.world
        same = same_reads(before.graph, graph) and held.ageing == frozenset(ageing_assets(graph))
        if not same or self._moves_rows(changes) or needs_everything(graph, changes.state):
            self._begin(graph, applied(self.state(), changes), codes, before.now)
            return
        rows: dict[str, Integers] = {}
        for name, node in graph.nodes.items():
            kept = held.kept[name]
            kept.node = node
            for edge in node.edges:
                kept.edges[edge.parameter].edge = edge
            if node.kind == "asset" and judging(before.graph, before.codes, node) != judging(graph, codes, node):
                rows[name] = np.arange(len(kept.existing))
        held.world = replace(before, graph=graph, codes=codes)
        take_in(held, changes)
        judge(held, rows)
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
        include_late: bool = False,
    ) -> Plan:
        """The plan that :func:`assetflow.planner.planning.plan` makes of the same graph, state, codes and moment.

        It has no scene: what it was decided from goes on changing.

        The plan of everything (``"*"`` without more) costs what is not up to date; any other is worked out over all
        partitions, from facts that are known. Raises as that function.
        """
        parsed = selection if isinstance(selection, Selection) else parse_selection(selection)
        if parsed.text.strip() != "*" or force or partitions or due or include_late:
            only = None if parsed.needs_states else choose(parsed, self._held.world.graph, {}).every
            made = plan_from(
                self.assessment(only, include_late=include_late),
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
        kept = self._held.kept[self._held.world.graph.owner[key]]
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
        kept = self._held.kept[self._held.world.graph.owner[key]]
        codes = np.full(len(kept.existing), UP_TO_DATE_STATE, np.uint8)
        excerpt = self.excerpt()
        if kept.node.name in excerpt.facts:
            codes[kept.existing.searchsorted(excerpt.ordinals(key))] = excerpt.states(key)
        return codes

    def why(self, asset: AssetKey, partition: str | None = None) -> Explanation:
        """Why an asset, or one partition, is in its state, as :func:`assetflow.planner.explain.explain`."""
        key = self._held.world.graph.require(asset)
        name = self._held.owner[key]
        kept = self._held.kept[name]
        if partition is None and kept.space.grain != "none":
            return explain(self.assessment([name]), key)
        ordinal = 0 if partition is None else ordinal_of(kept.space, key, partition)
        row = np.flatnonzero(members(np.array([ordinal]), kept.existing)) + kept.existing.searchsorted(ordinal)
        return explain(self._excerpted({name: row}), key, partition)

    def assessment(self, only: Iterable[str] | None = None, *, include_late: bool = False) -> Assessment:
        """Everything judged, as :func:`assetflow.planner.staleness.assess` does; ``only`` some, and their upstreams.

        It holds until the planner is told of something.
        """
        held, world = self._held, self._held.world
        if held.whole or include_late:
            return assess(world.graph, self.state(), world.codes, world.now, only=only, include_late=include_late)
        names = world.graph.nodes if only is None else with_upstreams(world.graph, only)
        existing = {name: each.existing.copy() for name, each in held.kept.items()}
        world = replace(world, state=self.state(), existing=existing)
        facts = all_facts(world, held.kept, names)
        return Assessment(world, facts, flows_of(facts, Request()))

    @property
    def begins_anew(self) -> bool:
        """Whether everything is worked out from scratch: then it is to be given all that is recorded, not changes.

        So it is with assets that read themselves, and with late data.
        """
        return self._held.whole

    @property
    def recorded(self) -> State:
        """What is recorded apart from most pointers, with how far it goes: what to ask for changes since with."""
        return self._held.world.state

    @property
    def codes(self) -> Codes:
        """The code that partitions are judged by."""
        return self._held.world.codes

    def state(self) -> State:
        """Everything recorded, as after all that was applied; a copy."""
        return self._held.state()

    def excerpt(self) -> Assessment:
        """What is not up to date, judged, with what it needs to look at."""
        if self._excerpt is None:
            self._excerpt = self._excerpted({})
        return self._excerpt

    def _excerpted(self, also: Rows) -> Assessment:
        return self.assessment() if self._held.whole else excerpted(self._held, also)
