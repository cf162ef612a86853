from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from assetflow.errors import DefinitionErrors
from assetflow.keys import AssetKey
from assetflow.partitions.definitions import (
    DailyPartitions,
    DynamicPartitions,
    MonthlyPartitions,
    StaticPartitions,
    WeeklyPartitions,
)
from assetflow.partitions.keyed import StaticMapping
from assetflow.partitions.mappings import AllPartitions, LastN, TimeWindow
from assetflow.planner.plan import Plan
from tests.property.oracle import POOL, Decision, Key, Listed, defined_keys
from tests.property.pairs import NOW, Pair
from tests.property.timelines import Declared, Operation, Read, Timeline, expression_of, holds, value_of

DEFINITIONS = (
    None,
    DailyPartitions("2024-01-28"),
    DailyPartitions("2024-01-30", end="2024-02-01"),
    WeeklyPartitions("2024-01-08"),
    MonthlyPartitions("2023-12"),
    StaticPartitions(["north", "south"]),
    StaticPartitions(["spain", "south", "norway"]),
    DynamicPartitions("customers"),
    DynamicPartitions("files"),
)
LISTS = (StaticPartitions, DynamicPartitions)
TIMED = (DailyPartitions, WeeklyPartitions, MonthlyPartitions)
_NO_POLICY = st.none()
CONTENTS = st.sampled_from(["one", "two", None])
SOME_KEYS = st.lists(st.sampled_from(POOL), max_size=3, unique=True)
"""Keys that are added to dynamic partitions, or removed."""


def mappings(down: object, up: object) -> st.SearchStrategy[Any]:
    """The mappings that may join two definitions; None is the default."""
    if down is None or up is None:
        return st.none()
    if isinstance(down, TIMED) and isinstance(up, TIMED):
        windows = st.sampled_from(
            [TimeWindow(), TimeWindow(-1, 0), TimeWindow(0, 0, allow_nonexistent=False), TimeWindow(-1, -1)]
        )
        return st.one_of(st.none(), windows, st.sampled_from([LastN(2), AllPartitions()]), listed(down, up))
    stated = [st.just(AllPartitions()), listed(down, up)]
    if isinstance(down, LISTS) and isinstance(up, LISTS):
        some = st.lists(st.sampled_from(defined_keys(down)), max_size=3)
        stated.append(st.dictionaries(st.sampled_from(defined_keys(up)), some).map(StaticMapping))
    return st.one_of(*stated, *([st.none()] if down == up else []))


def listed(down: object, up: object) -> st.SearchStrategy[Listed]:
    """A mapping of a user's own, which does not know what to do with some of the keys."""
    readers = st.sampled_from(defined_keys(down)[:8])
    read = st.lists(st.sampled_from(defined_keys(up)[:8]), max_size=3)
    return st.builds(Listed, st.dictionaries(readers, read, max_size=5), st.frozensets(readers, max_size=1))


def own_mappings(definition: object) -> st.SearchStrategy[Any]:
    """The mappings by which an asset may read itself; what a user's own gives may not be allowed."""
    if isinstance(definition, TIMED):
        windows = [TimeWindow(-1, -1), TimeWindow(-1, -1), TimeWindow(-2, -1), TimeWindow(-2, -2), TimeWindow(-9, -1)]
        return st.one_of(st.sampled_from(windows), listed(definition, definition))
    if isinstance(definition, DynamicPartitions):
        return listed(definition, definition)
    keys = defined_keys(definition)
    pairs = [(up, down) for place, up in enumerate(keys) for down in keys[place + 1 :]]
    chosen = st.lists(st.sampled_from(pairs), unique=True)
    tables = chosen.map(lambda found: {up: [down for each, down in found if each == up] for up, _ in found})
    return st.one_of(tables.map(StaticMapping), listed(definition, definition))


@st.composite
def graphs(draw: st.DrawFn, policies: st.SearchStrategy[Any] = _NO_POLICY) -> tuple[Declared, ...]:
    """A few sources and computations, upstreams first, and checks of some of them."""
    kinds = draw(st.lists(st.sampled_from(["source", "one", "one", "two"]), min_size=2, max_size=6))
    assets: list[Declared] = []
    outputs: list[tuple[str, object]] = []
    for number, kind in enumerate(kinds):
        definition = draw(st.sampled_from(DEFINITIONS))
        chosen = draw(st.lists(st.sampled_from(outputs), max_size=3, unique=True)) if outputs else []
        computed = kind != "source"
        declared = Declared(f"a{number}", kind, expression_of(definition))
        if computed:
            read = [draw(reads(definition, *upstream)) for upstream in chosen]
            own = definition is not None and draw(st.integers(0, 2)) == 0
            if own:
                read.append(draw(own_reads(definition, declared.outputs)))
            declared = replace(
                declared,
                reads=tuple(read),
                checked=draw(st.booleans()),
                policy=expression_of(draw(policies)),
                batched=kind == "one" and definition is not None and not own and draw(st.booleans()),
            )
        assets.append(declared)
        outputs += [(output, definition) for output in declared.outputs]
    return tuple(assets)


@st.composite
def reads(draw: st.DrawFn, down: object, upstream: str, up: object) -> Read:
    """How an asset reads one upstream."""
    missing = draw(st.sampled_from([None, "wait", "allow"]))
    tolerance = draw(st.sampled_from([None, None, "0s", "1d", "3d"])) if isinstance(up, TIMED) else None
    return Read(upstream, expression_of(draw(mappings(down, up))), missing, draw(st.booleans()), tolerance)


@st.composite
def own_reads(draw: st.DrawFn, definition: object, outputs: list[str]) -> Read:
    """How an asset reads itself."""
    mapping = expression_of(draw(own_mappings(definition)))
    return Read(draw(st.sampled_from(outputs)), mapping, draw(st.sampled_from([None, "allow"])), draw(st.booleans()))


@st.composite
def declarations(draw: st.DrawFn, assets: tuple[Declared, ...]) -> Declared | None:
    """One of the assets as an edit leaves it: other bounds or keys, or an upstream less; None where that cannot be."""
    before = draw(st.sampled_from(assets))
    definition = value_of(before.partitions)
    alike = [each for each in DEFINITIONS if type(each) is type(definition) and each != definition]
    if draw(st.booleans()) and alike:
        after = replace(before, partitions=repr(draw(st.sampled_from(alike))))
    elif before.reads:
        dropped = draw(st.sampled_from(before.reads))
        after = replace(before, reads=tuple(each for each in before.reads if each != dropped))
    else:
        return None
    try:
        Pair(tuple(after if each is before else each for each in assets))
    except DefinitionErrors:
        return None
    return after


@st.composite
def timelines(draw: st.DrawFn, policies: st.SearchStrategy[Any] = _NO_POLICY) -> Timeline:
    """A graph to which some things happened, within the last days."""
    assets = draw(graphs(policies))
    waits = draw(st.lists(st.sampled_from([1, 24, 30]), max_size=3))
    now = Pair(assets, NOW - timedelta(hours=sum(waits)))
    operations = draw(first_keys(now))
    for _ in range(draw(st.integers(0, 12))):
        operations.append(("ago", draw(st.integers(0, 100))))
        operations += draw(happenings(now))
        operations += draw(elsewhere(now, waits))
    operations += [("wait", hours) for hours in waits]
    return Timeline(assets, tuple(operations))


@st.composite
def first_keys(draw: st.DrawFn, now: Pair) -> list[Operation]:
    """The keys that dynamic partitions begin with."""
    operations: list[Operation] = [("add_keys", name, draw(SOME_KEYS)) for name in now.sets]
    now.apply_all(operations)
    return operations


@st.composite
def elsewhere(draw: st.DrawFn, now: Pair, waits: list[int]) -> list[Operation]:
    """What changes which partitions there are: time, declarations, and keys; ``waits`` are those that are left."""
    operations: list[Operation] = []
    if waits and draw(st.booleans()):
        operations.append(("wait", waits.pop()))
    if draw(st.integers(0, 5)) == 5 and (declared := draw(declarations(now.assets))):
        operations.append(("declare", declared))
    now.apply_all(operations)
    if now.sets and draw(st.integers(0, 3)) == 3:
        kind = draw(st.sampled_from(["add_keys", "add_keys", "remove_keys"]))
        operations.append((kind, draw(st.sampled_from(now.sets)), draw(SOME_KEYS)))
        now.apply(operations[-1])
    return operations


@st.composite
def happenings(draw: st.DrawFn, now: Pair) -> list[Operation]:
    """One thing that happens, which may be several operations."""
    asked = list(now.model.checks)
    events = ["run", "run"]
    events += ["observe", "observe", "withdraw"] if now.sources else []
    events += ["edit", "publish", "publish", "fail", "revert"] if now.computations else []
    events += ["mend", "refuse", "quarantine", "quarantine"] if asked else []
    event = draw(st.sampled_from(events))
    if event == "run":
        made: Operation = ("run", draw(CONTENTS), draw(st.sampled_from([False, False, True])))
        return [made, ("leave_out",)] if draw(st.booleans()) else [made]
    if event == "mend":
        return [("mend", draw(st.sampled_from(asked)))]
    asset = draw(st.sampled_from(asked)) if event in ("refuse", "quarantine") else None
    if asset is not None:
        name = now.world.graph.owner[AssetKey(asset)]
    else:
        name = draw(st.sampled_from(now.sources if event in ("observe", "withdraw") else now.computations))
    code = ("edit", name, draw(st.sampled_from("123")))
    if event == "edit":
        return [code]
    if event == "revert":
        return [("edit", name, "4"), ("run", draw(CONTENTS)), code]
    existing = now.model.existing(name)
    if not existing:
        return []
    if event in ("observe", "withdraw"):
        keys = draw(st.lists(st.sampled_from(existing), min_size=1, max_size=4))
        return [("observe", name, key, draw(CONTENTS)) if event == "observe" else (event, name, key) for key in keys]
    key = draw(st.sampled_from(existing))
    if event == "refuse":
        return [("refuse", asset, key)]
    if event == "quarantine":
        return [code, ("fail", name, key, True), ("mend", asset)]
    return [("publish", name, key, draw(CONTENTS)) if event == "publish" else ("fail", name, key, draw(st.booleans()))]


def planned(pair: Pair, made: Plan) -> dict[str, dict[str, set[Key]]]:
    """The steps of a plan as the model tells them; candidates are told apart from checks of what is published."""
    steps: dict[str, dict[str, set[Key]]] = {}
    for step in made.steps:
        space = pair.world.spaces[step.computation]
        again = set().union(*(each.ordinals.tolist() for each in step.reuse.values()))
        for ordinal in step.partitions.ordinals:
            certainty = "candidate" if step.certainty == "check" and ordinal in again else step.certainty
            steps.setdefault(step.computation, {}).setdefault(certainty, set()).add(space.key(ordinal))
    return steps


def waiting(pair: Pair, made: Plan) -> dict[str, set[Key]]:
    spaces = pair.world.spaces
    return {
        each.computation: {spaces[each.computation].key(ordinal) for ordinal in each.partitions.ordinals}
        for each in made.waiting
    }


def compare(
    pair: Pair,
    made: Plan,
    chosen: dict[str, set[Key]],
    *,
    force: bool = False,
    retry_failed: bool = True,
    include_late: bool = False,
) -> Decision:
    chosen = {name: keys for name, keys in chosen.items() if keys and name in pair.computations}
    expected = pair.model.decide(chosen, force=force, retry_failed=retry_failed, include_late=include_late)
    assert planned(pair, made) == expected.steps
    assert waiting(pair, made) == pair.model.waiting(expected, chosen, force=force)
    assert set(made.outside) == pair.model.outside(chosen, include_late=include_late)
    spaces = pair.world.spaces
    left_out = {
        (each.computation, spaces[each.computation].key(o)) for each in made.tolerated for o in each.partitions.ordinals
    }
    assert left_out == expected.tolerated
    for step in made.steps:
        space = pair.world.spaces[step.computation]
        rows = [(step.computation, space.key(ordinal)) for ordinal in step.partitions.ordinals]
        roots = {root for cause in step.inherited for root in cause.root}
        assert roots == set().union(*(expected.inherited[row] for row in rows))
        assert step.causes or step.inherited
    return expected


def the_full_plan(timeline: Timeline) -> None:
    pair = Pair.after(timeline)
    world, model = pair.world, pair.model
    everything = {name: set(model.existing(name)) for name in world.graph.nodes}
    for asset in world.graph.owner:
        assert world.states(asset) == model.states(asset), asset
        assert world.assess().tolerated(AssetKey(asset)) == model.ignoring(asset), asset
    compare(pair, world.plan(), everything)
    compare(pair, world.plan(include_late=True), everything, include_late=True)
    compare(pair, world.plan(retry_failed=False), everything, retry_failed=False)
    compare(pair, world.plan(force=True), everything, force=True)


def plans_of_a_part(timeline: Timeline, picked: list[str], name: str | None, keys: list[Key]) -> None:
    pair = Pair.after(timeline)
    world, model = pair.world, pair.model
    selection = " or ".join(world.graph.nodes[name].outputs[0] for name in picked)
    compare(pair, world.plan(selection), {name: set(model.existing(name)) for name in picked})
    if name is None:
        return

    ranges = () if None in keys else [(str(key), str(key)) for key in keys]
    asset = world.graph.nodes[name].outputs[0]
    compare(pair, world.plan(asset, partitions=ranges), {name: set(keys)})
    compare(pair, world.plan(f"+{asset}", partitions=ranges, force=True), model.above(name, set(keys)), force=True)
    below = model.below(name, set(keys))
    compare(pair, world.plan(f"{asset}+", partitions=ranges, retry_failed=False), below, retry_failed=False)


def nothing_is_left(timeline: Timeline, content: str) -> None:
    pair = Pair.after(timeline)
    pair.apply(("ago", 0))  # what is published now may be late where it was not an hour ago
    pair.run(pair.world.plan(), content)
    again = pair.world.plan()
    assert again.steps == ()
    assert again.plan_id == pair.world.plan().plan_id


@given(timelines())
@settings(max_examples=80)
def test_states_and_the_full_plan_are_those_of_the_slow_model(timeline: Timeline) -> None:
    holds(the_full_plan, timeline)


@given(timelines(), st.data())
@settings(max_examples=80)
def test_plans_of_a_part_are_those_of_the_slow_model(timeline: Timeline, data: st.DataObject) -> None:
    model = Pair.after(timeline).model
    names = list(model.graph.nodes)
    picked = data.draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
    name = data.draw(st.sampled_from([name for name in names if model.existing(name)] or [None]))
    keys = data.draw(st.lists(st.sampled_from(model.existing(name)), min_size=1, unique=True)) if name else []
    holds(plans_of_a_part, timeline, picked=picked, name=name, keys=keys)


@given(timelines(), st.sampled_from(["one", "two"]))
@settings(max_examples=60)
def test_nothing_is_left_after_a_plan_was_carried_out(timeline: Timeline, content: str) -> None:
    holds(nothing_is_left, timeline, content=content)
