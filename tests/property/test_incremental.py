"""The long-lived planner against plans from scratch, after everything that can happen."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from assetflow.definitions.freshness import FreshnessPolicy
from assetflow.definitions.inputs import Input
from assetflow.partitions.cron_partitions import CronPartitions
from assetflow.partitions.definitions import (
    DailyPartitions,
    DynamicPartitions,
    HourlyPartitions,
    StaticPartitions,
    WeeklyPartitions,
)
from assetflow.partitions.dimension_mapping import DimensionMapping
from assetflow.partitions.keyed import StaticMapping
from assetflow.partitions.mappings import AllPartitions, LastN, TimeWindow
from assetflow.partitions.multi_partitions import MultiPartitions
from assetflow.planner.incremental import LivePlanner
from assetflow.planner.state import State
from tests.property.oracle import POOL, Listed
from tests.property.pairs import functions_of
from tests.property.test_dimension_mappings import FIRST, edges
from tests.property.test_planner import CONTENTS, DEFINITIONS, NOW, graphs, mappings
from tests.unit.planner.building import World, check, computed, several, source
from tests.unit.planner.differences import changes_between

Drawn = tuple[list[Any], list[Any], datetime]
REGIONS = StaticPartitions(["north", "south"])
CUSTOMERS = DynamicPartitions("customers")
POLICIES = st.sampled_from([None, FreshnessPolicy(max_lag="1d")])


SOME = graphs(POLICIES).map(lambda drawn: (*functions_of(drawn), NOW - timedelta(days=3)))


@st.composite
def grouped(draw: st.DrawFn) -> Drawn:
    """Publish groups of two or three, whose members read what came before, each other included, by any mapping."""
    outputs: list[tuple[str, Any]] = []
    assets: list[Any] = []
    checks: list[Any] = []

    def reads(definition: object, group: str) -> list[Input]:
        chosen = draw(st.lists(st.sampled_from(outputs), max_size=2, unique=True))
        missing = st.sampled_from([None, "wait", "allow"])
        # Members of a group read each other partition by partition.
        ways = {name: st.none() if name.startswith(group) else mappings(definition, up) for name, up in chosen}
        return [Input(name, draw(way), missing=draw(missing)) for name, way in ways.items()]

    for number, kind in enumerate(
        ["source", *draw(st.lists(st.sampled_from(["source", "group", "one", "two"]), max_size=4))]
    ):
        definition = draw(st.sampled_from(DEFINITIONS))
        if kind == "source":
            assets.append(source(f"a{number}", partitions=definition))
            outputs.append((f"a{number}", definition))
            continue
        if kind == "two":
            pair = [f"a{number}_x", f"a{number}_y"]
            assets.append(several(f"a{number}", pair, *reads(definition, f"a{number}_"), partitions=definition))
            outputs += [(name, definition) for name in pair]
            continue
        members = draw(st.integers(2, 3)) if kind == "group" else 1
        for member in range(members):
            keywords = {"partitions": definition, "publish_group": f"g{number}" if members > 1 else None}
            name = f"a{number}_{member}"
            assets.append(
                computed(name, *reads(definition, f"a{number}_"), freshness_policy=draw(POLICIES), **keywords)
            )
            outputs.append((name, definition))
            if draw(st.booleans()):
                checks.append(check("ok", name))
    return assets, checks, NOW - timedelta(days=3)


@st.composite
def by_dimension(draw: st.DrawFn) -> Drawn:
    """A mapping by dimension between combinations, or a single dimension."""
    mapping, down, up = draw(edges())
    assets = [
        source("raw", partitions=up),
        computed("wide", "raw", partitions=up),
        computed("narrow", Input("wide", mapping, missing=draw(st.sampled_from(["wait", "allow"]))), partitions=down),
        computed("total", Input("narrow", AllPartitions())),
    ]
    return assets, [check("ok", "narrow")], FIRST + timedelta(days=draw(st.integers(0, 60)))


def customers() -> Drawn:
    """Keys that come and go, by themselves and as a dimension, in a publish group too; mappings that name some."""
    both = MultiPartitions({"day": DailyPartitions("2024-03-08"), "customer": CUSTOMERS})
    files = DynamicPartitions("files")
    assets = [
        source("raw", partitions=CUSTOMERS),
        computed("clean", "raw", partitions=CUSTOMERS, publish_group="both"),
        computed("counted", Input("raw", AllPartitions(), missing="allow"), partitions=CUSTOMERS, publish_group="both"),
        computed("daily", Input("clean", DimensionMapping({"customer": None})), partitions=both),
        computed("by_region", Input("clean", StaticMapping({"zoe": ["north"], "bert": ["south"]})), partitions=REGIONS),
        computed("mailed", Input("by_region", StaticMapping({"north": ["acme", "zoe"]})), partitions=files),
        computed("all", Input("daily", AllPartitions()), Input("counted", AllPartitions())),
    ]
    return assets, [check("ok", "counted")], datetime(2024, 3, 10, 1, tzinfo=UTC)


def clocks() -> Drawn:
    """Windows of hours and days across the changes of clocks, read by days, weeks and months elsewhere."""
    hours = HourlyPartitions("2024-03-09T20:00", timezone="America/New_York")
    days = DailyPartitions("2024-03-09", timezone="America/New_York", end_offset=1)
    assets = [
        source("raw", partitions=hours),
        computed("hourly", "raw", partitions=hours),
        computed("daily", "hourly", partitions=days),
        computed("elsewhere", "daily", partitions=DailyPartitions("2024-03-09", timezone="Australia/Lord_Howe")),
        computed("weekly", Input("elsewhere", missing="allow"), partitions=WeeklyPartitions("2024-02-26")),
        computed("recent", Input("hourly", LastN(3)), Input("daily", TimeWindow(-1, 0)), partitions=days),
        computed("latest", Input("hourly", LastN(2))),
        computed("total", "hourly", "weekly"),
    ]
    return assets, [check("ok", "hourly")], datetime(2024, 3, 10, 4, 30, tzinfo=UTC)


def groups() -> Drawn:
    """Publish groups, whose members read different things, and one the other."""
    quarters = CronPartitions("*/15 * * * *", "2024-03-10T00:00", end="2024-03-10T05:00")
    hours = HourlyPartitions("2024-03-10T00:00")
    assets = [
        source("sales", partitions=quarters),
        source("stock", partitions=hours),
        computed("orders", "sales", partitions=hours, publish_group="books"),
        computed("items", Input("stock", TimeWindow(-1, 0)), partitions=hours, publish_group="books"),
        computed("report", "orders", "items", partitions=hours),
        several("both", ["left", "right"], Input("items", AllPartitions())),
    ]
    return assets, [check("ok", "orders")], datetime(2024, 3, 10, 2, 10, tzinfo=UTC)


def dimensions() -> Drawn:
    """Combinations of days and regions, which come to exist between others."""
    days = DailyPartitions("2024-03-08")
    both = MultiPartitions({"region": REGIONS, "day": days})
    assets = [
        source("raw", partitions=both),
        computed("clean", "raw", partitions=both),
        computed("daily", Input("clean", Listed({"2024-03-08": ["north|2024-03-08"]}, frozenset())), partitions=days),
        computed("all", Input("clean", AllPartitions()), Input("daily", AllPartitions()), partitions=REGIONS),
    ]
    return assets, [], datetime(2024, 3, 10, 23, tzinfo=UTC)


class LivePlanning(RuleBasedStateMachine):
    """A world to which things happen, and a planner that is told of them."""

    @initialize(
        drawn=st.one_of(SOME, grouped(), by_dimension(), st.sampled_from([clocks, groups, dimensions, customers])),
        keys=st.lists(st.sampled_from(POOL), unique=True),
        published=st.booleans(),
    )
    def begin(self, drawn: Any, keys: list[str], published: bool) -> None:
        assets, checks, now = drawn() if callable(drawn) else drawn
        self.hourly = callable(drawn)
        self.world = World(assets, checks, now=now, met=POOL)
        self.sets = sorted(self.world.graph.dynamic_names())
        for name in self.sets if keys else ():
            self.world.add(name, *keys)
        if published:
            self._publish_everything()
        self.told = self.world.state()
        self.live = LivePlanner(self.world.graph, self.told, self.world.codes(), self.world.now)
        self.pending = False
        self.events = 0

    # What happens

    @rule(data=st.data(), content=CONTENTS)
    def publish(self, data: st.DataObject, content: str | None) -> None:
        name, ordinal = self._partition(data, "asset")
        if name:
            self.world.publish(name, ordinal, data=content, held=data.draw(st.booleans()))
        self.pending = True

    @rule(data=st.data())
    def publish_empty(self, data: st.DataObject) -> None:
        name, ordinal = self._partition(data, "asset")
        if name:
            self.world.publish(name, ordinal, empty=True)
        self.pending = True

    @rule(data=st.data())
    def withdraw_a_version(self, data: st.DataObject) -> None:
        name, ordinal = self._partition(data, "asset")
        if name:
            self.world.pointers.get(self.world.graph.nodes[name].outputs[0], {}).pop(ordinal, None)
        self.pending = True

    @rule(data=st.data(), candidate=st.booleans())
    def fail(self, data: st.DataObject, candidate: bool) -> None:
        name, ordinal = self._partition(data, "asset")
        if name:
            space, output = self.world.spaces[name], self.world.graph.nodes[name].outputs[0]
            key = space.key(ordinal)
            checked = any(self.world.graph.checks.get(each) for each in self.world.graph.nodes[name].outputs)
            self.world.fail(output, *([] if key is None else [key]), candidate=candidate and checked)
        self.pending = True

    @rule(data=st.data(), content=CONTENTS)
    def observe(self, data: st.DataObject, content: str | None) -> None:
        name, ordinal = self._partition(data, "source", coming=True)
        if name:
            self.world.observe(name, {self.world.spaces[name].key(ordinal): content})
        self.pending = True

    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        name, ordinal = self._partition(data, "source")
        if name:
            self.world.pointers.get(name, {}).pop(ordinal, None)
        self.pending = True

    @rule(data=st.data())
    def look(self, data: st.DataObject) -> None:
        """A check is run on a current version."""
        checked = [key for key, found in self.world.graph.checks.items() if found and self.world.pointers.get(key)]
        if checked:
            key = data.draw(st.sampled_from(checked))
            pointer = data.draw(st.sampled_from(list(self.world.pointers[key].values())))
            self.world.passed(key, pointer.version, failed=["ok"] if data.draw(st.booleans()) else [])
        self.pending = True

    @rule(content=CONTENTS)
    def run(self, content: str | None) -> None:
        made = self.world.plan()
        for step in made.steps:
            for ordinal in step.partitions.ordinals:
                if step.certainty in ("will", "may"):
                    self.world.publish(step.computation, ordinal, data=content)
                else:
                    self.world.carry_out(step, ordinal)
        self.pending = True

    @rule(data=st.data(), keys=st.lists(st.sampled_from(POOL), min_size=1, max_size=2, unique=True))
    def add_or_remove_keys(self, data: st.DataObject, keys: list[str]) -> None:
        if self.sets:
            name = data.draw(st.sampled_from(self.sets))
            if name in self.world.dynamic and data.draw(st.booleans()):
                self.world.remove(name, *keys)
            else:
                self.world.add(name, *keys)
            self.pending = True

    @rule(data=st.data(), value=st.sampled_from("123"), component=st.sampled_from(["shop.helper", "schema:x"]))
    def edit(self, data: st.DataObject, value: str, component: str) -> None:
        self.tell()
        name = data.draw(st.sampled_from(list(self.world.components)) if self.world.components else st.none())
        if name:
            self.world.edit(name, component, value)
            self._redefine()

    @rule(data=st.data())
    def mend(self, data: st.DataObject) -> None:
        self.tell()
        if self.world.check_versions:
            self.world.check_versions[data.draw(st.sampled_from(sorted(self.world.check_versions)))] += 1
            self._redefine()

    @rule(hours=st.sampled_from([1, 2, 3, 24, 31 * 24, -24]))
    def advance(self, hours: int) -> None:
        self.tell()
        most = 5 if self.hourly else hours
        self.world.now += timedelta(hours=min(hours, most))
        self.live.advance(self.world.now)

    # What the planner makes of it

    def tell(self) -> None:
        now = self.world.state()
        self.live.apply(changes_between(self.told, now))
        self.told = now
        self.pending = False

    @invariant()
    def equal(self) -> None:
        """Several changes may come at once: it is told before every other comparison."""
        if not hasattr(self, "told"):
            return
        self.events += 1
        if self.pending and self.events % 2:
            return
        self.tell()
        world, live = self.world, self.live
        assert live.plan().to_dict() == world.plan().to_dict()
        assert live.plan(retry_failed=False).to_dict() == world.plan(retry_failed=False).to_dict()
        assessment = world.assess()
        for key in world.graph.owner:
            assert live.counts(key) == assessment.counts(key), key
            assert np.array_equal(live.states(key), assessment.states(key)), key

    @rule(data=st.data())
    def questions(self, data: st.DataObject) -> None:
        self.tell()
        world, live = self.world, self.live
        key = data.draw(st.sampled_from(list(world.graph.owner)))
        for selection in (key, f"+{key}", f"{key}+", "status:stale"):
            assert live.plan(selection).to_dict() == world.plan(selection).to_dict()
        assert live.plan(due=True).to_dict() == world.plan(due=True).to_dict()
        assert live.plan(force=True).to_dict() == world.plan(force=True).to_dict()
        assert live.why(key).to_dict() == world.why(key).to_dict()
        for ordinal in world.space(key).existing(world.now).array().tolist():
            partition = world.space(key).key(ordinal)
            assert live.why(key, partition).to_dict() == world.why(key, partition).to_dict()
        same(live.state(), self.told)

    def _redefine(self) -> None:
        before, self.told = self.told, self.world.state()
        self.live.redefine(self.world.graph, self.world.codes(), changes_between(before, self.told))

    def _publish_everything(self) -> None:
        for name, node in self.world.graph.nodes.items():
            for ordinal in self.world.spaces[name].existing(self.world.now).array().tolist():
                if node.kind == "source":
                    self.world.observe(name, {self.world.spaces[name].key(ordinal): "one"})
                else:
                    self.world.publish(name, ordinal)

    def _partition(self, data: st.DataObject, kind: str, *, coming: bool = False) -> tuple[str | None, int]:
        names = [name for name, node in self.world.graph.nodes.items() if node.kind == kind]
        if not names:
            return None, 0
        name = data.draw(st.sampled_from(names))
        until = self.world.now + timedelta(days=3 if coming else 0)
        ordinals = self.world.spaces[name].existing(until).array().tolist()
        return (name, data.draw(st.sampled_from(ordinals))) if ordinals else (None, 0)


def same(found: State, expected: State) -> None:
    """Two states say the same, of times as far as the planner keeps them."""
    expected = replace(
        expected, verified={key: expected.verified[key] for key in found.verified if key in expected.verified}
    )
    assert changes_between(found, expected).touched == {}
    assert found.generation == expected.generation


LivePlanning.TestCase.settings = settings(
    max_examples=60, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)
TestLivePlanning = LivePlanning.TestCase
