"""What one edge would read now: its signature, what it lacks, and the keys made of all edges.

Planning and the run loop both decide with these functions, on recorded or on live pointers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from assetflow.graph import AssetGraph, Edge, Node
from assetflow.keys import AssetKey, CodeVersion
from assetflow.partitions.keyed import backward
from assetflow.partitions.spaces import PartitionSpace
from assetflow.partitions.spans import Spans, any_within
from assetflow.planner.signatures import derivation_keys, mix, prefix_sums, try_keys
from assetflow.planner.spans import Flags, Integers, Lanes, members, straightened, through, window_sums
from assetflow.planner.state import InputColumn


class Pointers(Protocol):
    """What is published of one asset: aligned arrays, ``ordinals`` ascending. ``AssetState`` is one."""

    @property
    def ordinals(self) -> Integers: ...
    @property
    def hashes(self) -> Lanes: ...


@dataclass(frozen=True, slots=True, eq=False)
class UpstreamView:
    """One upstream asset as an edge sees it: which partitions exist, and which of them have which version.

    All arrays of ordinals ascend. ``ordinals`` holds existing partitions only (see :func:`view_of`); ``unavailable``
    are partitions that must not be read, whether or not they have a version.
    """

    existing: Integers
    ordinals: Integers
    hashes: Lanes
    unavailable: Integers = field(default_factory=lambda: np.empty(0, np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class EdgeSignature:
    """What one edge would read now, by downstream row.

    ``existing`` spans the upstream partitions that exist, ``read`` those that have a version (positions in the view's
    ``ordinals``). ``sums`` are the signatures, shape ``(n, 2)``.
    """

    existing: Spans
    read: Spans
    sums: Lanes
    unavailable: Flags | None
    """Whether a partition that must not be read is among them; None: nowhere."""

    @property
    def broken(self) -> Flags | None:
        """Rows whose mapping cannot tell what they read; None: no row."""
        return self.existing.broken

    @property
    def count(self) -> Integers:
        """How many upstream partitions are read."""
        return self.read.hi - self.read.lo

    @property
    def lacking(self) -> Flags:
        """Whether an upstream partition that exists has no version."""
        return self.count < self.existing.hi - self.existing.lo


def view_of(pointers: Pointers, existing: Integers, unavailable: Integers | None = None) -> UpstreamView:
    """A view of pointers; those of partitions that exist no longer are left out."""
    inside = members(pointers.ordinals, existing)
    kept = slice(None) if inside.all() else inside
    lost = np.empty(0, np.int64) if unavailable is None else unavailable
    return UpstreamView(existing, pointers.ordinals[kept], pointers.hashes[kept], lost)


def edge_spans(
    edge: Edge, space_down: PartitionSpace, ordinals: Integers, space_up: PartitionSpace, existing: Integers
) -> Spans:
    """Which of the ``existing`` upstream partitions an edge reads for the downstream partitions ``ordinals``."""
    spans = edge.mapping.spans(space_down, ordinals, space_up, existing)
    if edge.own:
        spans = backward(edge.mapping, spans, ordinals, space_up, existing)
    return straightened(spans, len(existing))


def edge_signatures(
    edge: Edge,
    uid: int,
    space_down: PartitionSpace,
    ordinals: Integers,
    space_up: PartitionSpace,
    upstream: UpstreamView,
    *,
    spans: Spans | None = None,
    summands: Lanes | None = None,
) -> EdgeSignature:
    """What ``edge`` reads for the downstream partitions ``ordinals``; ``uid`` is the upstream asset's.

    ``spans`` (over ``upstream.existing``) and ``summands`` (one for each of ``upstream.ordinals``) may be handed in
    where they are known.
    """
    if spans is None:
        spans = edge_spans(edge, space_down, ordinals, space_up, upstream.existing)
    read = through(spans, upstream.existing, upstream.ordinals)

    sums = _summed(edge, uid, upstream, read) if summands is None else sums_of(summands, read)
    return EdgeSignature(spans, read, sums, _unavailable(spans, upstream))


def sums_of(summands: Lanes, read: Spans) -> Lanes:
    """The signatures, from the summand of each upstream partition that has a version."""
    if read.straight:
        return summands
    if len(read.lo) == 1:
        row = summands[read.positions(0)]
        return row.sum(axis=0, keepdims=True)
    return window_sums(prefix_sums(summands if read.gather is None else summands[read.gather]), read)


def _summed(edge: Edge, uid: int, upstream: UpstreamView, read: Spans) -> Lanes:
    """The signatures, mixing no more than what is read."""
    if read.straight:
        return mix(uid, edge.parameter, upstream.ordinals, upstream.hashes)
    if len(read.lo) == 0:
        return np.empty((0, 2), np.uint64)
    first, stop = int(read.lo.min()), int(read.hi.max())
    needed = slice(first, stop) if read.gather is None else read.gather[first:stop]
    mixed = mix(uid, edge.parameter, upstream.ordinals[needed], upstream.hashes[needed])
    return window_sums(prefix_sums(mixed), Spans(read.lo - first, read.hi - first))


def _unavailable(spans: Spans, upstream: UpstreamView) -> Flags | None:
    if not len(upstream.unavailable):
        return None
    return any_within(members(upstream.existing, upstream.unavailable), spans)


def inputs_differ(recorded: InputColumn | None, sums: Lanes) -> Flags:
    """By row: whether what was recorded for an edge is not what it would read now; an unrecorded edge differs."""
    if recorded is None:
        return np.ones(len(sums), np.bool_)
    return (recorded.sums != sums).any(axis=1) | ~recorded.present


def derivations_of(code: CodeVersion, count: int, sums: Mapping[str, Lanes]) -> Lanes:
    """The derivation keys of ``count`` rows, shape ``(count, 2)``; ``sums`` by the parameters of all edges."""
    return derivation_keys(code, count, sums)


def tries_of(
    derivations: Lanes, graph: AssetGraph, node: Node, checks: Mapping[tuple[AssetKey, str], CodeVersion]
) -> Lanes:
    """The try keys that belong to derivation keys: a try must pass the blocking checks of all outputs."""
    blocking = [(key, check.name) for key in node.outputs for check in graph.checks.get(key, ()) if check.blocking]
    return try_keys(derivations, [CodeVersion(f"{key}:{name}:{checks[key, name]}") for key, name in blocking])
