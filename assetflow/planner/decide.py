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
from assetflow.partitions.spaces import PartitionSpace
from assetflow.planner.signatures import derivation_keys, mix, prefix_sums, try_keys
from assetflow.planner.spans import Flags, Integers, Lanes, Spans, any_within, members, spans_of, through, window_sums
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
        lo, hi = edge.mapping.spans(space_down, ordinals, space_up, upstream.existing)
        spans = spans_of(lo, hi, len(upstream.existing))
    read = through(spans, upstream.existing, upstream.ordinals)

    if summands is not None:
        sums = summands if read.straight else window_sums(prefix_sums(summands), read)
    elif read.straight:
        sums = mix(uid, edge.parameter, upstream.ordinals, upstream.hashes)
    elif len(read.lo) == 0:
        sums = np.empty((0, 2), np.uint64)
    else:
        first, stop = int(read.lo.min()), int(read.hi.max())
        needed = mix(uid, edge.parameter, upstream.ordinals[first:stop], upstream.hashes[first:stop])
        sums = window_sums(prefix_sums(needed), Spans(read.lo - first, read.hi - first))
    return EdgeSignature(spans, read, sums, _unavailable(spans, upstream))


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
