"""The partition spaces of a graph's computations."""

from __future__ import annotations

from collections.abc import Mapping

from assetflow.graph import AssetGraph
from assetflow.partitions.dictionary import KeyDictionary
from assetflow.partitions.sets import Ints
from assetflow.partitions.spaces import PartitionSpace, bind


def spaces_of(graph: AssetGraph, keys: KeyDictionary, dynamic: Mapping[str, Ints]) -> dict[str, PartitionSpace]:
    """The space of each computation by name; equal definitions share one.

    Static keys must be in ``keys``; ``dynamic`` has the ordinals of dynamic partitions by name.
    """
    bound: dict[object, PartitionSpace] = {}
    spaces: dict[str, PartitionSpace] = {}
    for name, node in graph.nodes.items():
        space = bound.get(node.partitions)
        if space is None:
            space = bound[node.partitions] = bind(node.partitions, keys, dynamic)
        spaces[name] = space
    return spaces
