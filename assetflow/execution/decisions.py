"""Deciding, once a computation's inputs are final, what each of its planned partitions needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from assetflow.execution.live import LiveAsset
from assetflow.execution.parts import RunParts
from assetflow.graph import AssetGraph, Edge, Node
from assetflow.keys import AssetKey, CodeVersion
from assetflow.planner.decide import EdgeSignature, UpstreamView, derivations_of, edge_signatures, inputs_differ
from assetflow.planner.spans import Flags, Integers, Lanes, members
from assetflow.planner.state import AssetState, InputColumn, State


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

    ``same``: what is published was made by the present code from exactly these inputs.
    """

    node: Node
    ordinals: Integers
    readings: tuple[Reading, ...]
    keys: Lanes
    blocked: Flags
    waiting: Flags
    same: Flags


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
    same = np.ones(len(ordinals), np.bool_)
    for key in node.outputs:
        recorded = state.assets.get(key)
        if recorded is None or not len(recorded.ordinals):
            same[:] = False
            break
        same &= _same(recorded, ordinals, code, sums, state)
    return Decision(node, ordinals, tuple(readings), keys, blocked, waiting & ~blocked, same)


def _same(
    recorded: AssetState, ordinals: Integers, code: CodeVersion, sums: Mapping[str, Lanes], state: State
) -> Flags:
    same = members(ordinals, recorded.ordinals)
    if not same.any():
        return same
    rows = np.minimum(recorded.ordinals.searchsorted(ordinals), len(recorded.ordinals) - 1)
    present = [number for number, record in state.codes.items() if record.version == code]
    same &= np.isin(recorded.code[rows], np.array(present, np.int64))
    for parameter, values in sums.items():
        column = recorded.inputs.get(parameter)
        if column is not None:
            column = InputColumn(column.sums[rows], column.present[rows])
        same &= ~inputs_differ(column, values)
    return same


def unchecked(state: State, graph: AssetGraph, key: AssetKey, versions: Integers) -> Flags:
    """Which versions lack a result of some present check of the asset."""
    lacking = np.zeros(len(versions), np.bool_)
    for check in graph.checks.get(key, ()):
        results = state.checks.get((key, check.name))
        if results is None:
            return np.ones(len(versions), np.bool_)
        lacking |= ~(members(versions, results.passed) | members(versions, results.failed))
    return lacking
