"""The root of a cause is one: without what happened there a partition is not planned, and that alone is enough.

An asset with causes of its own is the root of what it makes stale; what it inherited besides is told of itself. So what
happened further up than a root goes with it.

Every single cause is needed too, where a partition has several. What counts as one cause is

- that the code of its computation changed: behind it are edits of the computation;
- that one partition of an upstream is another one than was read through one parameter: behind it is what happened to
  that partition, and where it is only read now, or read no more, the keys that were removed from the upstream's
  partitions. Of an edge that tolerates late data all changed partitions are one cause, for the tolerance judges them
  together: what came late is named beside what came in time, and would not be enough alone;
- that an upstream asset is stale, for one root: behind it is what happened to the root, but not what was published of
  the very asset that is stale, unless it reads itself.

Something is behind each cause. Where that is undone, the cause is not told any more, whatever else there is. Where
what is behind all others is undone and this is kept, the partition is planned and the cause is told; but for an
upstream that is stale and read through an edge that tolerates late data, for what is computed anyway takes late data
along. What was published anew and is equal is behind nothing. Two causes may share what is behind them: that is kept
with either.

All that is of partitions that were built: what waited and could never be built until a key was removed has nothing
that could be undone. And nothing changes and changes back, which would make a difference only to what was published
in between, so that this would be behind the cause too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from assetflow.keys import AssetKey
from assetflow.partitions.definitions import dynamic_names
from assetflow.partitions.sets import PartitionSet
from assetflow.planner.causes import Cause
from assetflow.planner.changed_inputs import recorded_changes
from assetflow.planner.wording import ranges_of
from tests.property.oracle import POOL, Key
from tests.property.pairs import Pair
from tests.property.test_planner import graphs
from tests.property.timelines import Declared, Operation, Timeline, holds
from tests.unit.planner.recollection import Recollection, recalled


def undone_roots(timeline: Timeline) -> None:
    """The operations happen to a world in which everything is up to date."""
    pair = settled(timeline.assets, timeline.operations)
    before = settled(timeline.assets, ()).world.plan()
    assert before.steps == ()
    waited = {(entry.computation, ordinal) for entry in before.waiting for ordinal in entry.partitions.ordinals}
    for step in pair.world.plan().steps:
        output = step.outputs[0]
        for ordinal in (step.partitions.ordinals.min(), step.partitions.ordinals.max()):
            if (step.computation, ordinal) in waited:
                # It is missing, as it was before: what happened is that it need not wait any longer.
                continue
            key = pair.world.spaces[step.computation].key(ordinal)
            found = pair.world.why(output, key)
            assert found.causes
            blamed = happened_at(pair, timeline.operations, found.causes)
            above = set(pair.world.graph.ancestors({name for each in blamed for name in places(pair, each)}))
            others = [
                each
                for each in timeline.operations
                if each not in blamed and not above.intersection(places(pair, each))
            ]
            assert blamed, (output, key)
            assert not is_planned(settled(timeline.assets, others), step.computation, ordinal), (output, key)
            assert is_planned(settled(timeline.assets, blamed), step.computation, ordinal), (output, key)


def settled(assets: tuple[Declared, ...], operations: Sequence[Operation]) -> Pair:
    """What some operations lead to after all sources were observed and everything was built."""
    pair = Pair(assets)
    pair.apply_all([("add_keys", name, POOL) for name in pair.sets])
    for name in pair.sources:
        for key in pair.model.existing(name):
            pair.observe(name, key, "one")
    pair.run(pair.world.plan(), "one")
    pair.apply_all(operations)
    return pair


def places(pair: Pair, operation: Operation) -> set[str]:
    """The sources and computations to which something happened."""
    kind, name = operation[:2]
    nodes = pair.world.graph.nodes
    users = {each for each in nodes if name in dynamic_names(nodes[each].partitions)}
    return users if kind == "remove_keys" else {name}


def happened_at(pair: Pair, operations: Sequence[Operation], causes: Sequence[Cause]) -> list[Operation]:
    """Of the operations, those that were done to an asset in which a cause began."""
    roots = {pair.world.graph.owner[root] for cause in causes for root in cause.root}
    return [each for each in operations if roots.intersection(places(pair, each))]


def is_planned(pair: Pair, computation: str, ordinal: int) -> bool:
    return any(
        ordinal in step.partitions.ordinals for step in pair.world.plan().steps if step.computation == computation
    )


@st.composite
def disturbances(draw: st.DrawFn) -> Timeline:
    """A graph, and edits, corrections, rewritten partitions and keys that go, each at a place of its own."""
    assets = draw(graphs())
    now = settled(assets, ())
    possible: list[Operation] = [("edit", name, "2") for name in now.computations]
    possible += [("observe", name, key, "two") for name in now.sources for key in now.model.existing(name)]
    possible += [("publish", name, key, "two") for name in now.computations for key in now.model.current.get(name, ())]
    possible += [("remove_keys", name, (key,)) for name in now.sets for key in POOL]
    chosen = draw(st.lists(st.sampled_from(possible), min_size=1, max_size=4, unique=True))
    # What is published was made by the code and inputs of before.
    order = {"publish": 0, "observe": 1, "edit": 2, "remove_keys": 3}
    return Timeline(assets, tuple(sorted(chosen, key=lambda each: order[each[0]])))


@dataclass(frozen=True)
class Single:
    """One cause of a partition: the edge and the upstream partitions, or the stale upstream and one root."""

    kind: str
    through: str = ""
    asset: str = ""
    partition: Key = None


class Weight(NamedTuple):
    """Whether what is behind a cause may be keys that were removed, and whether it is enough alone."""

    removals: bool
    enough: bool = True


def singles(pair: Pair, computation: str, ordinal: int) -> dict[Single, Weight]:
    """The causes of a partition one by one."""
    key = pair.world.spaces[computation].key(ordinal)
    assessment = pair.world.assess()
    facts = assessment.facts[computation]
    edges = {each.edge.parameter: each for each in facts.edges}
    found: dict[Single, Weight] = {}
    for cause in recalled(pair.world, facts.node.outputs[0], key).causes:
        edge = edges[cause.parameter] if cause.parameter else None
        if cause.kind == "upstream_stale":
            assert edge is not None
            above = edge.edge.upstream
            weight = Weight(True, all(e.edge.late_tolerance is None for e in facts.edges if e.edge.upstream == above))
            found |= {Single(cause.kind, above, root): weight for root in cause.root}
        elif cause.kind == "input_changed":
            assert edge is not None
            (upstream,) = cause.root
            through, above = edge.edge.parameter, assessment.facts[edge.upstream]
            if edge.edge.late_tolerance is not None:
                found[Single(cause.kind, through, upstream)] = Weight(True)
                continue
            evidence = Recollection(pair.world)
            row = facts.ordinals == ordinal
            changes = sorted(recorded_changes(facts, edge, above, row, evidence).changes)
            assert cause.partitions == ranges_of(above.space, PartitionSet.from_ordinals([e.ordinal for e in changes]))
            keys = evidence.keys(evidence.present(upstream), np.array([each.ordinal for each in changes], np.int64))
            for name, each in zip(keys, changes, strict=True):
                found[Single(cause.kind, through, upstream, name)] = Weight(not (each.before and each.after))
        else:
            assert cause.kind == "code_changed", cause
            found[Single(cause.kind, asset=facts.node.outputs[0])] = Weight(False)
    return found


def behind(pair: Pair, operations: Sequence[Operation], cause: Single, *, removals: bool) -> frozenset[int]:
    """Which of the operations are behind a cause, by place."""
    graph = pair.world.graph
    name = graph.owner[AssetKey(cause.asset)]
    itself = cause.kind == "upstream_stale" and graph.owner[AssetKey(cause.through)] == name
    itself = itself and not any(edge.own for edge in graph.nodes[name].edges)
    partitioned = graph.nodes[name].partitions is not None

    def is_behind(operation: Operation) -> bool:
        kind = operation[0]
        if kind == "remove_keys":
            return removals and name in places(pair, operation)
        if operation[1] != name:
            return False
        if cause.kind == "code_changed":
            return kind == "edit"
        if cause.kind == "input_changed":
            whole = cause.partition is None and partitioned
            return kind != "edit" and (whole or operation[2] == cause.partition)
        return not (itself and kind == "publish")

    return frozenset(place for place, each in enumerate(operations) if is_behind(each))


def needed_causes(timeline: Timeline) -> None:
    """Each cause goes with what is behind it, and stays when all others go."""
    operations = timeline.operations
    every = frozenset(range(len(operations)))
    known: dict[frozenset[int], Pair] = {}

    def after(kept: frozenset[int]) -> Pair:
        if kept not in known:
            known[kept] = settled(timeline.assets, [operations[place] for place in sorted(kept)])
        return known[kept]

    pair = after(every)
    if any(cause.kind == "missing" for step in pair.world.plan().steps for cause in step.causes):
        return
    for step in pair.world.plan().steps:
        name = step.computation
        for ordinal in {step.partitions.ordinals.min(), step.partitions.ordinals.max()}:
            causes = singles(pair, name, ordinal)
            blamed = {each: behind(pair, operations, each, removals=causes[each].removals) for each in causes}
            assert causes, (name, ordinal)
            for each, own in blamed.items():
                others = frozenset[int]().union(*(found for other, found in blamed.items() if other != each))
                assert own, (name, ordinal, each)
                assert each not in singles(after(every - own), name, ordinal), (name, ordinal, each)
                if not causes[each].enough:
                    continue
                left = after(every - (others - own))
                assert is_planned(left, name, ordinal), (name, ordinal, each)
                assert each in singles(left, name, ordinal), (name, ordinal, each)


@st.composite
def various(draw: st.DrawFn) -> Timeline:
    """As disturbances; partitions are also built again and equal, and sources lose some."""
    timeline = draw(disturbances())
    now = settled(timeline.assets, ())
    rewritten = {each[1:3] for each in timeline.operations if each[0] == "publish"}
    possible: list[Operation] = [
        ("publish", name, key, "one")
        for name in now.computations
        for key in now.model.current.get(name, ())
        if (name, key) not in rewritten
    ]
    possible += [("withdraw", name, key) for name in now.sources for key in now.model.existing(name)]
    more = draw(st.lists(st.sampled_from(possible), max_size=3, unique=True)) if possible else []
    mixed = draw(st.permutations([*timeline.operations, *more]))
    order = {"publish": 0, "observe": 1, "withdraw": 2, "edit": 3, "remove_keys": 4}
    return Timeline(timeline.assets, tuple(sorted(mixed, key=lambda each: order[each[0]])))


@given(various())
@settings(max_examples=60)
def test_each_of_several_causes_is_needed(timeline: Timeline) -> None:
    holds(needed_causes, timeline)


@given(disturbances())
@settings(max_examples=60)
def test_a_partition_is_planned_because_of_its_root_causes(timeline: Timeline) -> None:
    holds(undone_roots, timeline)
