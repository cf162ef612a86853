"""The units in which the steps of a plan are scheduled, and what each of them waits for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import groupby

from assetflow.execution.treating import Computations, Treatment
from assetflow.execution.work import Unit
from assetflow.graph import AssetGraph
from assetflow.planner.plan import Step


def units_of(steps: Sequence[Step], graph: AssetGraph, treatment: Treatment, slots: int) -> list[Unit]:
    """One unit for each computation, one for all members of a publish group; in the topological order of the steps."""
    nodes = graph.nodes
    of_computation: dict[str, list[Step]] = {}
    for step in steps:
        of_computation.setdefault(step.computation, []).append(step)
    typical = _typical(steps)
    places: dict[str, int] = {}
    units: list[Unit] = []
    for group, names in groupby(of_computation, lambda name: nodes[name].publish_group or ("alone", name)):
        members: Computations = [(nodes[name], of_computation[name]) for name in names]
        needs = {
            places[owner]
            for node, _ in members
            for edge in node.edges
            if (owner := graph.owner[edge.upstream]) in places
        }
        places.update(dict.fromkeys((node.name for node, _ in members), len(units)))
        if isinstance(group, str):
            begin = partial(treatment.together, group, members)
        else:
            begin = partial(treatment.alone, *members[0])
        units.append(Unit(needs, _seconds(members, typical, slots) if slots > 1 else 0.0, begin))
    return units


def _typical(steps: Iterable[Step]) -> float:
    """The seconds of a partition of which nothing is known: those of the others, on average."""
    known = [step for step in steps if step.estimate is not None]
    partitions = sum(len(step.partitions.ordinals) for step in known)
    seconds = sum(step.estimate.seconds for step in known if step.estimate is not None)
    return seconds / partitions if partitions and seconds else 1.0


def _seconds(members: Computations, typical: float, slots: int) -> float:
    """What a unit takes with as many slots as it can use."""
    total = 0.0
    for node, steps in members:
        partitions = sum(len(step.partitions.ordinals) for step in steps)
        calls = -(-partitions // node.batch.max_partitions) if node.batch else partitions
        seconds = sum(
            step.estimate.seconds if step.estimate else typical * len(step.partitions.ordinals) for step in steps
        )
        total += seconds / (1 if node.own_edges else max(min(slots, calls), 1))
    return total
