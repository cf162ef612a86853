"""What a plan says of one asset or partition: what it would do with it, and the way to the roots of that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from assetflow.keys import AssetKey
from assetflow.planner.evidence import Evidence
from assetflow.planner.explain import row_of
from assetflow.planner.facts import FAILED, Facts
from assetflow.planner.flow import CERTAINTIES, NO_STEP
from assetflow.planner.plan import Certainty, Plan, Step
from assetflow.planner.scene import Scene
from assetflow.planner.spans import Flags, members
from assetflow.planner.trace import Trace
from assetflow.planner.tracing import trace

_OF_CODE: dict[int, Certainty] = {code: certainty for certainty, codes in CERTAINTIES.items() for code in codes}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a plan does with an asset or one of its partitions.

    ``decision`` is the certainty of its step (the first that any partition has), ``waits``, or None where there is
    nothing to do; then ``detail`` says why not.
    """

    asset: AssetKey
    partition: str | None
    decision: Certainty | Literal["waits"] | None
    detail: str
    trace: Trace

    def to_dict(self) -> dict[str, object]:
        """The answer as a JSON document."""
        return {
            "asset": self.asset,
            "partition": self.partition,
            "decision": self.decision,
            "detail": self.detail,
            "trace": self.trace.to_dict(),
        }


def answer(plan: Plan, scene: Scene, evidence: Evidence, asset: str, partition: str | None) -> Answer:
    """What ``plan`` does with an asset or partition, and why. Raises UnknownAsset and InvalidPartition."""
    key = scene.world.graph.require(AssetKey(asset))
    facts = scene.facts.get(scene.world.graph.owner[key])
    if facts is None:
        return Answer(key, partition, None, "was not asked for", Trace())
    rows = np.ones(len(facts.ordinals), np.bool_)
    if partition is not None:
        rows = np.arange(len(rows)) == row_of(facts, key, partition)
    flow = scene.flows[facts.node.name]
    asked = rows & _asked(plan, facts)
    steps = np.zeros(len(rows), np.bool_) if flow.certainty is None else asked & (flow.certainty != NO_STEP)
    if flow.certainty is not None and steps.any():
        found = _OF_CODE[int(flow.certainty[steps].max())]
        return Answer(key, partition, found, "", trace(scene, key, steps, evidence))
    waits = asked & flow.lacks if flow.lacks is not None else steps
    if waits.any():
        return Answer(key, partition, "waits", "", trace(scene, key, waits, evidence))
    return Answer(key, partition, None, _why_not(plan, facts, asked), Trace())


def step_trace(scene: Scene, evidence: Evidence, step: Step) -> Trace:
    """The trace of one step alone: what its upstreams do in the plan, their own steps tell."""
    rows = members(scene.facts[step.computation].ordinals, step.partitions.ordinals.array())
    return trace(scene, step.outputs[0], rows, evidence, deep=False)


def _asked(plan: Plan, facts: Facts) -> Flags:
    scope = plan.asked.scope
    if scope is None:
        return np.ones(len(facts.ordinals), np.bool_)
    chosen = scope.get(facts.node.name)
    return np.zeros(len(facts.ordinals), np.bool_) if chosen is None else members(facts.ordinals, chosen.array())


def _why_not(plan: Plan, facts: Facts, asked: Flags) -> str:
    if facts.node.kind == "source":
        return "is observed, not built"
    if not asked.any():
        return "was not asked for"
    if not plan.asked.retry_failed and (facts.bits[asked] & FAILED != 0).any():
        return "failed with the present code and inputs, and what failed was not to be tried again"
    return "is not due" if plan.due else "is up to date"
