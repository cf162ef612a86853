"""Unpartitioned computations that are as they were built, found all together.

Most of a project of thousands of assets is like that. Nothing is made for their edges until somebody looks at them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import overload

import numpy as np

from assetflow.graph import Edge, Node
from assetflow.keys import AssetKey
from assetflow.planner.facts import EdgeFacts, Facts, Output, World
from assetflow.planner.reading import Signatures
from assetflow.planner.spans import Lanes

_NO_FLAG, _NO_BITS = np.zeros(1, np.bool_), np.zeros(1, np.uint16)
_NO_FLAG.flags.writeable = _NO_BITS.flags.writeable = False


class _Unread(Sequence[EdgeFacts]):
    """The edges of one row that reads what it read when it was built; made when they are first looked at."""

    __slots__ = ("_made", "_node", "_signatures")

    def __init__(self, node: Node, signatures: Signatures) -> None:
        self._node, self._signatures = node, signatures
        self._made: tuple[EdgeFacts, ...] | None = None

    def __len__(self) -> int:
        return len(self._node.edges)

    def __iter__(self) -> Iterator[EdgeFacts]:
        return iter(self._edges)

    @overload
    def __getitem__(self, index: int) -> EdgeFacts: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[EdgeFacts, ...]: ...
    def __getitem__(self, index: int | slice) -> EdgeFacts | tuple[EdgeFacts, ...]:
        return self._edges[index]

    @property
    def _edges(self) -> tuple[EdgeFacts, ...]:
        if self._made is None:
            made: list[EdgeFacts] = []
            for edge in self._node.edges:
                upstream, signature, premature = self._signatures.signature(self._node, edge)
                made.append(EdgeFacts(edge, upstream, signature, _NO_FLAG, premature))
            self._made = tuple(made)
        return self._made


def unchanged_facts(
    world: World,
    nodes: Sequence[Node],
    outputs: Mapping[AssetKey, Output],
    signatures: Signatures,
    code_ids: Mapping[str, int],
) -> dict[str, Facts]:
    """The facts of those computations that are published by the present code and read what they read then.

    Others may be like that too, whose facts take more than a comparison: partitioned ones, those with checks or with
    something that could be published again.
    """
    plain = [node for node in nodes if _as_built(world, node, outputs, code_ids) and _reads_whole(world, node, outputs)]
    edges: list[Edge] = []
    recorded: list[Lanes] = []
    changed: set[str] = set()
    for node in plain:
        for edge in node.edges:
            for key in node.outputs:
                column = outputs[key].pointers.inputs.get(edge.parameter)
                if column is None or not column.present[0]:
                    changed.add(node.name)
                else:
                    edges.append(edge)
                    recorded.append(column.sums)
    if edges:
        differ = (np.concatenate(recorded) != signatures.of_one_row(edges)).any(axis=1)
        places: list[int] = np.flatnonzero(differ).tolist()
        changed.update([edges[place].computation for place in places])
    return {
        node.name: Facts(
            node,
            world.spaces[node.name],
            world.existing[node.name],
            tuple([outputs[key] for key in node.outputs]),
            _Unread(node, signatures) if node.edges else (),
            _NO_BITS,
            0,
            None,
            settled=tuple([world.graph.owner[edge.upstream] for edge in node.edges]),
        )
        for node in plain
        if node.name not in changed
    }


def _as_built(world: World, node: Node, outputs: Mapping[AssetKey, Output], code_ids: Mapping[str, int]) -> bool:
    """Whether one row is published by the present code, and nothing else is known that would have to be judged."""
    if node.kind == "source" or node.partitions is not None or len(world.existing[node.name]) != 1:
        return False
    state, code = world.state, code_ids.get(world.codes.computations[node.name].version)
    for key in node.outputs:
        output = outputs[key]
        records = state.failures.get(key), state.retained.get(key), state.candidates.get(key)
        known = any(each is not None and len(each.ordinals) for each in records)
        if known or world.graph.checks.get(key) or not output.complete:
            return False
        if output.pointers.code[0] != code or output.pointers.tolerated[0]:
            return False
    return True


def _reads_whole(world: World, node: Node, outputs: Mapping[AssetKey, Output]) -> bool:
    """Whether all that a computation reads are unpartitioned assets that are published."""
    graph = world.graph
    for edge in node.edges:
        if (
            edge.own
            or edge.late_tolerance is not None
            or graph.nodes[graph.owner[edge.upstream]].partitions is not None
        ):
            return False
        # One that is not among the outputs is up to date: that is why nobody asked for its facts.
        upstream = outputs.get(edge.upstream)
        if upstream is not None and not upstream.complete:
            return False
    return True
