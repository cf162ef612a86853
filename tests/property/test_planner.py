from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from assetflow.definitions.inputs import Input
from assetflow.keys import AssetKey
from assetflow.partitions.definitions import (
    DailyPartitions,
    DynamicPartitions,
    MonthlyPartitions,
    StaticPartitions,
    WeeklyPartitions,
    dynamic_names,
)
from assetflow.partitions.keyed import StaticMapping
from assetflow.partitions.mappings import AllPartitions, LastN, TimeWindow
from assetflow.planner.plan import Plan
from tests.property.oracle import POOL, Decision, Key, Listed, Model, defined_keys
from tests.unit.planner.building import World, check, computed, several, source

NOW = datetime(2024, 2, 2, 0, 30, tzinfo=UTC)
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
def graphs(
    draw: st.DrawFn, policies: st.SearchStrategy[Any] = _NO_POLICY
) -> tuple[list[Callable[..., Any]], list[Callable[..., Any]]]:
    """A few sources and computations, upstreams first, and checks of some of them."""
    kinds = draw(st.lists(st.sampled_from(["source", "one", "one", "two"]), min_size=2, max_size=6))
    assets: list[Callable[..., Any]] = []
    checks: list[Callable[..., Any]] = []
    outputs: list[tuple[str, object]] = []
    for number, kind in enumerate(kinds):
        name = f"a{number}"
        definition = draw(st.sampled_from(DEFINITIONS))
        deps: list[Input] = []
        chosen = draw(st.lists(st.sampled_from(outputs), max_size=3, unique=True)) if outputs else []
        for upstream, up in chosen:
            mapping = draw(mappings(definition, up))
            tolerance = draw(st.sampled_from([None, None, "0s", "1d", "3d"])) if isinstance(up, TIMED) else None
            missing = draw(st.sampled_from([None, "wait", "allow"]))
            deps.append(Input(upstream, mapping, missing=missing, late_tolerance=tolerance))
        if kind != "source" and definition is not None and draw(st.integers(0, 2)) == 0:
            own = name if kind == "one" else f"{name}_{draw(st.sampled_from('xy'))}"
            deps.append(Input(own, draw(own_mappings(definition)), missing=draw(st.sampled_from([None, "allow"]))))
        if kind == "source":
            assets.append(source(name, partitions=definition))
            outputs.append((name, definition))
        elif kind == "one":
            assets.append(computed(name, *deps, partitions=definition, freshness_policy=draw(policies)))
            outputs.append((name, definition))
        else:
            keywords = {"partitions": definition, "freshness_policy": draw(policies)}
            assets.append(several(name, [f"{name}_x", f"{name}_y"], *deps, **keywords))
            outputs += [(f"{name}_x", definition), (f"{name}_y", definition)]
        if kind != "source" and draw(st.booleans()):
            checks.append(check("ok", outputs[-1][0]))
    return assets, checks


class Pair:
    """The world and the model, told the same."""

    def __init__(self, assets: list[Callable[..., Any]], checks: list[Callable[..., Any]]) -> None:
        self.world = World(assets, checks, now=NOW, met=POOL)
        graph = self.world.graph
        self.sets = sorted({name for node in graph.nodes.values() for name in dynamic_names(node.partitions)})
        self.computations = [name for name, node in graph.nodes.items() if node.kind == "asset"]
        self.sources = [name for name, node in graph.nodes.items() if node.kind == "source"]
        codes = dict.fromkeys(self.computations, "1")
        versions = {key: 1 for key, found in graph.checks.items() if found}
        self.model = Model(graph, NOW, codes, versions)

    def ordinal(self, name: str, key: Key) -> int:
        return 0 if key is None else self.world.spaces[name].ordinal(key)

    def add(self, name: str, keys: list[str]) -> None:
        self.world.add(name, *keys)
        known = self.model.dynamic.setdefault(name, [])
        known += [key for key in keys if key not in known]

    def remove(self, name: str, keys: list[str]) -> None:
        self.world.remove(name, *keys)
        self.model.dynamic[name] = [key for key in self.model.dynamic[name] if key not in keys]

    def observe(self, name: str, key: Key, content: str | None) -> None:
        self.world.observe(name, {key: content})
        self.model.observed_at[name] = self.model.at or NOW
        if self.model.observed.setdefault(name, {}).get(key, "gone") != content:
            self.model.log.append((name, key, content, self.model.at or NOW))
        self.model.observed[name][key] = content

    def withdraw(self, name: str, key: Key) -> None:
        if self.model.observed.get(name, {}).pop(key, "absent") != "absent":
            self.world.withdraw_ordinal(name, self.ordinal(name, key))
            self.model.log.append((name, key, "gone", self.model.at or NOW))

    def edit(self, name: str, code: str) -> None:
        self.world.edit(name, f"shop.{name}", code)
        self.model.codes[name] = code

    def publish(self, name: str, key: Key, content: str | None) -> None:
        self.world.publish(name, self.ordinal(name, key), data=content, empty=content is None)
        self.model.publish(name, key, content)

    def fail(self, name: str, key: Key, *, candidate: bool) -> None:
        output = self.world.graph.nodes[name].outputs[0]
        checked = any(each in self.model.checks for each in self.world.graph.nodes[name].outputs)
        self.world.fail(output, *([] if key is None else [key]), candidate=candidate and checked)
        self.model.fail(name, key, candidate=candidate and checked)

    def mend(self, asset: str) -> None:
        self.world.check_versions[asset, "ok"] += 1
        self.model.checks[asset] += 1

    def refuse(self, asset: str, key: Key) -> None:
        """The check fails on the current version."""
        name = self.world.graph.owner[AssetKey(asset)]
        record = self.model.current.get(name, {}).get(key)
        if record is None or record.content[asset] is None:
            return
        self.model.results[asset, self.model.checks[asset], record.version[asset]] = False
        version = self.world.pointers[asset][self.ordinal(name, key)].version
        self.world.passed(asset, version, failed=["ok"])

    def run(self, made: Plan, content: str | None) -> None:
        """Carry a plan out in both, the partitions of an asset in their order."""
        for name in dict.fromkeys(step.computation for step in made.steps):
            space = self.world.spaces[name]
            steps = [step for step in made.steps if step.computation == name]
            certainty = {space.key(ordinal): step.certainty for step in steps for ordinal in step.partitions.ordinals}
            for key in self.model.existing(name):
                if key in certainty:
                    self._carry_out(name, certainty[key], self.ordinal(name, key), key, made, content)

    def _carry_out(self, name: str, certainty: str, ordinal: int, key: Key, made: Plan, content: str | None) -> None:
        node = self.world.graph.nodes[name]
        step = next(each for each in made.steps if (each.computation, each.certainty) == (name, certainty))
        offers = {"reuse": self.model.history, "check": self.model.candidates}.get(certainty)
        if certainty in ("will", "may"):
            self.publish(name, key, content)
            return
        assert offers is not None
        if any(ordinal in each.ordinals for each in step.reuse.values()):
            offered = self.model.fitting(offers, node, key)
            assert offered is not None
            self.world.carry_out(step, ordinal)
            self.model.republish(name, key, offered)
        else:
            self.world.carry_out(step, ordinal)
            self.model.settle_checks(name, key)


@st.composite
def histories(draw: st.DrawFn, policies: st.SearchStrategy[Any] = _NO_POLICY) -> Pair:
    """A graph to which some things happened, within the last days."""
    pair = Pair(*draw(graphs(policies)))
    asked = list(pair.model.checks)
    some_keys = st.lists(st.sampled_from(POOL), max_size=3, unique=True)
    for name in pair.sets:
        pair.add(name, draw(some_keys))
    for _ in range(draw(st.integers(0, 12))):
        pair.world.at = pair.model.at = NOW - timedelta(hours=draw(st.integers(0, 100)))
        events = ["run", "run"]
        events += ["observe", "observe", "withdraw"] if pair.sources else []
        events += ["edit", "publish", "publish", "fail", "revert"] if pair.computations else []
        events += ["mend", "refuse", "quarantine", "quarantine"] if asked else []
        events += ["add", "add", "remove"] if pair.sets else []
        event = draw(st.sampled_from(events))
        if event == "run":
            made = pair.world.plan(include_late=draw(st.sampled_from([False, False, True])))
            pair.run(made, draw(CONTENTS))
            if draw(st.booleans()):
                pair.world.leave_out(pair.world.plan())
        elif event in ("add", "remove"):
            change = pair.add if event == "add" else pair.remove
            change(draw(st.sampled_from(pair.sets)), draw(some_keys))
        elif event in ("observe", "withdraw"):
            name = draw(st.sampled_from(pair.sources))
            existing = pair.model.existing(name)
            keys = draw(st.lists(st.sampled_from(existing), min_size=1, max_size=4)) if existing else []
            for key in keys:
                pair.observe(name, key, draw(CONTENTS)) if event == "observe" else pair.withdraw(name, key)
        elif event == "mend":
            pair.mend(draw(st.sampled_from(asked)))
        elif event in ("refuse", "quarantine"):
            asset = draw(st.sampled_from(asked))
            name = pair.world.graph.owner[AssetKey(asset)]
            if not (existing := pair.model.existing(name)):
                continue
            key = draw(st.sampled_from(existing))
            if event == "refuse":
                pair.refuse(asset, key)
            else:
                pair.edit(name, draw(st.sampled_from("123")))
                pair.fail(name, key, candidate=True)
                pair.mend(asset)
        elif event == "revert":
            name = draw(st.sampled_from(pair.computations))
            before = pair.model.codes[name]
            pair.edit(name, "4")
            pair.run(pair.world.plan(), draw(CONTENTS))
            pair.edit(name, before)
        else:
            name = draw(st.sampled_from(pair.computations))
            existing = pair.model.existing(name)
            key = draw(st.sampled_from(existing)) if existing else None
            if event == "edit":
                pair.edit(name, draw(st.sampled_from("123")))
            elif not existing:
                continue
            elif event == "publish":
                pair.publish(name, key, draw(CONTENTS))
            else:
                pair.fail(name, key, candidate=draw(st.booleans()))
    return pair


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


@given(histories())
@settings(max_examples=80)
def test_states_and_the_full_plan_are_those_of_the_slow_model(pair: Pair) -> None:
    world, model = pair.world, pair.model
    everything = {name: set(model.existing(name)) for name in world.graph.nodes}
    for asset in world.graph.owner:
        assert world.states(asset) == model.states(asset), asset
        assert world.assess().tolerated(AssetKey(asset)) == model.ignoring(asset), asset
    compare(pair, world.plan(), everything)
    compare(pair, world.plan(include_late=True), everything, include_late=True)
    compare(pair, world.plan(retry_failed=False), everything, retry_failed=False)
    compare(pair, world.plan(force=True), everything, force=True)


@given(histories(), st.data())
@settings(max_examples=80)
def test_plans_of_a_part_are_those_of_the_slow_model(pair: Pair, data: st.DataObject) -> None:
    world, model = pair.world, pair.model
    names = list(world.graph.nodes)
    picked = data.draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
    selection = " or ".join(world.graph.nodes[name].outputs[0] for name in picked)
    compare(pair, world.plan(selection), {name: set(model.existing(name)) for name in picked})

    name = data.draw(st.sampled_from([each for each in names if model.existing(each)] or [""]))
    if not name:
        return
    keys = data.draw(st.lists(st.sampled_from(model.existing(name)), min_size=1, unique=True))
    ranges = () if None in keys else [(str(key), str(key)) for key in keys]
    asset = world.graph.nodes[name].outputs[0]
    compare(pair, world.plan(asset, partitions=ranges), {name: set(keys)})
    compare(pair, world.plan(f"+{asset}", partitions=ranges, force=True), model.above(name, set(keys)), force=True)
    below = model.below(name, set(keys))
    compare(pair, world.plan(f"{asset}+", partitions=ranges, retry_failed=False), below, retry_failed=False)


@given(histories(), st.sampled_from(["one", "two"]))
@settings(max_examples=60)
def test_nothing_is_left_after_a_plan_was_carried_out(pair: Pair, content: str) -> None:
    pair.run(pair.world.plan(), content)
    again = pair.world.plan()
    assert again.steps == ()
    assert again.plan_id == pair.world.plan().plan_id
