"""Deciding, once a computation's inputs are final, what each of its planned partitions needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from assetflow.execution.lateness import changes
from assetflow.execution.live import LiveAsset
from assetflow.execution.parts import RunParts
from assetflow.graph import AssetGraph, Edge, Node
from assetflow.keys import AssetKey, CodeVersion
from assetflow.planner.decide import EdgeSignature, UpstreamView, derivations_of, edge_signatures
from assetflow.planner.spans import Flags, Integers, Lanes, members
from assetflow.planner.state import AssetState, State


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What one edge reads, by row: positions in the live upstream's arrays."""

    edge: Edge
    live: LiveAsset
    signature: EdgeSignature

    def positions(self, row: int) -> slice | Integers:
        """The upstream partitions that a row reads."""
        return self.signature.read.positions(row)


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """The planned partitions of one computation, judged on the pointers of this moment. Arrays are aligned by row.

    ``same``: what is published was made by the present code from exactly these inputs. ``tolerated``: from these but
    for late data that is left out; ``recorded`` are those of them whose derivation says so already.
    """

    node: Node
    ordinals: Integers
    readings: tuple[Reading, ...]
    keys: Lanes
    blocked: Flags
    waiting: Flags
    same: Flags
    tolerated: Flags
    recorded: Flags

    @property
    def stays(self) -> Flags:
        """What is published need not be made anew."""
        return self.same | self.tolerated


def decide(node: Node, ordinals: Integers, parts: RunParts) -> Decision:
    """Judge the ascending ``ordinals`` of a computation whose upstreams are done in this run."""
    setting, state, live = parts.setting, parts.state, parts.live
    spaces, graph = setting.spaces, setting.graph
    space = spaces[node.name]
    readings: list[Reading] = []
    blocked = np.zeros(len(ordinals), np.bool_)
    waiting = np.zeros(len(ordinals), np.bool_)
    for edge in node.edges:
        upstream = live.asset(edge.upstream)
        owner = graph.owner[edge.upstream]
        view = UpstreamView(parts.existing(owner), upstream.ordinals, upstream.hashes, upstream.unavailable)
        signature = edge_signatures(edge, setting.uids[edge.upstream], space, ordinals, spaces[owner], view)
        readings.append(Reading(edge, upstream, signature))
        if signature.unavailable is not None:
            blocked |= signature.unavailable
        if edge.missing == "wait":
            waiting |= signature.lacking
        if signature.broken is not None:
            waiting |= signature.broken
    code = setting.codes.computations[node.name].version
    sums = {reading.edge.parameter: reading.signature.sums for reading in readings}
    keys = derivations_of(code, len(ordinals), sums)
    stays = np.ones(len(ordinals), np.bool_)
    late, recorded = np.zeros(len(ordinals), np.bool_), np.ones(len(ordinals), np.bool_)
    for key in node.outputs:
        pointers = state.assets.get(key)
        if pointers is None or not len(pointers.ordinals):
            stays[:] = False
            break
        found = _unchanged(pointers, ordinals, code, readings, parts)
        stays &= found[0]
        late |= found[1]
        recorded &= found[2]
    tolerated = stays & late
    return Decision(
        node,
        ordinals,
        tuple(readings),
        keys,
        blocked,
        waiting & ~blocked,
        stays & ~late,
        tolerated,
        tolerated & recorded,
    )


def _unchanged(
    recorded: AssetState, ordinals: Integers, code: CodeVersion, readings: Sequence[Reading], parts: RunParts
) -> tuple[Flags, Flags, Flags]:
    """Whether the code and the inputs of pointers are the present ones, but for late data; where there is late data;
    and whether that has been recorded.
    """
    state = parts.state
    same, late = members(ordinals, recorded.ordinals), np.zeros(len(ordinals), np.bool_)
    if not same.any():
        return same, late, late
    rows = np.minimum(recorded.ordinals.searchsorted(ordinals), len(recorded.ordinals) - 1)
    present = [number for number, record in state.codes.items() if record.version == code]
    same &= np.isin(recorded.code[rows], np.array(present, np.int64))
    told = recorded.tolerated[rows]
    for reading in readings:
        changed, left_out = changes(reading.edge, reading.live, reading.signature, recorded, rows, parts)
        same &= ~changed
        late |= left_out
        column = recorded.inputs.get(reading.edge.parameter)
        if column is not None and told.any():
            told = told & (column.sums[rows] == reading.signature.sums).all(axis=1)
    return same, late, told


def unchecked(state: State, graph: AssetGraph, key: AssetKey, versions: Integers) -> Flags:
    """Which versions lack a result of some present check of the asset."""
    lacking = np.zeros(len(versions), np.bool_)
    for check in graph.checks.get(key, ()):
        results = state.checks.get((key, check.name))
        if results is None:
            return np.ones(len(versions), np.bool_)
        lacking |= ~(members(versions, results.passed) | members(versions, results.failed))
    return lacking
