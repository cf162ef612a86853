"""The reasons of a trace are the truth: when what they name is undone, the partition has no step any more."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from assetflow.keys import AssetKey
from assetflow.planner.trace import Link, Reason
from tests.property.pairs import Pair
from tests.property.test_planner import timelines
from tests.property.timelines import Timeline, holds
from tests.unit.planner.building import Pointer, World
from tests.unit.planner.recollection import told, traced

EVERY = 10_000


@dataclass
class Undo:
    """What is undone in a world. Pointers that were put back count as made by the code and inputs of now."""

    world: World
    restored: list[tuple[str, int]] = field(default_factory=list)
    recoded: list[tuple[str, int]] = field(default_factory=list)
    impossible: bool = False

    def ordinals(self, link: Link) -> list[int]:
        space = self.world.space(link.asset)
        if not link.partitions:
            return [0]
        pairs = [text.partition("...")[::2] for text in link.partitions]
        found = [space.between(first, last or first) for first, last in pairs]
        return [ordinal for each in found if each is not None for ordinal in each]

    def reason(self, link: Link, reason: Reason) -> None:
        world = self.world
        node = world.graph.node_of(link.asset)
        if reason.kind in ("code_changed", "schema_changed") and reason.code:
            self.recoded += [(key, ordinal) for key in node.outputs for ordinal in self.ordinals(link)]
        elif reason.kind == "input_changed":
            assert reason.upstream is not None
            assert reason.versions, reason
            assert reason.changed == len(reason.versions)
            self._put_back(reason)
        elif reason.kind == "failed":
            for key in node.outputs:
                for ordinal in self.ordinals(link):
                    world.failures.get(key, {}).pop(ordinal, None)
        elif reason.kind == "missing" and reason.detail == "not observed":
            self.impossible = True
        elif "check" in reason.detail:
            for key in node.outputs:
                for ordinal in self.ordinals(link):
                    if ordinal in world.pointers.get(key, {}):
                        world.passed(key, world.pointers[key][ordinal].version)
        elif reason.kind != "upstream_stale":
            self.impossible = True

    def _put_back(self, reason: Reason) -> None:
        world, upstream = self.world, reason.upstream
        assert upstream is not None
        node = world.graph.node_of(upstream)
        known = {pointer.version: pointer for *_, pointer in world.log[upstream] if pointer is not None}
        existing = world.states(upstream)
        for change in reason.versions:
            if change.partition not in existing:
                self.impossible = True  # with the partition, others of the same key or window would come back
                continue
            ordinal = 0 if change.partition is None else world.space(upstream).ordinal(change.partition)
            if change.before is not None:
                world.pointers[upstream][ordinal] = known[change.before]
                self.restored.append((upstream, ordinal))
            elif node.kind == "source":
                del world.pointers[upstream][ordinal]
            else:
                self.impossible = True  # without a version it would be missing, which is a cause of its own

    def settle(self) -> None:
        world = self.world
        order = {key: place for place, key in enumerate(world.graph.owner)}
        for key, ordinal in self.recoded:
            if ordinal in world.pointers.get(key, {}):
                name = world.graph.owner[AssetKey(key)]
                world.pointers[key][ordinal] = replace(world.pointers[key][ordinal], code=world._code_id(name))
        for key, ordinal in sorted(self.restored, key=lambda each: order[AssetKey(each[0])]):
            self._stamp(key, ordinal, world.pointers[key][ordinal])

    def _stamp(self, key: str, ordinal: int, pointer: Pointer) -> None:
        node = self.world.graph.node_of(AssetKey(key))
        if node.kind == "source":
            return
        sums = self.world.inputs(node.name, [ordinal])
        inputs = {parameter: (int(lanes[0][0]), int(lanes[0][1])) for parameter, lanes in sums.items()}
        code = self.world._code_id(node.name)
        self.world.pointers[key][ordinal] = replace(pointer, code=code, inputs=inputs)
        self.world.passed(key, pointer.version)
        for output in node.outputs:
            self.world.failures.get(output, {}).pop(ordinal, None)


def steps_of(world: World) -> dict[tuple[str, int], str]:
    steps = world.plan().steps
    return {(step.computation, ordinal): step.certainty for step in steps for ordinal in step.partitions.ordinals}


def told_reasons_undone(timeline: Timeline, name: str, ordinal: int) -> bool:
    """Whether all that a partition's trace names could be undone; then it has no step any more."""
    world = Pair.after(timeline).world
    steps = steps_of(world)
    asset = world.graph.nodes[name].outputs[0]
    key = world.spaces[name].key(ordinal)
    found = traced(world, asset, *([] if key is None else [key]), shown=EVERY)
    planned = [link for link in found.links if link.planned]
    assert planned[0].asset == asset
    assert all(link.reasons for link in found.links)

    undo = Undo(world)
    for link in reversed(planned):
        for reason in link.reasons:
            undo.reason(link, reason)
    if undo.impossible:
        return False
    undo.settle()
    left = steps_of(world).get((name, ordinal))
    if left is None:
        return True
    after = traced(world, asset, *([] if key is None else [key]), shown=EVERY)
    if any(reason.kind == "failed" for _, reason in after.roots()):
        # What failed with the code and inputs that are back again counts once more.
        assert not any(reason.kind == "failed" for _, reason in found.roots()), (told(found), told(after))
        return True
    # What is not built may have checks that are due, which a step that builds has no need to tell.
    assert left == "check", (told(found), told(after))
    assert steps[name, ordinal] != "check", (told(found), told(after))
    return True


def ways_end_at_roots(timeline: Timeline) -> None:
    """Every way ends at roots, and every change is one."""
    world = Pair.after(timeline).world
    for name, ordinal in sorted(steps_of(world)):
        asset = world.graph.nodes[name].outputs[0]
        key = world.spaces[name].key(ordinal)
        found = traced(world, asset, *([] if key is None else [key]), shown=EVERY)
        assert found.roots()
        for link in found.links:
            for reason in link.reasons:
                if reason.kind == "input_changed":
                    assert reason.versions
                    assert all(change.before != change.after for change in reason.versions)


@given(timelines(), st.data())
@settings(max_examples=80, suppress_health_check=[HealthCheck.filter_too_much])
def test_undoing_the_reported_roots_takes_the_partition_out_of_the_plan(
    timeline: Timeline, data: st.DataObject
) -> None:
    steps = steps_of(Pair.after(timeline).world)
    assume(steps)
    name, ordinal = data.draw(st.sampled_from(sorted(steps)))
    assume(holds(told_reasons_undone, timeline, name=name, ordinal=ordinal))


@given(timelines())
@settings(max_examples=40)
def test_every_way_ends_at_roots_and_every_change_is_one(timeline: Timeline) -> None:
    holds(ways_end_at_roots, timeline)
