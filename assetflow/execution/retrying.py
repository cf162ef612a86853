"""Trying again what a recorded run did not do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce

from assetflow.errors import UsageError
from assetflow.graph import AssetGraph
from assetflow.keys import AssetKey
from assetflow.partitions.sets import PartitionSet
from assetflow.planner.plan import Plan
from assetflow.planner.retrying import as_of_run, left_to_do, plan_retry, still_there
from assetflow.planner.staleness import Assessment
from assetflow.planner.state import State
from assetflow.publish.recorded import recorded_run
from assetflow.publish.setting import Setting
from assetflow.store.records import Fared

_SUCCEEDED = frozenset({"materialized", "unchanged", "reused"})


class RunToRetry:
    """What a run was to do, and what it left to do."""

    def __init__(self, setting: Setting, run_id: str, *, everything: bool = False) -> None:
        """Read it. Raises UsageError for a run that there is not, that goes on, or that is another environment's."""
        self.run_id = run_id
        run, self.recorded = recorded_run(setting, run_id)
        if run.status == "running":
            raise UsageError(
                f"run {run_id} is still running", hint=f"wait until it has ended: assetflow runs show {run_id}"
            )
        self.wanted = left_to_do(self.recorded, _succeeded(setting.reader.fared(run_id)), everything=everything)

    def selection(self, graph: AssetGraph) -> str | None:
        """A selection of the assets concerned that are still declared; None for none."""
        return " or ".join(graph.nodes[name].outputs[0] for name in self.wanted if name in graph.nodes) or None

    def known(self, state: State) -> State:
        """The state as far as the run could know which partitions there are."""
        return as_of_run(state, self.recorded)

    def plan(self, assessment: Assessment, notes: tuple[str, ...] = ()) -> Plan:
        """The plan that does it. Raises UsageError when the definitions have nothing of it any more."""
        retry = still_there(self.recorded, self.wanted, assessment, self.run_id)
        if self.wanted and not retry.partitions:
            raise UsageError(
                f"nothing of run {self.run_id} can be tried again: {'; '.join(retry.notes)}",
                hint="assetflow plan shows what there is to do",
            )
        return plan_retry(assessment, self.recorded, retry, self.run_id, notes=notes)


def _succeeded(fared: Iterable[Fared]) -> Mapping[AssetKey, PartitionSet]:
    found: dict[AssetKey, list[PartitionSet]] = {}
    for each in fared:
        if each.status in _SUCCEEDED:
            found.setdefault(each.asset, []).append(PartitionSet.from_ordinals(each.ordinals))
    return {asset: reduce(PartitionSet.__or__, sets) for asset, sets in found.items()}
