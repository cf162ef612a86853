"""A timeline carried out twice: in a small world under the real planner, and in the slow model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from assetflow.definitions.inputs import Input
from assetflow.graph import Node
from assetflow.keys import AssetKey
from assetflow.partitions.definitions import dynamic_names
from assetflow.partitions.keyed import KeyedMapping
from assetflow.planner.plan import Plan
from tests.property.oracle import POOL, Key, Model
from tests.property.timelines import Declared, Operation, Read, Timeline, declared_from, value_of
from tests.unit.planner.building import World, check, computed, several, source

NOW = datetime(2024, 2, 2, 0, 30, tzinfo=UTC)
"""When a timeline ends."""


def input_of(read: Read) -> Input:
    """How an asset declares what it reads."""
    return Input(read.upstream, value_of(read.mapping), missing=read.missing, late_tolerance=read.late_tolerance)


def functions_of(assets: tuple[Declared, ...]) -> tuple[list[Callable[..., Any]], list[Callable[..., Any]]]:
    """The declared assets and checks, as decorated functions that nobody calls."""
    functions: list[Callable[..., Any]] = []
    checks: list[Callable[..., Any]] = []
    for each in assets:
        keywords = {"partitions": value_of(each.partitions)}
        deps = [input_of(read) for read in each.reads]
        if each.kind == "source":
            functions.append(source(each.name, **keywords))
        elif each.kind == "one":
            functions.append(computed(each.name, *deps, freshness_policy=value_of(each.policy), **keywords))
        else:
            policy = value_of(each.policy)
            functions.append(several(each.name, each.outputs, *deps, freshness_policy=policy, **keywords))
        if each.checked:
            checks.append(check("ok", each.outputs[-1]))
    return functions, checks


def options_of(node: Node) -> str:
    """What is declared of a computation's inputs and counts as its code; what a user's mapping gives does not."""
    said = [
        (edge.parameter, type(edge.mapping).__name__ if isinstance(edge.mapping, KeyedMapping) else edge.mapping)
        for edge in node.edges
    ]
    return f"{sorted(map(str, said))} {[edge.missing for edge in node.edges]}"


class Pair:
    """The world and the model, told the same."""

    def __init__(self, assets: tuple[Declared, ...], now: datetime = NOW) -> None:
        self.assets = assets
        self.world = World(*functions_of(assets), now=now, met=POOL)
        self.codes = {name: "1" for name, node in self.world.graph.nodes.items() if node.kind == "asset"}
        versions = {key: 1 for key, found in self.world.graph.checks.items() if found}
        self.model = Model(self.world.graph, now, {}, versions)
        self._declared()

    @classmethod
    def after(cls, timeline: Timeline) -> Pair:
        """What a timeline leads to; it ends at ``NOW``."""
        waits = sum(operation[1] for operation in timeline.operations if operation[0] == "wait")
        pair = cls(timeline.assets, NOW - timedelta(hours=waits))
        pair.apply_all(timeline.operations)
        return pair

    @property
    def computations(self) -> list[str]:
        return list(self.codes)

    @property
    def sources(self) -> list[str]:
        return [name for name, node in self.world.graph.nodes.items() if node.kind == "source"]

    @property
    def sets(self) -> list[str]:
        """The names of dynamic partitions."""
        return sorted({name for node in self.world.graph.nodes.values() for name in dynamic_names(node.partitions)})

    def apply_all(self, operations: Iterable[Operation]) -> None:
        """Let some things happen."""
        for operation in operations:
            self.apply(operation)

    def apply(self, operation: Operation) -> None:
        """Let one thing happen."""
        match operation:
            case ["wait", hours]:
                self.world.now += timedelta(hours=hours)
                self.model.now = self.world.now
            case ["ago", hours]:
                self.world.at = self.model.at = self.world.now - timedelta(hours=hours)
            case ["declare", declared]:
                self.declare(declared)
            case ["add_keys", name, keys]:
                self.world.add(name, *keys)
                self.model.add_keys(name, keys)
            case ["remove_keys", name, keys]:
                self.world.remove(name, *keys)
                self.model.remove_keys(name, keys)
            case ["run", content]:
                self.run(self.world.plan(), content)
            case ["run", content, include_late]:
                self.run(self.world.plan(include_late=include_late), content)
            case ["leave_out"]:
                self.world.leave_out(self.world.plan())
            case ["observe", name, key, content]:
                self.observe(name, key, content)
            case ["withdraw", name, key]:
                self.withdraw(name, key)
            case ["edit", name, code]:
                self.edit(name, code)
            case ["publish", name, key, content]:
                self.publish(name, key, content)
            case ["fail", name, key, candidate]:
                self.fail(name, key, candidate=candidate)
            case ["mend", asset]:
                self.mend(asset)
            case ["refuse", asset, key]:
                self.refuse(asset, key)
            case _:
                raise AssertionError(operation)

    def declare(self, declared: Declared | dict[str, Any]) -> None:
        """One asset is declared in another way."""
        changed = declared if isinstance(declared, Declared) else declared_from(declared)
        self.assets = tuple(changed if each.name == changed.name else each for each in self.assets)
        self.world.declare(*functions_of(self.assets))
        self._declared()

    def _declared(self) -> None:
        self.model.graph = self.world.graph
        for name in self.codes:
            options = options_of(self.world.graph.nodes[name])
            self.world.edit(name, "option:inputs", options)
            self.model.codes[name] = f"{self.codes[name]} {options}"

    def ordinal(self, name: str, key: Key) -> int:
        return 0 if key is None else self.world.spaces[name].ordinal(key)

    def observe(self, name: str, key: Key, content: str | None) -> None:
        self.world.observe(name, {key: content})
        self.model.observed_at[name] = self.model.at or self.model.now
        if self.model.observed.setdefault(name, {}).get(key, "gone") != content:
            self.model.log.append((name, key, content, self.model.at or self.model.now))
        self.model.observed[name][key] = content

    def withdraw(self, name: str, key: Key) -> None:
        if self.model.observed.get(name, {}).pop(key, "absent") != "absent":
            self.world.withdraw_ordinal(name, self.ordinal(name, key))
            self.model.log.append((name, key, "gone", self.model.at or self.model.now))

    def edit(self, name: str, code: str) -> None:
        self.world.edit(name, f"shop.{name}", code)
        self.codes[name] = code
        self.model.codes[name] = f"{code} {options_of(self.world.graph.nodes[name])}"

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
        for name, certainty, key in self.in_order(made):
            self.carry_out(name, certainty, self.ordinal(name, key), key, made, content)

    def in_order(self, made: Plan) -> Iterator[tuple[str, str, Key]]:
        """The computation, certainty and partition of each row of a plan."""
        for name in dict.fromkeys(step.computation for step in made.steps):
            space = self.world.spaces[name]
            steps = [step for step in made.steps if step.computation == name]
            certainty = {space.key(ordinal): step.certainty for step in steps for ordinal in step.partitions.ordinals}
            yield from ((name, certainty[key], key) for key in self.model.existing(name) if key in certainty)

    def carry_out(self, name: str, certainty: str, ordinal: int, key: Key, made: Plan, content: str | None) -> None:
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
