"""How facts are found: recorded pointers against the present code, and against what edges would read now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace

import numpy as np

from assetflow.graph import Edge, Node
from assetflow.keys import AssetKey
from assetflow.planner.facts import (
    CHECK_DUE,
    CHECK_FAILED,
    CODE,
    FAILED,
    INPUT,
    MISSING,
    SCHEMA,
    Bits,
    Changed,
    EdgeFacts,
    Facts,
    Output,
    World,
)
from assetflow.planner.moments import micros
from assetflow.planner.offers import check_facts, failed_tries, offers_of
from assetflow.planner.reading import Edges, Signatures, differing
from assetflow.planner.scans import OwnReads
from assetflow.planner.spans import Flags, Integers, Lanes, distinct, members, picked, rows_at
from assetflow.planner.state import AssetState, InputColumn, empty_asset_state
from assetflow.planner.tolerance import Recorded, Verdict, deadlines
from assetflow.planner.unchanged import unchanged_facts

_FLAG = np.ones(1, np.bool_)
_FLAG.flags.writeable = False


def facts_of(world: World, names: Iterable[str], known: Signatures | None = None) -> dict[str, Facts]:
    """The facts of these computations, in the order of the graph.

    Without ``known`` signatures, all upstreams of each must be among them.
    """
    wanted = set(names)
    nodes = [node for name, node in world.graph.nodes.items() if name in wanted]
    outputs = {key: output_of(world, node, key) for node in nodes for key in node.outputs}
    edges = known or Edges(world, outputs, nodes)
    code_ids = {str(record.version): number for number, record in world.state.codes.items()}
    unchanged = unchanged_facts(world, nodes, outputs, edges, code_ids)
    return {node.name: unchanged.get(node.name) or _facts(world, node, outputs, edges, code_ids) for node in nodes}


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
    differs = differing(edge, sums, output, recoded)
    if verdict is not None:
        judged, found = verdict
        at = judged.rows if output.rows is None else output.rows.searchsorted(judged.rows)
        differs[at] = found.stale
        late[judged.rows] |= found.late
    changed[output.places] |= differs


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
