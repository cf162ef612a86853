"""How long the steps of a plan take, how much they write, and how long all of it takes with a number of workers.

The whole takes as long as the longest chain of partitions that read each other, or as all of the work spread evenly
over the workers, whichever is longer: no schedule is shorter. One that leaves no worker idle while something could run
takes at most both together (R. L. Graham, Bounds on Multiprocessing Timing Anomalies, 1969). With one worker it is the
work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from assetflow.planner.data_times import least_within
from assetflow.planner.facts import Facts
from assetflow.planner.history import Cost, checks_past_of, past_of, recent, sampled, usual
from assetflow.planner.plan import Estimate, Plan, Step
from assetflow.planner.scans import OwnReads, in_order
from assetflow.planner.spans import Flags, Integers, members
from assetflow.planner.staleness import Assessment
from assetflow.planner.state import AssetState, Attempts

NOT_PLANNED = -1
"""In place of the time of a partition that has no step."""

_SECOND = 1_000_000


def estimated(plan: Plan, assessment: Assessment, attempts: Attempts, *, workers: int = 1) -> Plan:
    """The plan with what each step is expected to cost, and how long all of it takes with so many workers.

    ``assessment`` is the one that the plan was made from, ``attempts`` the past that :func:`asked_of` asks for. A
    ``may`` step is counted as if it ran; steps without a past are left out of the total.
    """
    steps: list[Step] = []
    times: dict[str, Integers] = {}
    for step in plan.steps:
        costs = _costs(step, assessment, attempts)
        steps.append(step if costs is None else replace(step, estimate=costs.estimate()))
        if workers > 1:
            facts = assessment.facts[step.computation]
            by_row = times.setdefault(step.computation, np.full(len(facts.ordinals), NOT_PLANNED, np.int64))
            rows = np.searchsorted(facts.ordinals, step.partitions.ordinals.array())
            by_row[rows] = 0 if costs is None else costs.micros()
    known = [step.estimate.seconds for step in steps if step.estimate is not None]
    seconds = sum(known) if known or not steps else None
    if known and workers > 1:
        seconds = max(sum(known) / workers, longest_chain(assessment.facts, times) / _SECOND)
    totals = {
        **plan.totals,
        "seconds": None if seconds is None else round(seconds, 3),
        "workers": workers,
        "without_history": len(steps) - len(known),
    }
    return replace(plan, steps=tuple(steps), totals=totals)


@dataclass(frozen=True, slots=True, eq=False)
class _Costs:
    """What the partitions of one step cost: those in ``own`` each its own, ``alike`` so many of them the same."""

    ordinals: Integers
    own: Mapping[int, Cost]
    known: Flags
    """Which of the partitions are published, and so were measured or sampled."""
    measured: Cost | None
    """On average, of those that were measured."""
    usual: Cost

    def estimate(self) -> Estimate:
        """All of them together."""
        rest = [
            (int(np.count_nonzero(self.known)) - len(self.own), self.measured or self.usual),
            (int(np.count_nonzero(~self.known)), self.usual),
        ]
        parts = [*((1, cost) for cost in self.own.values()), *(part for part in rest if part[0])]
        rows = [number * cost.rows for number, cost in parts if cost.rows is not None]
        sizes = [number * cost.bytes for number, cost in parts if cost.bytes is not None]
        return Estimate(
            sum(number * cost.seconds for number, cost in parts),
            round(sum(rows)) if rows else None,
            round(sum(sizes)) if sizes else None,
        )

    def micros(self) -> Integers:
        """By partition, the time in microseconds."""
        rest = self.measured or self.usual
        found = np.where(self.known, round(rest.seconds * _SECOND), round(self.usual.seconds * _SECOND))
        places = np.searchsorted(self.ordinals, np.fromiter(self.own, np.int64, len(self.own)))
        found[places] = [round(cost.seconds * _SECOND) for cost in self.own.values()]
        return found


def _costs(step: Step, assessment: Assessment, attempts: Attempts) -> _Costs | None:
    """None where nothing is known of any partition of the computation."""
    world, ordinals = assessment.world, step.partitions.ordinals.array()
    nothing = Cost(0.0, 0, 0)
    if step.certainty == "reuse":
        return _Costs(ordinals, {}, np.zeros(len(ordinals), np.bool_), None, nothing)
    node = world.graph.nodes[step.computation]
    pointers = world.state.assets.get(node.outputs[0])
    if pointers is None or not len(pointers.ordinals):
        return None
    if step.certainty == "check":
        past = checks_past_of(node, world.state.uids, attempts)
    else:
        code = world.codes.computations[node.name].version
        past = past_of(node, world.state.uids, code, attempts)
    if not past:
        return None
    return _from_past(ordinals, past, pointers)


def _from_past(ordinals: Integers, past: Mapping[int, Cost], pointers: AssetState) -> _Costs:
    lately = [past[ordinal] for ordinal in recent(pointers).tolist() if ordinal in past]
    typical = usual(lately or list(past.values()))
    assert typical is not None
    known = members(ordinals, pointers.ordinals)
    own = {ordinal: past.get(ordinal, typical) for ordinal in sampled(ordinals[known]).tolist()}
    return _Costs(ordinals, own, known, _mean(list(own.values())), typical)


def _mean(costs: list[Cost]) -> Cost | None:
    if not costs:
        return None
    rows = [each.rows for each in costs if each.rows is not None]
    sizes = [each.bytes for each in costs if each.bytes is not None]
    return Cost(
        sum(each.seconds for each in costs) / len(costs),
        sum(rows) / len(rows) if rows else None,
        sum(sizes) / len(sizes) if sizes else None,
    )


def longest_chain(facts: Mapping[str, Facts], times: Mapping[str, Integers]) -> int:
    """How long the longest chain of partitions takes of which each reads the one before; times are by row."""
    ends: dict[str, Integers] = {}
    for name, each in facts.items():
        if name not in times:
            continue
        begins = np.zeros(len(each.ordinals), np.int64)
        for edge in each.edges:
            if edge.upstream in ends:
                begins = np.maximum(begins, -least_within(-ends[edge.upstream], edge.spans, 0))
        if each.own is not None:
            ends[name] = _one_after_the_other(each.own, begins, times[name])
            continue
        ends[name] = _ends(each, begins, times[name])
    return max((int(each.max(initial=0)) for each in ends.values()), default=0)


def _one_after_the_other(own: OwnReads, begins: Integers, times: Integers) -> Integers:
    """When each row is done, if rows read each other."""
    ends = np.zeros(len(times), np.int64)
    planned = times != NOT_PLANNED
    for row, read in in_order(own):
        if planned[row]:
            ends[row] = max(int(begins[row]), *(int(ends[each].max(initial=0)) for each in read)) + int(times[row])
    return ends


def _ends(facts: Facts, begins: Integers, times: Integers) -> Integers:
    """When each row is done; those of one call begin and end together."""
    planned = times != NOT_PLANNED
    batch = facts.node.batch.max_partitions if facts.node.batch else 1
    rows = planned.nonzero()[0]
    if batch > 1 and len(rows):
        firsts = np.arange(0, len(rows), batch)
        ends = np.zeros(len(times), np.int64)
        done = np.maximum.reduceat(begins[rows], firsts) + np.add.reduceat(times[rows], firsts)
        ends[rows] = np.repeat(done, np.diff(np.append(firsts, len(rows))))
        return ends
    return np.where(planned, begins + times, 0)
