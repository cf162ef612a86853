"""What estimates are made from: of which partitions a plan wants to know the past, and what that past says of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from assetflow.graph import AssetGraph, Node
from assetflow.keys import AssetKey, CodeVersion
from assetflow.planner.plan import Plan
from assetflow.planner.spans import Integers, members
from assetflow.planner.state import AssetState, Attempt, Attempts, State

MOST_SAMPLED = 256
"""Of so many published partitions of a step, evenly spread, the own past is looked at."""

RECENT = 16
"""So many of the partitions that were made last tell what is usual."""

_GOLDEN = (5**0.5 - 1) / 2

_SETTLED = 3
"""The median of so many attempts is believed, however far from usual it is."""

_FAR = 4
"""A time of fewer attempts that is so many times what the size suggests is taken for an accident."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The asset partitions whose past is wanted: uid, ordinal, and the most partitions that one call takes."""

    computed: tuple[tuple[int, int, int], ...] = ()
    checked: tuple[tuple[int, int, int], ...] = ()


class Cost(NamedTuple):
    """What one partition of a computation costs; None is not known."""

    seconds: float
    rows: float | None
    bytes: float | None


def asked_of(plan: Plan, graph: AssetGraph, state: State) -> Asked:
    """The partitions whose past tells what the steps of a plan cost."""
    computed: dict[tuple[int, int, int], None] = {}
    checked: dict[tuple[int, int, int], None] = {}
    for step in plan.steps:
        node = graph.nodes[step.computation]
        pointers = state.assets.get(node.outputs[0])
        if step.certainty == "reuse" or pointers is None or not len(pointers.ordinals):
            continue
        ordinals = step.partitions.ordinals.array()
        own = sampled(ordinals[members(ordinals, pointers.ordinals)])
        wanted = {*own.tolist(), *recent(pointers).tolist()}
        if step.certainty == "check":
            uid = state.uids[node.outputs[0]]
            checked.update(dict.fromkeys((uid, ordinal, 1) for ordinal in wanted))
            continue
        batch = node.batch.max_partitions if node.batch else 1
        for output in node.outputs:
            if output in state.uids:
                uid = state.uids[output]
                computed.update(dict.fromkeys((uid, ordinal, batch) for ordinal in wanted))
    return Asked(tuple(computed), tuple(checked))


def sampled(ordinals: Integers) -> Integers:
    """The ordinals; of very many an even selection.

    Multiples of the golden ratio spread evenly too, and fall in with no week or other period.
    """
    if len(ordinals) <= MOST_SAMPLED:
        return ordinals
    places = np.arange(MOST_SAMPLED) * _GOLDEN % 1 * len(ordinals)
    return ordinals[np.unique(places.astype(np.int64))]


def recent(pointers: AssetState) -> Integers:
    """The partitions of which the newest versions are."""
    if len(pointers.version) <= RECENT:
        return pointers.ordinals
    return pointers.ordinals[np.argpartition(pointers.version, -RECENT)[-RECENT:]]


def past_of(node: Node, uids: Mapping[AssetKey, int], code: CodeVersion, attempts: Attempts) -> dict[int, Cost]:
    """What each partition cost that attempts are known of: the median of the times, without accidents.

    Attempts by the present code count alone where a partition has any. Rows and bytes are those of the last attempt, of
    all outputs together.
    """
    outputs = [attempts.computed.get(uids.get(output, 0), {}) for output in node.outputs]
    counted = {ordinal: _by(code, tries) for ordinal, tries in outputs[0].items()}
    costs = {
        ordinal: Cost(
            median([each.seconds for each in tries]),
            _sum([each[ordinal][-1].rows for each in outputs if ordinal in each]),
            _sum([each[ordinal][-1].bytes for each in outputs if ordinal in each]),
        )
        for ordinal, tries in counted.items()
    }
    return _without_accidents(costs, {ordinal for ordinal, tries in counted.items() if len(tries) >= _SETTLED})


def checks_past_of(node: Node, uids: Mapping[AssetKey, int], attempts: Attempts) -> dict[int, Cost]:
    """How long it took to check each partition that was checked by itself, which writes nothing."""
    times = attempts.checked.get(uids.get(node.outputs[0], 0), {})
    costs = {ordinal: Cost(median(seconds), 0, 0) for ordinal, seconds in times.items()}
    return _without_accidents(costs, {ordinal for ordinal, seconds in times.items() if len(seconds) >= _SETTLED})


def usual(costs: Sequence[Cost]) -> Cost | None:
    """The medians of several partitions' costs.

    >>> usual([Cost(1.0, 10, None), Cost(2.0, 30, None), Cost(60.0, None, None)])
    Cost(seconds=2.0, rows=20.0, bytes=None)
    """
    if not costs:
        return None
    rows = [each.rows for each in costs if each.rows is not None]
    sizes = [each.bytes for each in costs if each.bytes is not None]
    return Cost(
        median([each.seconds for each in costs]), median(rows) if rows else None, median(sizes) if sizes else None
    )


def median(values: Sequence[float]) -> float:
    """The middle one of the values, or halfway between the two in the middle.

    >>> median([3.0, 1.0, 9.0]), median([4.0, 1.0])
    (3.0, 2.5)
    """
    ordered, middle = sorted(values), len(values) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _by(code: CodeVersion, tries: Sequence[Attempt]) -> Sequence[Attempt]:
    return [each for each in tries if each.code == code] or tries


def _sum(values: Sequence[int | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _without_accidents(costs: dict[int, Cost], settled: set[int]) -> dict[int, Cost]:
    """The costs, where a time that is far longer than the size suggests becomes what the size suggests."""
    typical = usual(list(costs.values()))
    if typical is None or len(costs) <= _SETTLED:
        return costs
    found: dict[int, Cost] = {}
    for ordinal, cost in costs.items():
        suggested = typical.seconds
        if cost.bytes is not None and typical.bytes:
            suggested *= max(cost.bytes / typical.bytes, 1)
        far = cost.seconds > _FAR * suggested and ordinal not in settled
        found[ordinal] = cost._replace(seconds=suggested) if far else cost
    return found
