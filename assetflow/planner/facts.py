"""What is true of each partition by itself, before anything is known of steps upstream.

Everything here depends on the recorded state and the present code only, so that one set of facts serves plans of any
selection. Rows are the existing partitions of a computation, ascending by ordinal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from assetflow.graph import AssetGraph, Edge, Node
from assetflow.keys import AssetKey
from assetflow.partitions.dimension_mapping import DimensionMapping
from assetflow.partitions.keyed import KeyedMapping
from assetflow.partitions.mappings import EdgeMapping
from assetflow.partitions.spaces import PartitionSpace
from assetflow.partitions.spans import Spans
from assetflow.planner.decide import EdgeSignature, UpstreamView, edge_signatures, inputs_differ
from assetflow.planner.offers import CheckFacts, Offers, check_facts, failed_tries, offers_of
from assetflow.planner.signatures import mix, mix_all
from assetflow.planner.spaces import spaces_of
from assetflow.planner.spans import Flags, Integers, Lanes, members, rows_at, straightened
from assetflow.planner.state import AssetState, Codes, InputColumn, State, empty_asset_state

Bits = NDArray[np.uint16]

MISSING = 1
CODE = 2
SCHEMA = 4
INPUT = 8
FAILED = 16
CHECK_FAILED = 32
CHECK_DUE = 64
STALE_ROOTS = MISSING | CODE | SCHEMA | INPUT
"""The bits that make a partition due by itself."""

_SMALL = 256
"""Edges with at most so many upstream partitions are mixed together."""


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """All that an assessment starts from, with the existing partitions of every computation."""

    graph: AssetGraph
    state: State
    codes: Codes
    now: datetime
    spaces: Mapping[str, PartitionSpace]
    existing: Mapping[str, Integers]


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """The pointers of one asset; ``rows`` says at which row each is (None: one for every row)."""

    key: AssetKey
    pointers: AssetState
    rows: Integers | None
    versioned: Flags
    complete: bool
    failed: Flags | None = None
    """Rows whose last try failed under the present key."""
    checks: tuple[CheckFacts, ...] = ()

    @property
    def places(self) -> Integers | slice:
        """An index that scatters pointers to rows."""
        return slice(None) if self.rows is None else self.rows


@dataclass(frozen=True, slots=True, eq=False)
class EdgeFacts:
    """One edge: what each row would read now, and whether that is not what was recorded."""

    edge: Edge
    upstream: str
    """The upstream computation."""
    signature: EdgeSignature
    changed: Flags
    premature: Flags | None
    """Rows that have to wait because the mapping asks for windows that have not ended or cannot exist; None: no row."""

    @property
    def spans(self) -> Spans:
        """The upstream rows that each row spans."""
        return self.signature.existing


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """The facts of one computation; ``bits`` by row, ``seen`` all bits that any row has."""

    node: Node
    space: PartitionSpace
    ordinals: Integers
    outputs: tuple[Output, ...]
    edges: tuple[EdgeFacts, ...]
    bits: Bits
    seen: int
    offers: Offers | None

    def output(self, key: AssetKey) -> Output:
        """The pointers of one output."""
        return next(output for output in self.outputs if output.key == key)


def world_of(graph: AssetGraph, state: State, codes: Codes, now: datetime) -> World:
    """Bind every definition and find out which partitions exist; ``now`` is an aware datetime."""
    spaces = spaces_of(graph, state.keys, state.dynamic)
    arrays: dict[int, Integers] = {}
    existing: dict[str, Integers] = {}
    for name, space in spaces.items():
        array = arrays.get(id(space))
        if array is None:
            array = arrays[id(space)] = space.existing(now).array()
        existing[name] = array
    return World(graph, state, codes, now, spaces, existing)


def facts_of(world: World, names: Iterable[str]) -> dict[str, Facts]:
    """The facts of these computations, which must include all upstreams of each, in the order of the graph."""
    wanted = set(names)
    nodes = [node for name, node in world.graph.nodes.items() if name in wanted]
    outputs = {key: _output(world, node, key) for node in nodes for key in node.outputs}
    edges = _Edges(world, outputs, nodes)
    code_ids = {str(record.version): number for number, record in world.state.codes.items()}
    return {node.name: _facts(world, node, outputs, edges, code_ids) for node in nodes}


def _output(world: World, node: Node, key: AssetKey) -> Output:
    existing = world.existing[node.name]
    pointers = world.state.assets.get(key) or empty_asset_state()
    if np.array_equal(pointers.ordinals, existing):
        return Output(key, pointers, None, np.ones(len(existing), np.bool_), complete=True)
    inside = members(pointers.ordinals, existing)
    if not inside.all():
        pointers = _restricted(pointers, inside)
    rows = rows_at(existing, pointers.ordinals)
    versioned = np.zeros(len(existing), np.bool_)
    versioned[slice(None) if rows is None else rows] = True
    return Output(key, pointers, rows, versioned, complete=rows is None)


def _restricted(state: AssetState, kept: Flags) -> AssetState:
    columns = {field.name: getattr(state, field.name)[kept] for field in fields(state) if field.name != "inputs"}
    inputs = {name: InputColumn(column.sums[kept], column.present[kept]) for name, column in state.inputs.items()}
    return replace(state, **columns, inputs=inputs)


class _Edges:
    """Spans, summands and signatures of edges; what several edges share is computed once."""

    def __init__(self, world: World, outputs: Mapping[AssetKey, Output], nodes: list[Node]) -> None:
        self._world = world
        self._views = {
            key: UpstreamView(world.existing[world.graph.owner[key]], output.pointers.ordinals, output.pointers.hashes)
            for key, output in outputs.items()
        }
        self._spans: dict[tuple[object, int, int], Spans] = {}
        self._premature: dict[tuple[object, int, int], Flags | None] = {}
        self._summands = self._mixed({(edge.upstream, edge.parameter) for node in nodes for edge in node.edges})

    def _mixed(self, wanted: set[tuple[AssetKey, str]]) -> dict[tuple[AssetKey, str], Lanes]:
        uids = self._world.state.uids
        small = [pair for pair in wanted if len(self._views[pair[0]].ordinals) <= _SMALL]
        views = [self._views[key] for key, _ in small]
        edges = [(uids.get(key, 0), parameter) for key, parameter in small]
        mixed = mix_all(edges, [view.ordinals for view in views], [view.hashes for view in views])
        summands = dict(zip(small, mixed, strict=True))
        for key, parameter in wanted - summands.keys():
            view = self._views[key]
            summands[key, parameter] = mix(uids.get(key, 0), parameter, view.ordinals, view.hashes)
        return summands

    def signature(self, node: Node, edge: Edge) -> tuple[str, EdgeSignature, Flags | None]:
        """The upstream computation of an edge, the edge's signature, and which rows ask too early."""
        world = self._world
        upstream = world.graph.owner[edge.upstream]
        down, up = world.spaces[node.name], world.spaces[upstream]
        ordinals = world.existing[node.name]
        key = (_alike(edge.mapping), id(down), id(up))
        spans = self._spans.get(key)
        if spans is None:
            existing = world.existing[upstream]
            spans = edge.mapping.spans(down, ordinals, up, existing)
            spans = self._spans[key] = straightened(spans, len(existing))
            premature = ~edge.mapping.expected(down, ordinals, up, world.now)
            self._premature[key] = premature if premature.any() else None

        signature = edge_signatures(
            edge,
            world.state.uids.get(edge.upstream, 0),
            down,
            ordinals,
            up,
            self._views[edge.upstream],
            spans=spans,
            summands=self._summands[edge.upstream, edge.parameter],
        )
        return upstream, signature, self._premature[key] if edge.missing == "wait" else None


def _alike(mapping: EdgeMapping) -> object:
    """What mappings that read the same have in common; those by key may be large, or compare as their user likes."""
    if isinstance(mapping, DimensionMapping):
        return tuple((down, up, each and _alike(each)) for down, up, each in mapping.pairs)
    return id(mapping) if isinstance(mapping, KeyedMapping) else mapping


def _facts(
    world: World, node: Node, all_outputs: Mapping[AssetKey, Output], shared: _Edges, code_ids: Mapping[str, int]
) -> Facts:
    space, ordinals = world.spaces[node.name], world.existing[node.name]
    outputs = tuple(all_outputs[key] for key in node.outputs)
    bits = np.zeros(len(ordinals), np.uint16)
    for output in outputs:
        if not output.complete:
            bits[~output.versioned] |= MISSING
    if node.kind == "source":
        return Facts(node, space, ordinals, outputs, (), bits, _union(bits), None)

    recoded = {output.key: _mark_code(world, node, output, bits, code_ids) for output in outputs}
    edges: list[EdgeFacts] = []
    for edge in node.edges:
        upstream, signature, premature = shared.signature(node, edge)
        changed = np.zeros(len(ordinals), np.bool_)
        for output in outputs:
            _mark_changed(edge, signature.sums, output, recoded[output.key], changed)
        bits[changed] |= INPUT
        edges.append(EdgeFacts(edge, upstream, signature, changed, premature))

    sums = {each.edge.parameter: each.signature.sums for each in edges}
    outputs = tuple(_judged(world, node, output, ordinals, sums, bits) for output in outputs)
    offers = offers_of(world.graph, world.state, world.codes, node, ordinals, sums)
    return Facts(node, space, ordinals, outputs, tuple(edges), bits, _union(bits), offers)


def _union(bits: Bits) -> int:
    return int(np.bitwise_or.reduce(bits)) if len(bits) else 0


def _mark_code(world: World, node: Node, output: Output, bits: Bits, code_ids: Mapping[str, int]) -> Flags | None:
    """Mark rows built by other code; returns them by pointer, or None for none."""
    present = world.codes.computations[node.name]
    recorded = output.pointers.code
    changed = recorded != code_ids.get(present.version, -1)
    if not changed.any():
        return None
    marks = np.zeros(len(recorded), np.uint16)
    for number in np.unique(recorded[changed]).tolist():
        earlier = world.state.codes.get(number)
        names = {} if earlier is None else dict(earlier.components.items() ^ present.components.items())
        schema_only = bool(names) and all(name.startswith("schema:") for name in names)
        marks[recorded == number] = SCHEMA if schema_only else CODE
    bits[output.places] |= marks
    return changed


def _mark_changed(edge: Edge, sums: Lanes, output: Output, recoded: Flags | None, changed: Flags) -> None:
    """Mark rows whose recorded signature of an edge is not the present one; other code may not have had the edge."""
    column = output.pointers.inputs.get(edge.parameter)
    differs = inputs_differ(column, sums[output.places])
    if recoded is not None:
        differs &= ~recoded if column is None else column.present | ~recoded
    changed[output.places] |= differs


def _judged(
    world: World, node: Node, output: Output, ordinals: Integers, sums: Mapping[str, Lanes], bits: Bits
) -> Output:
    """The output with its failed tries and its checks, marked in ``bits`` too."""
    key = output.key
    failed = failed_tries(world.graph, world.state, world.codes, node, key, ordinals, sums)
    checks = check_facts(world.graph, world.state, key, output.pointers, output.places, len(ordinals))
    if failed is None and not checks:
        return output
    if failed is not None:
        bits[failed] |= FAILED
    for check in checks:
        bits[check.due] |= CHECK_DUE
        bits[check.failed] |= CHECK_FAILED
    return replace(output, failed=failed, checks=checks)
