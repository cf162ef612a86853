"""What is true of each partition by itself, before anything is known of steps upstream.

Everything here depends on the recorded state and the present code only, so that one set of facts serves plans of any
selection. Rows are the existing partitions of a computation, ascending by ordinal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from assetflow.graph import AssetGraph, Edge, Node
from assetflow.keys import AssetKey
from assetflow.partitions.dimension_mapping import DimensionMapping
from assetflow.partitions.keyed import KeyedMapping
from assetflow.partitions.mappings import EdgeMapping
from assetflow.partitions.spaces import PartitionSpace
from assetflow.partitions.spans import Spans
from assetflow.planner.decide import EdgeSignature, UpstreamView, edge_signatures, edge_spans, inputs_differ
from assetflow.planner.moments import micros
from assetflow.planner.offers import CheckFacts, Offers, check_facts, failed_tries, offers_of
from assetflow.planner.scans import OwnReads
from assetflow.planner.signatures import mix, mix_all
from assetflow.planner.spaces import spaces_of
from assetflow.planner.spans import Flags, Integers, Lanes, distinct, members, picked, rows_at
from assetflow.planner.state import AssetState, Codes, InputColumn, State, empty_asset_state
from assetflow.planner.tolerance import History, Recorded, Verdict, deadlines

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

_FLAG, _NO_FLAG = np.ones(1, np.bool_), np.zeros(1, np.bool_)
_FLAG.flags.writeable = _NO_FLAG.flags.writeable = False

_WHOLE = Spans(np.zeros(1, np.int64), np.ones(1, np.int64), straight=True)
"""What reads the one partition of an unpartitioned upstream, in an unpartitioned asset."""

_SMALL = 256
"""Edges with at most so many upstream partitions are mixed together."""


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """All that an assessment starts from, with the existing partitions of every computation."""

    graph: AssetGraph
    state: State
    codes: Codes
    now: datetime
    include_late: bool
    """Whether late data makes stale like any other."""
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
class Changed:
    """Pairs of a row and an upstream partition that is not what it read."""

    rows: Integers
    partitions: Integers

    def of(self, rows: Flags) -> Integers:
        """The upstream partitions of some rows; the same one may be there several times."""
        return self.partitions[rows[self.rows]]


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
    late: Flags | None = None
    """Rows that read late data which is left out; None: no row."""
    told: tuple[Changed, ...] = ()
    """By output: what changed, where it had to be told which of it is late."""
    timely: Flags | None = None
    """Upstream rows that would be in time if they were published now; None: all of them."""

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
    own: OwnReads | None = None
    """What the rows read of each other; None for a computation that does not read itself."""
    settled: bool = False
    """Whether it is known that its one row is as it should be, and that all that it reads is there."""

    @property
    def late(self) -> Flags | None:
        """Rows that leave late data out; None: no row."""
        found = [edge.late for edge in self.edges if edge.late is not None]
        return np.logical_or.reduce(found) if found else None

    @property
    def own_edges(self) -> tuple[EdgeFacts, ...]:
        """The edges by which rows read each other."""
        return () if self.own is None else tuple([edge for edge in self.edges if edge.edge.own])

    def output(self, key: AssetKey) -> Output:
        """The pointers of one output."""
        return next(output for output in self.outputs if output.key == key)


def world_of(graph: AssetGraph, state: State, codes: Codes, now: datetime, *, include_late: bool = False) -> World:
    """Bind every definition and find out which partitions exist; ``now`` is an aware datetime."""
    spaces = spaces_of(graph, state.keys, state.dynamic)
    arrays: dict[int, Integers] = {}
    existing: dict[str, Integers] = {}
    for name, space in spaces.items():
        array = arrays.get(id(space))
        if array is None:
            array = arrays[id(space)] = space.existing(now).array()
        existing[name] = array
    return World(graph, state, codes, now, include_late, spaces, existing)


class Signatures(Protocol):
    """Where the signature of an edge comes from."""

    def signature(self, node: Node, edge: Edge) -> tuple[str, EdgeSignature, Flags | None]:
        """The upstream computation of an edge, the edge's signature, and which rows ask too early (None: no row)."""
        ...

    def verdict(
        self, node: Node, edge: Edge, signature: EdgeSignature, output: Output, recoded: Flags | None
    ) -> tuple[Recorded, Verdict] | None:
        """Which changes of an edge are late, where that may be so: by a tolerance, or by one that there was."""
        ...


def facts_of(world: World, names: Iterable[str], known: Signatures | None = None) -> dict[str, Facts]:
    """The facts of these computations, in the order of the graph.

    Without ``known`` signatures, all upstreams of each must be among them.
    """
    wanted = set(names)
    nodes = [node for name, node in world.graph.nodes.items() if name in wanted]
    outputs = {key: output_of(world, node, key) for node in nodes for key in node.outputs}
    edges = known or _Edges(world, outputs, nodes)
    code_ids = {str(record.version): number for number, record in world.state.codes.items()}
    return {node.name: _facts(world, node, outputs, edges, code_ids) for node in nodes}


def output_of(world: World, node: Node, key: AssetKey) -> Output:
    """The pointers of one asset that belong to existing partitions."""
    existing = world.existing[node.name]
    pointers = world.state.assets.get(key) or empty_asset_state()
    single = len(existing) == 1 == len(pointers.ordinals) and pointers.ordinals[0] == existing[0]
    if single or pointers.ordinals is existing or np.array_equal(pointers.ordinals, existing):
        return Output(key, pointers, None, _FLAG if single else np.ones(len(existing), np.bool_), complete=True)
    inside = members(pointers.ordinals, existing)
    if not inside.all():
        pointers = _restricted(pointers, inside)
    rows = rows_at(existing, pointers.ordinals)
    versioned = np.zeros(len(existing), np.bool_)
    versioned[slice(None) if rows is None else rows] = True
    return Output(key, pointers, rows, versioned, complete=rows is None)


def _restricted(state: AssetState, kept: Flags) -> AssetState:
    columns = {field.name: getattr(state, field.name)[kept] for field in fields(state) if field.name != "inputs"}
    inputs = {
        name: InputColumn(column.sums[kept], column.present[kept], None if column.as_of is None else column.as_of[kept])
        for name, column in state.inputs.items()
    }
    return replace(state, **columns, inputs=inputs)


class _Edges:
    """Spans, summands and signatures of edges; what several edges share is computed once."""

    def __init__(self, world: World, outputs: Mapping[AssetKey, Output], nodes: list[Node]) -> None:
        self._world = world
        self._views = {
            key: UpstreamView(world.existing[world.graph.owner[key]], output.pointers.ordinals, output.pointers.hashes)
            for key, output in outputs.items()
        }
        self._spans: dict[tuple[object, int, int, bool], Spans] = {}
        self._premature: dict[tuple[object, int, int, bool], Flags | None] = {}
        self._summands = self._mixed({(edge.upstream, edge.parameter) for node in nodes for edge in node.edges})

    def verdict(
        self, node: Node, edge: Edge, signature: EdgeSignature, output: Output, recoded: Flags | None
    ) -> tuple[Recorded, Verdict] | None:
        pointers = output.pointers
        if edge.late_tolerance is None and not pointers.tolerated.any():
            return None
        column = pointers.inputs.get(edge.parameter)
        if column is None or column.as_of is None:
            return None
        suspects = pointers.tolerated & column.present
        if edge.late_tolerance is not None:
            suspects |= _differing(edge, signature.sums, output, recoded) & column.present
        if not suspects.any():
            return None
        at = np.flatnonzero(suspects)
        rows = at if output.rows is None else output.rows[at]
        stamped = pointers.generation[at]
        recorded = Recorded(rows, column.sums[at], column.as_of[at], pointers.tolerated[at], stamped)
        return recorded, self.history(edge).judge(signature.existing, self._views[edge.upstream], recorded)

    def history(self, edge: Edge) -> History:
        """The moves of an edge's upstream."""
        world, owner = self._world, self._world.graph.owner[edge.upstream]
        return History(
            edge, world.state.uids.get(edge.upstream, 0), world.spaces[owner], world.state.moves.get(edge.upstream)
        )

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
        world = self._world
        upstream = world.graph.owner[edge.upstream]
        whole = node.partitions is None and world.graph.nodes[upstream].partitions is None
        if whole and len(self._views[edge.upstream].ordinals):
            summands = self._summands[edge.upstream, edge.parameter]
            return upstream, EdgeSignature(_WHOLE, _WHOLE, summands, None), None
        down, up = world.spaces[node.name], world.spaces[upstream]
        ordinals = world.existing[node.name]
        key = (alike(edge.mapping), id(down), id(up), edge.own)
        spans = self._spans.get(key)
        if spans is None:
            existing = world.existing[upstream]
            spans = self._spans[key] = edge_spans(edge, down, ordinals, up, existing)
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


def alike(mapping: EdgeMapping) -> object:
    """What mappings that read the same have in common; those by key may be large, or compare as their user likes."""
    if isinstance(mapping, DimensionMapping):
        return tuple((down, up, each and alike(each)) for down, up, each in mapping.pairs)
    return id(mapping) if isinstance(mapping, KeyedMapping) else mapping


def _facts(
    world: World, node: Node, all_outputs: Mapping[AssetKey, Output], shared: Signatures, code_ids: Mapping[str, int]
) -> Facts:
    space, ordinals = world.spaces[node.name], world.existing[node.name]
    outputs = tuple(all_outputs[key] for key in node.outputs)
    bits = np.zeros(len(ordinals), np.uint16)
    for output in outputs:
        if not output.complete:
            bits[~output.versioned] |= MISSING
    if node.kind == "source":
        return Facts(node, space, ordinals, outputs, (), bits, _union(bits), None)

    if len(ordinals) == 1 and _as_built(world, node, outputs, code_ids):
        read = _unchanged(node, outputs, shared)
        if read is not None:
            return Facts(node, space, ordinals, outputs, read, bits, 0, None, settled=True)
    recoded = {output.key: _mark_code(world, node, output, bits, code_ids) for output in outputs}
    edges: list[EdgeFacts] = []
    for edge in node.edges:
        upstream, signature, premature = shared.signature(node, edge)
        changed = np.zeros(len(ordinals), np.bool_)
        late = np.zeros(len(ordinals), np.bool_)
        told: list[Changed] = []
        for output in outputs:
            verdict = shared.verdict(node, edge, signature, output, recoded[output.key])
            _mark_changed(edge, signature.sums, output, recoded[output.key], changed, late, verdict)
            if verdict is not None and len(verdict[1].owners):
                told.append(Changed(verdict[0].rows[verdict[1].owners], verdict[1].partitions))
        if world.include_late:
            changed |= late
        late &= ~changed
        bits[changed] |= INPUT
        timely = None if world.include_late else _timely(world, edge, upstream)
        edges.append(
            EdgeFacts(edge, upstream, signature, changed, premature, late if late.any() else None, tuple(told), timely)
        )

    sums = {each.edge.parameter: each.signature.sums for each in edges}
    outputs = tuple(_judged(world, node, output, ordinals, sums, bits) for output in outputs)
    offers = offers_of(world.graph, world.state, world.codes, node, ordinals, sums)
    spans = [each.spans for each in edges if each.edge.own]
    own = OwnReads.of(spans, space, ordinals) if spans else None
    return Facts(node, space, ordinals, outputs, tuple(edges), bits, _union(bits), offers, own)


def _as_built(world: World, node: Node, outputs: Sequence[Output], code_ids: Mapping[str, int]) -> bool:
    """Whether one row is published by the present code, and nothing else is known of it that would have to be judged.

    Most rows of a project are like that, so that thousands of unpartitioned assets are judged by little more than this.
    """
    state, code = world.state, code_ids.get(world.codes.computations[node.name].version)
    for output in outputs:
        key, pointers = output.key, output.pointers
        known = key in state.failures or key in state.retained or key in state.candidates
        if known or world.graph.checks.get(key) or not output.complete:
            return False
        if pointers.code[0] != code or pointers.tolerated[0]:
            return False
    return True


def _unchanged(node: Node, outputs: Sequence[Output], shared: Signatures) -> tuple[EdgeFacts, ...] | None:
    """The edges of one row that reads exactly what it read when it was built; None where that is not so."""
    edges: list[EdgeFacts] = []
    for edge in node.edges:
        if edge.own or edge.late_tolerance is not None:
            return None
        upstream, signature, premature = shared.signature(node, edge)
        if premature is not None or signature.read.gather is not None or signature.existing.problems:
            return None
        if signature.read is not signature.existing:
            return None
        sums = signature.sums.tobytes()
        for output in outputs:
            column = output.pointers.inputs.get(edge.parameter)
            if column is None or not column.present[0] or column.sums.tobytes() != sums:
                return None
        edges.append(EdgeFacts(edge, upstream, signature, _NO_FLAG, None))
    return tuple(edges)


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
    numbers = distinct(picked(recorded, changed))
    for number in numbers:
        earlier = world.state.codes.get(number)
        names = {} if earlier is None else dict(earlier.components.items() ^ present.components.items())
        schema_only = bool(names) and all(name.startswith("schema:") for name in names)
        marks[changed if len(numbers) == 1 else recorded == number] = SCHEMA if schema_only else CODE
    bits[output.places] |= marks
    return changed


def _mark_changed(
    edge: Edge,
    sums: Lanes,
    output: Output,
    recoded: Flags | None,
    changed: Flags,
    late: Flags,
    verdict: tuple[Recorded, Verdict] | None,
) -> None:
    """Mark rows whose recorded signature of an edge is not the present one, apart from those that are ``late`` only."""
    differs = _differing(edge, sums, output, recoded)
    if verdict is not None:
        judged, found = verdict
        at = judged.rows if output.rows is None else output.rows.searchsorted(judged.rows)
        differs[at] = found.stale
        late[judged.rows] |= found.late
    changed[output.places] |= differs


def _differing(edge: Edge, sums: Lanes, output: Output, recoded: Flags | None) -> Flags:
    """The pointers whose recorded signature of an edge is not the present one; other code may not have had the edge."""
    column = output.pointers.inputs.get(edge.parameter)
    differs = inputs_differ(column, sums[output.places])
    if recoded is not None:
        differs &= ~recoded if column is None else column.present | ~recoded
    return differs


def _timely(world: World, edge: Edge, upstream: str) -> Flags | None:
    if edge.late_tolerance is None:
        return None
    timely = deadlines(edge, world.spaces[upstream], world.existing[upstream]) >= micros(world.now)
    return None if timely.all() else timely


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
