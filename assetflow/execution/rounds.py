"""The rounds of a run: each claims what nobody else holds of what is left, does that, and gives it back.

What another run is at is left alone, with whatever depends on it; once that run has let go of it, it is planned again,
and is usually up to date. Nothing is waited for while anything is held, so that no two runs wait for each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace

from assetflow.errors import AssetflowError, LeaseLost, StepError, UsageError
from assetflow.execution.driving import Ending
from assetflow.execution.journal import Entry
from assetflow.execution.live import LiveState
from assetflow.execution.parts import RunParts
from assetflow.execution.result import Outcome
from assetflow.graph import AssetGraph
from assetflow.keys import AssetKey, VersionId, format_address
from assetflow.partitions.sets import PartitionSet
from assetflow.planner.plan import Partitions, Plan, Step, Tolerated
from assetflow.planner.state import State
from assetflow.publish.leasing import Hold, Leasing, growing_pauses
from assetflow.store.leases import LeaseRecord, Unit

Replan = Callable[[], tuple[Plan, State]]

_TRIES = 3
"""How often a run tries what others got in the way of, or what it lost its lease on."""

_NOTHING = PartitionSet.empty()
_AROUND: ContextVar[tuple[str, ...]] = ContextVar("assetflow_runs", default=())
"""The runs that a step belongs to which is running here: they cannot go on before it ends."""


class Left:
    """The asset partitions of a run that have no outcome yet."""

    def __init__(self, steps: Iterable[Step]) -> None:
        self._by_asset = _covered(steps)

    def __bool__(self) -> bool:
        return bool(self._by_asset)

    def of(self, asset: AssetKey) -> PartitionSet:
        """Those of one asset."""
        return self._by_asset.get(asset, _NOTHING)

    def items(self) -> Iterable[tuple[AssetKey, PartitionSet]]:
        """Those of each asset that has any."""
        return self._by_asset.items()

    def settle(self, counted: Mapping[AssetKey, Iterable[int]]) -> None:
        """Some have an outcome now."""
        for asset, ordinals in counted.items():
            if asset in self._by_asset:
                self._by_asset[asset] = self._by_asset[asset] - PartitionSet.from_ordinals(ordinals)
        self._by_asset = {asset: partitions for asset, partitions in self._by_asset.items() if partitions}

    def beyond(self, granted: Mapping[int, PartitionSet], uids: Mapping[AssetKey, int]) -> bool:
        """Whether there are others than those granted, by uid."""
        return any(partitions - granted.get(uids[asset], _NOTHING) for asset, partitions in self._by_asset.items())

    def units(self, graph: AssetGraph, uids: Mapping[AssetKey, int], tolerated: Iterable[Tolerated]) -> list[Unit]:
        """What to claim: the outputs of a computation together, and the members of a publish group."""
        wanted: dict[tuple[str, str], tuple[dict[AssetKey, None], PartitionSet]] = {}
        parts = [(graph.owner[asset], partitions) for asset, partitions in self._by_asset.items()]
        for name, partitions in [*parts, *((each.computation, each.partitions.ordinals) for each in tolerated)]:
            node = graph.nodes[name]
            key = ("group", node.publish_group) if node.publish_group else ("alone", name)
            assets, known = wanted.get(key, ({}, _NOTHING))
            wanted[key] = ({**assets, **dict.fromkeys(node.outputs)}, known | partitions)
        return [Unit(tuple(uids[asset] for asset in assets), partitions) for assets, partitions in wanted.values()]


@dataclass(frozen=True, slots=True)
class Round:
    """What one round does: ``steps`` of a plan, under a lease."""

    parts: RunParts
    plan: Plan
    steps: tuple[Step, ...]
    tolerated: tuple[Tolerated, ...]
    hold: Hold


@dataclass(frozen=True, slots=True)
class Doing:
    """How rounds are carried out: by whoever drives the run."""

    carry_out: Callable[[Round], Ending]
    """Gives ``done``, ``lost`` where the lease was over before that, or why the run ends."""
    stop_asked: Callable[[], bool]
    waits: Callable[[tuple[LeaseRecord, ...]], None]
    """Told of those who are waited for."""
    lost: Callable[[], None]
    """Told that the lease of a round was over before its end."""


class Rounds:
    """The rounds of one run. Without ``replan``, it waits until it can have everything at once."""

    def __init__(self, plan: Plan, parts: RunParts, replan: Replan | None, doing: Doing) -> None:
        self._plan = plan
        self._parts = parts
        self._replan = replan
        self._doing = doing
        self._setting = parts.setting
        self._leasing = Leasing(parts.setting, parts.run_id)
        self._left = Left(plan.steps)
        self._first = True
        self._pauses = growing_pauses()

    def carry_out(self) -> Ending:
        """Do everything; gives ``done``, or why the run ended early.

        Raises StoreError, and UsageError inside a step of a run that holds what this one is asked for.
        """
        around = _AROUND.set((*_AROUND.get(), self._parts.run_id))
        try:
            return self._carried_out()
        finally:
            _AROUND.reset(around)

    def _carried_out(self) -> Ending:
        journal, ending = self._parts.journal, "done"
        for tries in range(1, _TRIES + 1):
            ending, in_the_way = self._until_disturbed()
            if not in_the_way or self._replan is None:
                break
            if tries < _TRIES:
                journal.reopen()
        if ending in ("done", "lost"):
            self._give_up()
            return "done"
        return ending

    def _until_disturbed(self) -> tuple[Ending, bool]:
        """Rounds until nothing is left, or somebody got in the way of one: whether that is so comes second."""
        journal = self._parts.journal
        while self._left or (self._first and self._plan.tolerated):
            tolerated = self._plan.tolerated if self._first else ()
            units = self._left.units(self._setting.graph, self._setting.uids, tolerated)
            hold, claim = self._leasing.claim(units, whole=self._replan is None)
            refused = self._left.beyond(claim.granted, self._setting.uids)
            if hold is not None:
                try:
                    ending = self._round(hold)
                    journal.settle()
                finally:
                    hold.release()
                self._first = False
                self._left.settle(journal.take_counted())
                if hold.lost:
                    self._doing.lost()
                if ending not in ("done", "lost") or hold.lost or ending == "lost" or journal.conflicting:
                    return ending, ending in ("done", "lost")
            if not refused:
                return "done", False
            # What depends on what is held elsewhere was blocked: it is planned again with it.
            journal.reopen()
            for held in self._leasing.looks(_union(claim.held), self._pauses):
                if self._doing.stop_asked():
                    return "canceled", False
                _refuse_own(held)
                self._doing.waits(held)
        return "done", False

    def _round(self, hold: Hold) -> Ending:
        if self._replan is not None and not (self._first and self._is_as_planned()):
            self._plan_anew(self._replan)
        self._parts = replace(self._parts, lease=hold)
        planned = _covered(self._plan.steps)
        for asset, partitions in self._left.items():
            here = planned.get(asset, _NOTHING)
            free = partitions & hold.granted.get(self._setting.uids[asset], _NOTHING)
            if apart := (partitions - free) & here:
                self._parts.live.lose(asset, apart.array().tolist())
            if idle := free - here:
                self._close(asset, idle)
        steps = [
            replace(step, partitions=Partitions(chosen, step.partitions.ranges))
            for step in self._plan.steps
            if (chosen := step.partitions.ordinals & self._left.of(step.outputs[0]) & self._held(step, hold))
        ]
        tolerated = [
            replace(each, partitions=Partitions(chosen, each.partitions.ranges))
            for each in self._plan.tolerated
            if self._first and (chosen := each.partitions.ordinals & self._held(each, hold))
        ]
        return self._doing.carry_out(Round(self._parts, self._plan, tuple(steps), tuple(tolerated), hold))

    def _held(self, planned: Step | Tolerated, hold: Hold) -> PartitionSet:
        return hold.granted.get(self._setting.uids[planned.outputs[0]], _NOTHING)

    def _is_as_planned(self) -> bool:
        """Whether nothing was recorded between the plan and the claim."""
        state = self._parts.state
        return self._setting.reader.mark() == (state.generation, state.mark)

    def _plan_anew(self, replan: Replan) -> None:
        """Plan on what is committed now; what this run could not make is lost to it as before, but for what is left."""
        before = self._parts.live.lost()
        self._plan, state = replan()
        live = LiveState(state, lambda key: self._parts.existing(self._setting.graph.owner[key]))
        for asset, ordinals in before.items():
            live.lose(asset, (PartitionSet.from_ordinals(ordinals) - self._left.of(asset)).array().tolist())
        self._parts = replace(self._parts, state=state, live=live)

    def _close(self, asset: AssetKey, partitions: PartitionSet) -> None:
        """Note what was to be done and is not any more: others have done it, or made it impossible."""
        live = self._parts.live.asset(asset)
        made = dict(zip(live.ordinals.tolist(), live.version.tolist(), strict=True))
        waiting = _waiting(self._plan, asset)
        for ordinal, key in self._keyed(asset, partitions):
            if ordinal in made:
                self._note(asset, ordinal, key, "unchanged", VersionId(made[ordinal]))
            elif ordinal in waiting:
                self._note(asset, ordinal, key, "waiting")
            else:
                place = format_address(asset, key)
                error = StepError(f"{place}: another run was at it, and failed", hint=f"assetflow why {place}")
                self._note(asset, ordinal, key, "failed", error=error)

    def _give_up(self) -> None:
        """What is left although it was tried often enough has failed."""
        unsettled = self._parts.journal.unsettled()
        for asset, partitions in self._left.items():
            rest = partitions - PartitionSet.from_ordinals(unsettled.get(asset, ()))
            for ordinal, key in self._keyed(asset, rest):
                error = LeaseLost(
                    f"{format_address(asset, key)}: not built, because this run lost its lease {_TRIES} times",
                    hint="something keeps its process from running for longer than `lease_seconds`; run it again",
                )
                self._note(asset, ordinal, key, "failed", error=error)

    def _keyed(self, asset: AssetKey, partitions: PartitionSet) -> Iterable[tuple[int, str | None]]:
        ordinals = partitions.array()
        space = self._setting.spaces[self._setting.graph.owner[asset]]
        return zip(ordinals.tolist(), space.keys(ordinals), strict=True)

    def _note(
        self,
        asset: AssetKey,
        ordinal: int,
        key: str | None,
        outcome: Outcome,
        version: VersionId | None = None,
        error: AssetflowError | None = None,
    ) -> None:
        now = self._setting.clock()
        uid = self._setting.uids[asset]
        entry = Entry(asset, uid, ordinal, key, outcome, now, now, now, version, error)
        self._parts.journal.note(entry)
        self._parts.note(entry)


def _refuse_own(held: Iterable[LeaseRecord]) -> None:
    for lease in held:
        if lease.run_id in _AROUND.get():
            raise UsageError(
                f"run {lease.run_id} holds what is asked for here, in the middle of one of its own steps",
                hint="name what is needed as an input, or leave it to another run",
            )


def _covered(steps: Iterable[Step]) -> dict[AssetKey, PartitionSet]:
    """The partitions of each asset that steps are about."""
    covered: dict[AssetKey, PartitionSet] = {}
    for step in steps:
        for asset in step.outputs:
            before = covered.get(asset)
            covered[asset] = step.partitions.ordinals if before is None else before | step.partitions.ordinals
    return covered


def _waiting(plan: Plan, asset: AssetKey) -> PartitionSet:
    waiting = PartitionSet.empty()
    for entry in plan.waiting:
        if asset in entry.outputs:
            waiting = waiting | entry.partitions.ordinals
    return waiting


def _union(leases: Iterable[LeaseRecord]) -> dict[int, PartitionSet]:
    """By uid, what is held by any of the leases."""
    union: dict[int, PartitionSet] = {}
    for lease in leases:
        for uid, partitions in lease.claims.items():
            union[uid] = union[uid] | partitions if uid in union else partitions
    return union
