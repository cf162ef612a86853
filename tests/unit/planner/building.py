"""A small world for planner tests: a graph, and a store that is nothing but dictionaries.

Publishing records what the present code and the present upstream versions are, as a run would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import numpy as np

from assetflow.definitions.collect import Definitions
from assetflow.definitions.decorators import asset, asset_check, multi_asset, observable_source
from assetflow.definitions.inputs import Input, Out
from assetflow.graph import AssetGraph, Node, build_graph
from assetflow.keys import AssetKey, CodeVersion
from assetflow.partitions.definitions import static_keys
from assetflow.partitions.dictionary import KeyDictionary
from assetflow.partitions.spaces import PartitionSpace
from assetflow.planner.causes import PRECEDENCE
from assetflow.planner.decide import derivations_of, edge_signatures, tries_of, view_of
from assetflow.planner.explain import Explanation, explain
from assetflow.planner.moments import micros
from assetflow.planner.plan import Plan, Step
from assetflow.planner.planning import plan
from assetflow.planner.spaces import spaces_of
from assetflow.planner.staleness import Assessment, assess
from assetflow.planner.state import (
    AssetState,
    CheckResults,
    CodeRecord,
    Codes,
    Failures,
    InputColumn,
    Moves,
    Retained,
    State,
    empty_asset_state,
)

Pair = tuple[int, int]
EMPTY: Pair = (0, 0)


def computed(name: str, *deps: str | Input, **keywords: Any) -> Callable[..., Any]:
    """An asset that depends on others without loading them."""

    def build() -> int:
        return 1

    return asset(name=name, deps=list(deps), **keywords)(build)


def several(name: str, outs: Sequence[str], *deps: str | Input, **keywords: Any) -> Callable[..., Any]:
    """A computation with several outputs."""

    def build() -> tuple[int, ...]:
        return (1,) * len(outs)

    return multi_asset(name=name, outs={out: Out() for out in outs}, deps=list(deps), **keywords)(build)


def source(name: str, **keywords: Any) -> Callable[..., Any]:
    """An observable source."""

    def observe() -> str:
        return ""

    return observable_source(name=name, **keywords)(observe)


def check(name: str, of: str, *, blocking: bool = True) -> Callable[..., Any]:
    """A check of an asset."""

    def look() -> bool:
        return True

    return asset_check(asset=of, name=name, blocking=blocking)(look)


def pair(text: str) -> Pair:
    """A data hash, as two lanes, for a text."""
    digest = blake2b(text.encode(), digest_size=16).digest()
    return int.from_bytes(digest[:8]), int.from_bytes(digest[8:])


@dataclass(frozen=True)
class Pointer:
    """What is published of one partition, and what it was made from."""

    version: int
    derivation: int
    generation: int
    data: Pair
    code: int
    empty: bool
    held: bool
    inputs: Mapping[str, Pair]
    as_of: int = -1
    """In which generation the inputs were read."""
    tolerated: bool = False


@dataclass(frozen=True)
class Offer:
    """A version with the key of its derivation and the code that it was made by."""

    ordinal: int
    key: Pair
    version: int
    derivation: int
    code: CodeVersion
    data: Pair


@dataclass
class World:
    """Definitions, code and everything recorded; ``now`` may be set."""

    assets: Sequence[Callable[..., Any]]
    checks: Sequence[Callable[..., Any]] = ()
    now: datetime = datetime(2024, 1, 11, 0, 30, tzinfo=UTC)
    components: dict[str, dict[str, str]] = field(default_factory=dict)
    check_versions: dict[tuple[str, str], int] = field(default_factory=dict)
    code_ids: dict[CodeVersion, int] = field(default_factory=dict)
    code_records: dict[int, CodeRecord] = field(default_factory=dict)
    pointers: dict[str, dict[int, Pointer]] = field(default_factory=dict)
    derived: dict[str, list[Offer]] = field(default_factory=dict)
    quarantined: dict[str, list[Offer]] = field(default_factory=dict)
    failures: dict[str, dict[int, tuple[Pair, str, str]]] = field(default_factory=dict)
    published: dict[str, list[tuple[int, int, Pair | None, datetime]]] = field(default_factory=dict)
    """Every move of a pointer: ordinal, generation, data (None: it went away) and when."""
    results: dict[tuple[str, str, int], list[tuple[int, bool]]] = field(default_factory=dict)
    generation: int = 0
    numbers: int = 0
    at: datetime | None = None
    """When things happen; None: at ``now``."""
    computed_at: dict[tuple[str, int], datetime] = field(default_factory=dict)
    """By asset and version: when it was last computed."""
    log: dict[str, list[tuple[int, int, Pointer | None]]] = field(default_factory=dict)
    """Every move: ordinal, generation and where to, None for a withdrawal."""
    read: dict[int, dict[str, tuple[AssetKey, dict[int, int]]]] = field(default_factory=dict)
    """By derivation."""
    observed_at: dict[str, datetime] = field(default_factory=dict)
    keys: KeyDictionary = field(default_factory=KeyDictionary)
    dynamic: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)
    order: dict[str, list[int]] = field(default_factory=dict)
    """The ordinals that dynamic partitions have or had, in the order of addition."""
    met: Sequence[str] = ()
    """Keys that the dictionary has from the beginning."""

    def __post_init__(self) -> None:
        self.declare(self.assets, self.checks)

    def declare(self, assets: Sequence[Callable[..., Any]], checks: Sequence[Callable[..., Any]]) -> None:
        """Take other declarations of the same assets; what is recorded stays."""
        self.graph: AssetGraph = build_graph(Definitions(assets=assets, checks=checks))
        keys = self.keys.extended(self.met)
        for node in self.graph.nodes.values():
            keys = keys.extended(static_keys(node.partitions))
        self.keys = keys
        self.spaces: Mapping[str, PartitionSpace] = spaces_of(self.graph, keys, self.dynamic)
        for name, node in self.graph.nodes.items():
            if node.kind == "asset":
                self.components.setdefault(name, {f"shop.{name}": "1"})
        for key, found in self.graph.checks.items():
            for each in found:
                self.check_versions.setdefault((key, each.name), 1)

    # What is there now

    def codes(self) -> Codes:
        """The code as it is now."""
        computations = {name: CodeRecord(self.code(name), dict(each)) for name, each in self.components.items()}
        checks = {
            (AssetKey(key), name): CodeVersion(f"check-{version}")
            for (key, name), version in self.check_versions.items()
        }
        return Codes(computations, checks)

    def code(self, name: str) -> CodeVersion:
        """The present code version of a computation."""
        return CodeVersion(f"c1:{name}:{sorted(self.components[name].items())}")

    def uids(self) -> dict[AssetKey, int]:
        """A uid for every asset."""
        return {key: number for number, key in enumerate(self.graph.owner, start=1)}

    def state(self) -> State:
        """Everything recorded, as the store would read it."""
        present = {name: self.code(name) for name in self.components}
        owner = self.graph.owner
        current = {key: {each.derivation for each in rows.values()} for key, rows in self.pointers.items()}
        return State(
            generation=self.generation,
            uids=self.uids(),
            keys=self.keys,
            dynamic=dict(self.dynamic),
            assets={AssetKey(key): _columns(rows) for key, rows in self.pointers.items()},
            codes=dict(self.code_records),
            failures={AssetKey(key): _failures(rows) for key, rows in self.failures.items() if rows},
            retained={
                AssetKey(key): _offers(
                    each
                    for each in offers
                    if each.code == present[owner[AssetKey(key)]] and each.derivation not in current.get(key, set())
                )
                for key, offers in self.derived.items()
            },
            candidates={
                AssetKey(key): _offers(each for each in offers if each.code == present[owner[AssetKey(key)]])
                for key, offers in self.quarantined.items()
            },
            checks=self._check_results(),
            verified=self._verified(),
            moves={AssetKey(key): _moves(rows) for key, rows in self.published.items()},
        )

    def _verified(self) -> dict[AssetKey, np.ndarray[Any, Any]]:
        found: dict[AssetKey, np.ndarray[Any, Any]] = {}
        for key, rows in self.pointers.items():
            times = [
                self.observed_at.get(key) or self.computed_at.get((key, rows[ordinal].version), self.now)
                for ordinal in sorted(rows)
            ]
            found[AssetKey(key)] = _integers(micros(time) for time in times)
        return found

    def _check_results(self) -> dict[tuple[AssetKey, str], CheckResults]:
        found: dict[tuple[AssetKey, str], CheckResults] = {}
        for (key, name), version in self.check_versions.items():
            now = self.results.get((key, name, version), [])
            earlier = [
                number
                for (other, check, form), seen in self.results.items()
                if (other, check) == (key, name) and form != version
                for number, _ in seen
            ]
            seen_now = {number for number, _ in now}
            found[AssetKey(key), name] = CheckResults(
                _integers(sorted(number for number, passed in now if passed)),
                _integers(sorted(number for number, passed in now if not passed)),
                _integers(sorted(set(earlier) - seen_now)),
            )
        return found

    # Asking

    def plan(self, selection: str = "*", **options: Any) -> Plan:
        """A plan of the world as it is."""
        return plan(self.graph, self.state(), self.codes(), self.now, selection=selection, **options)

    def assess(self, *, include_late: bool = False) -> Assessment:
        """An assessment of the world as it is."""
        return assess(self.graph, self.state(), self.codes(), self.now, include_late=include_late)

    def why(self, key: str, partition: str | None = None) -> Explanation:
        """Why a partition is in its state."""
        return explain(self.assess(), AssetKey(key), partition)

    def states(self, key: str) -> dict[str | None, str]:
        """The state of each existing partition, by its key."""
        assessment = self.assess()
        space = self.space(key)
        return {
            space.key(ordinal): assessment_state(assessment, key, position)
            for position, ordinal in enumerate(assessment.ordinals(AssetKey(key)).tolist())
        }

    def space(self, key: str) -> PartitionSpace:
        """The partition space of an asset."""
        return self.spaces[self.graph.owner[AssetKey(key)]]

    def ordinals(self, key: str, partitions: Iterable[str]) -> list[int]:
        """Ordinals of keys; of all existing partitions without any."""
        named = [self.space(key).ordinal(each) for each in partitions]
        return named or self.space(key).existing(self.now).array().tolist()

    def inputs(self, name: str, ordinals: Sequence[int]) -> dict[str, np.ndarray[Any, Any]]:
        """What each edge of a computation would read now."""
        node = self.graph.nodes[name]
        found: dict[str, np.ndarray[Any, Any]] = {}
        for edge in node.edges:
            up = self.space(edge.upstream)
            columns = _columns(self.pointers.get(edge.upstream, {}))
            view = view_of(columns, up.existing(self.now).array())
            uid = self.uids()[edge.upstream]
            signature = edge_signatures(edge, uid, self.spaces[name], _integers(ordinals), up, view)
            found[edge.parameter] = signature.sums
        return found

    # Events

    def observe(self, key: str, versions: Mapping[str | None, str | None]) -> None:
        """Observations of a source by partition key: a text, or None for known to be empty."""
        self.generation += 1
        self.observed_at[key] = self.at or self.now
        for partition, version in versions.items():
            ordinal = 0 if partition is None else self.space(key).ordinal(partition)
            data = EMPTY if version is None else pair(version)
            rows = self.pointers.setdefault(key, {})
            if ordinal in rows and rows[ordinal].data == data:
                continue
            number = self.number()
            self.move(key, ordinal, Pointer(number, number, self.generation, data, 0, version is None, False, {}))

    def withdraw(self, key: str, *partitions: str) -> None:
        """Partitions of a source that are no longer observed."""
        for ordinal in self.ordinals(key, partitions):
            self.withdraw_ordinal(key, ordinal)

    def withdraw_ordinal(self, key: str, ordinal: int) -> None:
        """One partition of a source that is no longer observed."""
        self.generation += 1
        self.log.setdefault(key, []).append((ordinal, self.generation, None))
        self.published.setdefault(key, []).append((ordinal, self.generation, None, self.at or self.now))
        del self.pointers[key][ordinal]

    def move(self, key: str, ordinal: int, pointer: Pointer) -> None:
        """Point a partition somewhere, and remember that and what was read for it."""
        self.pointers.setdefault(key, {})[ordinal] = pointer
        self.log.setdefault(key, []).append((ordinal, self.generation, pointer))
        moved = (ordinal, self.generation, pointer.data, self.at or self.now)
        self.published.setdefault(key, []).append(moved)
        name = self.graph.owner[AssetKey(key)]
        self.read[pointer.derivation] = self.reads(name, ordinal)

    def reads(self, name: str, ordinal: int) -> dict[str, tuple[AssetKey, dict[int, int]]]:
        """By parameter: the asset that an edge would read now, and its versions by ordinal."""
        found: dict[str, tuple[AssetKey, dict[int, int]]] = {}
        for edge in self.graph.nodes[name].edges:
            up = self.space(edge.upstream)
            rows = self.pointers.get(edge.upstream, {})
            view = view_of(_columns(rows), up.existing(self.now).array())
            uid = self.uids()[edge.upstream]
            signature = edge_signatures(edge, uid, self.spaces[name], _integers([ordinal]), up, view)
            read = view.ordinals[signature.read.positions(0)].tolist()
            found[edge.parameter] = (edge.upstream, {each: rows[each].version for each in read})
        return found

    def leave_out(self, made: Plan) -> None:
        """Record for what a plan leaves out because it is late that it is left out."""
        for entry in made.tolerated:
            node = self.graph.nodes[entry.computation]
            for ordinal in entry.partitions.ordinals:
                sums = self.inputs(node.name, [ordinal])
                inputs = {parameter: _pair(lanes[0]) for parameter, lanes in sums.items()}
                self.generation += 1
                for output in node.outputs:
                    kept = self.pointers[output][ordinal]
                    again = {"derivation": self.number(), "generation": self.generation}
                    self.move(output, ordinal, replace(kept, inputs=inputs, tolerated=True, **again))
                    # It keeps the generation that the inputs were read in.
                    self.read[again["derivation"]] = self.read[kept.derivation]

    def add(self, name: str, *keys: str) -> None:
        """Add keys to dynamic partitions."""
        self.keys = self.keys.extended(keys)
        order = self.order.setdefault(name, [])
        order += [ordinal for ordinal in map(self.keys.ordinal, keys) if ordinal not in order]
        there = {*self.dynamic.get(name, ()), *map(self.keys.ordinal, keys)}
        self._keep(name, [ordinal for ordinal in order if ordinal in there])

    def remove(self, name: str, *keys: str) -> None:
        """Take keys out of dynamic partitions; what is recorded of them stays."""
        gone = {*map(self.keys.ordinal, keys)}
        self._keep(name, [ordinal for ordinal in self.dynamic.get(name, _integers([])).tolist() if ordinal not in gone])

    def _keep(self, name: str, ordinals: list[int]) -> None:
        self.generation += 1
        self.dynamic = {**self.dynamic, name: _integers(ordinals)}
        self.spaces = spaces_of(self.graph, self.keys, self.dynamic)

    def number(self) -> int:
        """A new id."""
        self.numbers += 1
        return self.numbers

    def edit(self, name: str, component: str, value: str | None) -> None:
        """Change one component of a computation's code; None removes it."""
        if value is None:
            del self.components[name][component]
        else:
            self.components[name][component] = value

    def build(
        self, key: str, *partitions: str, data: str | None = None, empty: bool = False, held: bool = False
    ) -> None:
        """Compute and publish partitions of an asset's computation, all existing ones without keys."""
        name = self.graph.owner[AssetKey(key)]
        for ordinal in self.ordinals(key, partitions):
            self.publish(name, ordinal, data=data, empty=empty, held=held)

    def publish(
        self, name: str, ordinal: int, *, data: str | None = None, empty: bool = False, held: bool = False
    ) -> None:
        """Publish one partition of every output. By default the data follow from code and inputs."""
        node = self.graph.nodes[name]
        self.generation += 1
        sums = self.inputs(name, [ordinal])
        key = derivations_of(self.code(name), 1, sums)[0]
        inputs = {parameter: _pair(lanes[0]) for parameter, lanes in sums.items()}
        for output in node.outputs:
            content = EMPTY if empty else pair(data or f"{output}{ordinal}{self.code(name)}{sorted(inputs.items())}")
            self._point(node, output, ordinal, content, _pair(key), inputs, empty, held)

    def _point(
        self,
        node: Node,
        output: AssetKey,
        ordinal: int,
        content: Pair,
        key: Pair,
        inputs: Mapping[str, Pair],
        empty: bool,
        held: bool,
    ) -> None:
        earlier = self.pointers.setdefault(output, {}).get(ordinal)
        same = earlier is not None and earlier.data == content
        version = earlier.version if earlier and same else self.number()
        derivation = self.number()
        at = self.at or self.now
        self.computed_at[output, version] = max(at, self.computed_at.get((output, version), at))
        code, as_of = self._code_id(node.name), self.generation - 1
        pointer = Pointer(version, derivation, self.generation, content, code, empty, held, inputs, as_of)
        self.move(output, ordinal, pointer)
        self.failures.get(output, {}).pop(ordinal, None)
        offer = Offer(ordinal, key, version, derivation, self.code(node.name), content)
        self.derived.setdefault(output, []).append(offer)
        if not empty:
            self.passed(output, version)

    def _code_id(self, name: str) -> int:
        version = self.code(name)
        number = self.code_ids.setdefault(version, len(self.code_ids) + 1)
        self.code_records[number] = CodeRecord(version, dict(self.components[name]))
        return number

    def passed(self, key: str, version: int, *, failed: Sequence[str] = ()) -> None:
        """Record results of all present checks of an asset on a version."""
        for each in self.graph.checks.get(AssetKey(key), ()):
            seen = self.results.setdefault((key, each.name, self.check_versions[key, each.name]), [])
            seen[:] = [(number, passed) for number, passed in seen if number != version]
            seen.append((version, each.name not in failed))

    def fail(self, key: str, *partitions: str, error: str = "boom", candidate: bool = False) -> None:
        """A try under the present key that failed, for every output; ``candidate`` when a check refused its version."""
        name = self.graph.owner[AssetKey(key)]
        node = self.graph.nodes[name]
        for ordinal in self.ordinals(key, partitions):
            sums = self.inputs(name, [ordinal])
            derivation = derivations_of(self.code(name), 1, sums)
            attempt = _pair(tries_of(derivation, self.graph, node, self.codes().checks)[0])
            for output in node.outputs:
                self.failures.setdefault(output, {})[ordinal] = (attempt, "r1", error)
                if candidate:
                    version = self.number()
                    self.computed_at[output, version] = self.at or self.now
                    offer = Offer(ordinal, _pair(derivation[0]), version, 0, self.code(name), pair(str(version)))
                    self.quarantined.setdefault(output, []).append(offer)
                    self.passed(output, version, failed=[each.name for each in self.graph.checks.get(output, ())])

    def run(self, made: Plan) -> list[str]:
        """Carry a plan out; everything succeeds. Returns what was done, as ``computation certainty count``."""
        for step in made.steps:
            for ordinal in step.partitions.ordinals:
                self.carry_out(step, ordinal)
        return [f"{step.computation} {step.certainty} {len(step.partitions.ordinals)}" for step in made.steps]

    def carry_out(self, step: Step, ordinal: int) -> None:
        """Carry out what a step does for one partition."""
        node = self.graph.nodes[step.computation]
        offered = [ordinal in each.ordinals for each in step.reuse.values()]
        if step.certainty in ("will", "may"):
            self.publish(step.computation, ordinal)
        elif any(offered):
            self.generation += 1
            for output in node.outputs:
                self._publish_again(node, output, ordinal, step)
        else:
            for output in node.outputs:
                self.passed(output, self.pointers[output][ordinal].version)

    def _publish_again(self, node: Node, output: AssetKey, ordinal: int, step: Step) -> None:
        again = step.reuse[output]
        version = int(again.version[np.flatnonzero(again.ordinals == ordinal)[0]])
        known = [*self.derived.get(output, []), *self.quarantined.get(output, [])]
        offer = next(each for each in known if each.version == version and each.ordinal == ordinal)
        inputs = {parameter: _pair(sums[0]) for parameter, sums in self.inputs(node.name, [ordinal]).items()}
        code, empty = self._code_id(node.name), offer.data == EMPTY
        as_of = self.generation - 1
        pointer = Pointer(version, self.number(), self.generation, offer.data, code, empty, False, inputs, as_of)
        self.move(output, ordinal, pointer)
        self.failures.get(output, {}).pop(ordinal, None)
        self.passed(output, version)


def assessment_state(assessment: Assessment, key: str, position: int) -> str:
    """The name of one partition's state."""
    return PRECEDENCE[int(assessment.states(AssetKey(key))[position])]


def lines(made: Plan) -> list[str]:
    """A plan as text: ``computation certainty: partitions; causes``."""
    described: list[str] = []
    for step in made.steps:
        ranges = step.partitions.ranges
        shown = (
            "all"
            if ranges is None
            else ",".join(first if first == last else f"{first}...{last}" for first, last in ranges)
        )
        kinds = " ".join(cause.kind for cause in (*step.causes, *step.inherited))
        described.append(f"{step.computation} {step.certainty} {shown}: {kinds}")
    return described


def _integers(values: Iterable[int]) -> np.ndarray[Any, Any]:
    return np.array(list(values), np.int64)


def _lanes(values: Iterable[Pair]) -> np.ndarray[Any, Any]:
    return np.array(list(values), np.uint64).reshape(-1, 2)


def _pair(lanes: np.ndarray[Any, Any]) -> Pair:
    return int(lanes[0]), int(lanes[1])


def _columns(rows: Mapping[int, Pointer]) -> AssetState:
    if not rows:
        return empty_asset_state()
    ordered = [rows[ordinal] for ordinal in sorted(rows)]
    parameters = sorted({parameter for each in ordered for parameter in each.inputs})
    return AssetState(
        ordinals=_integers(sorted(rows)),
        version=_integers(each.version for each in ordered),
        derivation=_integers(each.derivation for each in ordered),
        generation=_integers(each.generation for each in ordered),
        hashes=_lanes(each.data for each in ordered),
        code=_integers(each.code for each in ordered),
        empty=np.array([each.empty for each in ordered]),
        held=np.array([each.held for each in ordered]),
        tolerated=np.array([each.tolerated for each in ordered]),
        inputs={
            parameter: InputColumn(
                _lanes(each.inputs.get(parameter, EMPTY) for each in ordered),
                np.array([parameter in each.inputs for each in ordered]),
                _integers(each.as_of if parameter in each.inputs else -1 for each in ordered),
            )
            for parameter in parameters
        },
    )


def _moves(rows: Iterable[tuple[int, int, Pair | None, datetime]]) -> Moves:
    ordered = sorted(rows, key=lambda each: each[:2])
    return Moves(
        _integers(ordinal for ordinal, _, _, _ in ordered),
        _integers(generation for _, generation, _, _ in ordered),
        _lanes(data or EMPTY for _, _, data, _ in ordered),
        np.array([data is not None for _, _, data, _ in ordered], np.bool_),
        _integers(micros(at) for _, _, _, at in ordered),
    )


def _failures(rows: Mapping[int, tuple[Pair, str, str]]) -> Failures:
    ordered = [rows[ordinal] for ordinal in sorted(rows)]
    return Failures(
        _integers(sorted(rows)),
        _lanes(key for key, _, _ in ordered),
        tuple(run for _, run, _ in ordered),
        tuple(error for _, _, error in ordered),
    )


def _offers(offers: Iterable[Offer]) -> Retained:
    ordered = sorted(offers, key=lambda each: (each.ordinal, each.derivation, each.version))
    return Retained(
        _integers(each.ordinal for each in ordered),
        _lanes(each.key for each in ordered),
        _integers(each.version for each in ordered),
        _integers(each.derivation for each in ordered),
    )
