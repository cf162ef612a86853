"""What is not up to date, remembered from one load to the next: what an edit makes stale, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from assetflow.partitions.sets import PartitionSet
from assetflow.planner.plan import Plan, Step
from assetflow.publish.setting import Setting

Standing = Mapping[str, Mapping[str, object]]
"""By computation: the partitions that a plan would do something for, and what its ordinals count, as plain values."""


def standing_of(plan: Plan, setting: Setting) -> dict[str, dict[str, object]]:
    """What a plan of everything would do something for."""
    return {
        name: {"partitions": ordinals.to_text(), "space": _space(setting, name)}
        for name, ordinals in _by_computation(plan).items()
    }


def differences(plan: Plan, before: Standing, setting: Setting) -> dict[str, list[dict[str, object]]]:
    """What a plan of everything does that it did not do ``before``, with causes, and what it does no longer."""
    now = _by_computation(plan)
    stale = [entry for step in plan.steps if (entry := _became(step, before, setting)) is not None]
    settled: list[dict[str, object]] = []
    for name in setting.graph.nodes:
        gone = _known(before, setting, name) - now.get(name, PartitionSet.empty())
        if gone:
            settled.append({"asset": name, "outputs": list(setting.graph.nodes[name].outputs), "count": len(gone)})
    return {"stale": stale, "settled": settled}


def _became(step: Step, before: Standing, setting: Setting) -> dict[str, object] | None:
    new = step.partitions.ordinals - _known(before, setting, step.computation)
    if not new:
        return None
    document = step.to_dict()
    shown = None
    if step.partitions.ranges is not None:
        ranges = setting.spaces[step.computation].ranges_of_keys(new)
        shown = {"count": len(new), "ranges": [list(pair) for pair in ranges]}
    named = ("asset", "outputs", "certainty", "causes")
    return {**{name: document[name] for name in named}, "partitions": shown}


def _by_computation(plan: Plan) -> dict[str, PartitionSet]:
    found: dict[str, PartitionSet] = {}
    for step in plan.steps:
        ordinals = step.partitions.ordinals
        found[step.computation] = found[step.computation] | ordinals if step.computation in found else ordinals
    return found


def _known(before: Standing, setting: Setting, name: str) -> PartitionSet:
    entry = before.get(name)
    if entry is None or entry["space"] != _space(setting, name):
        return PartitionSet.empty()
    return PartitionSet.from_text(cast("str", entry["partitions"]))


def _space(setting: Setting, name: str) -> list[int]:
    """The numbers that ordinals are recorded under: others, once the asset is partitioned otherwise."""
    return [setting.uids[key] for key in setting.graph.nodes[name].outputs]
