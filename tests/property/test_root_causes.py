"""The root of a cause is one: without what happened there a partition is not planned, and that alone is enough.

An asset with causes of its own is the root of what it makes stale; what it inherited besides is told of itself. So what
happened further up than a root goes with it.
"""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from assetflow.partitions.definitions import dynamic_names
from assetflow.planner.causes import Cause
from tests.property.oracle import POOL
from tests.property.pairs import Pair
from tests.property.test_planner import graphs
from tests.property.timelines import Declared, Operation, Timeline, holds


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


@given(disturbances())
@settings(max_examples=60)
def test_a_partition_is_planned_because_of_its_root_causes(timeline: Timeline) -> None:
    holds(undone_roots, timeline)
