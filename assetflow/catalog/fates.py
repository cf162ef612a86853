"""What became of each partition of an asset in one run, as far as the run was recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from assetflow.catalog.evidence import eras_of
from assetflow.keys import AssetKey
from assetflow.partitions.ordinal_spaces import ordinal_space
from assetflow.partitions.sets import PartitionSet
from assetflow.planner.evidence import Era, Integers
from assetflow.planner.recording import RecordedComputation, RecordedPlan
from assetflow.planner.spans import members
from assetflow.publish.recorded import recorded_run
from assetflow.publish.setting import Setting
from assetflow.store.records import Fared, RunRecord, StepStatus

Fate = Literal[
    "materialized",
    "unchanged",
    "failed",
    "quarantined",
    "reused",
    "left",
    "checked",
    "blocked",
    "waiting",
    "canceled",
    "up_to_date",
    "not_due",
    "failed_before",
    "not_asked",
    "not_selected",
    "nonexistent",
    "repartitioned",
]
"""How a partition fared in a run, or why it was no part of it."""

FATES: dict[Fate, str] = {
    "materialized": "was built",
    "unchanged": "was computed, and gave the data that was there",
    "failed": "was tried, and failed",
    "quarantined": "was built, and refused by a check",
    "reused": "was not computed: an earlier version was published again",
    "left": "was not computed: what it reads turned out to be as it was",
    "checked": "was not computed: only its checks ran",
    "blocked": "was blocked: something that it reads failed",
    "waiting": "waited for something that it reads",
    "canceled": "was not reached before the run ended",
    "up_to_date": "was up to date",
    "not_due": "was not due",
    "failed_before": "had failed before with the same code and inputs, and was not to be tried again",
    "not_asked": "was not among the partitions asked for",
    "not_selected": "was not selected",
    "nonexistent": "did not exist yet",
    "repartitioned": "was partitioned otherwise",
}
RAN: frozenset[Fate] = frozenset({"materialized", "unchanged", "failed", "quarantined"})
"""The fates in which the asset's function was called."""

_CODES: dict[Fate, int] = {fate: code for code, fate in enumerate(FATES)}
_OF_STATUS: dict[StepStatus, Fate] = {
    "materialized": "materialized",
    "unchanged": "unchanged",
    "reused": "reused",
    "failed": "failed",
    "quarantined": "quarantined",
    "blocked": "blocked",
    "canceled": "canceled",
    "running": "canceled",
}
_RUNS_BACK = 200
"""How many earlier runs are asked whether a partition had failed before."""


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """A run with its plan and how its partitions fared."""

    setting: Setting
    run: RunRecord
    plan: RecordedPlan
    eras: Mapping[int, Era]
    fared: dict[AssetKey, list[Fared]] = field(default_factory=dict[AssetKey, list[Fared]])

    @classmethod
    def read(cls, setting: Setting, run_id: str) -> RecordedRun:
        """A run of this environment. Raises UsageError."""
        run, plan = recorded_run(setting, run_id)
        found = cls(setting, run, plan, eras_of(setting.reader))
        for each in setting.reader.fared(run_id):
            found.fared.setdefault(each.asset, []).append(each)
        return found

    def computation(self, asset: AssetKey) -> RecordedComputation | None:
        """What was planned for the asset's computation."""
        return next((each for each in self.plan.computations.values() if asset in each.outputs), None)

    def space(self, asset: AssetKey) -> str | None:
        """What the ordinals of an asset counted in this run; None where that is not recorded."""
        planned = self.computation(asset)
        name = planned.name if planned is not None else self.setting.graph.owner.get(asset)
        if name is not None and name in self.plan.spaces:
            return self.plan.spaces[name]
        return next((self.eras[each.uid].space for each in self.fared.get(asset, [])), None)

    def assets(self) -> list[AssetKey]:
        """The assets that the plan speaks of."""
        return [asset for each in self.plan.computations.values() for asset in each.outputs]

    def mentioned(self, asset: AssetKey) -> PartitionSet:
        """The partitions of an asset that had a step or waited."""
        each = self.computation(asset)
        return PartitionSet.empty() if each is None else each.planned | each.waiting

    def causes(self, asset: AssetKey, ordinal: int) -> list[dict[str, Any]]:
        """The causes that the plan gave for the step of a partition, as in the plan document."""
        each = self.computation(asset)
        if each is None:
            return []
        certainties = {certainty for certainty, partitions in each.steps.items() if ordinal in partitions}
        steps = cast("list[dict[str, Any]]", self.run.plan["steps"])
        return [
            cause
            for step in steps
            if step["asset"] == each.name and step["certainty"] in certainties
            for cause in step["causes"]
        ]

    def fate_codes(self, era: Era, ordinals: Integers) -> NDArray[np.int8]:
        """What became of these partitions, as positions in ``FATES``."""
        asset = era.asset
        if self.space(asset) not in (None, era.space):
            return np.full(len(ordinals), _CODES["repartitioned"], np.int8)
        codes = self._outside(era, ordinals)
        planned = self.computation(asset)
        if planned is not None:
            broken_off = self.run.status in ("canceled", "running") or self.run.error is not None
            within = members(ordinals, planned.planned.array())
            codes[within] = _CODES["canceled" if broken_off else "waiting"]
            codes[members(ordinals, planned.waiting.array())] = _CODES["waiting"]
        for each in self.fared.get(asset, []):
            here = members(ordinals, each.ordinals)
            codes[here] = _CODES[_OF_STATUS[each.status]]
            if each.status == "unchanged":
                codes[members(ordinals, each.ordinals[each.version == 0])] = _CODES["left"]
        if planned is not None and "check" in planned.steps:
            looked = np.isin(codes, [_CODES["unchanged"], _CODES["quarantined"]])
            codes[looked & members(ordinals, planned.steps["check"].array())] = _CODES["checked"]
        return codes

    def _outside(self, era: Era, ordinals: Integers) -> NDArray[np.int8]:
        """Why the partitions were no part of the plan, were they none."""
        asset = era.asset
        asked, graph = self.plan.asked, self.setting.graph
        codes = np.full(len(ordinals), _CODES["not_due" if self.plan.due else "up_to_date"], np.int8)
        if not asked.retry_failed:
            codes[members(ordinals, self._failed_before(era))] = _CODES["failed_before"]
        name = graph.owner.get(asset)
        planned = self.computation(asset)
        name = planned.name if planned is not None else name
        if asked.scope is not None:
            chosen = asked.scope.get(name or "")
            if chosen is None:
                codes[:] = _CODES["not_asked" if asked.retry_of else "not_selected"]
                return codes
            codes[~members(ordinals, chosen.array())] = _CODES["not_asked"]
        if name is not None and name in graph.nodes and ordinal_space(graph.nodes[name].partitions) == era.space:
            existing = self.setting.spaces[name].existing(self.plan.as_of).array()
            codes[~members(ordinals, existing)] = _CODES["nonexistent"]
        return codes

    def _failed_before(self, era: Era) -> Integers:
        """The partitions whose last try before this run failed."""
        reader = self.setting.reader
        newest_first = [run.run_id for run in reader.runs() if run.environment == self.run.environment]
        earlier = newest_first[newest_first.index(self.run.run_id) + 1 :][:_RUNS_BACK]
        failed, known = PartitionSet.empty(), PartitionSet.empty()
        for run_id in earlier:
            for each in reader.fared(run_id):
                if self.eras[each.uid] == era:
                    partitions = PartitionSet.from_ordinals(each.ordinals)
                    failed |= partitions - known if each.status in ("failed", "quarantined") else PartitionSet.empty()
                    known |= partitions
        return failed.array()
