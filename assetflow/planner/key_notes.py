"""What a plan says of dynamic partitions: sets that have no keys, and mappings that name keys which are not there."""

from __future__ import annotations

from collections.abc import Collection

from assetflow.partitions.definitions import dynamic_names
from assetflow.partitions.keyed import StaticMapping
from assetflow.planner.facts import Facts, World

_SHOWN = 3


def without_keys(world: World, names: Collection[str]) -> list[str]:
    """A sentence for each set without keys that partitions of these computations need."""
    waiting: dict[str, list[str]] = {}
    for name, node in world.graph.nodes.items():
        if name in names:
            for each in dynamic_names(node.partitions):
                if not len(world.state.dynamic.get(each, ())):
                    waiting.setdefault(each, []).append(name)
    return [
        f"{_some(needed)}: the dynamic partitions {each!r} have no keys yet: assetflow partitions add {each!r} KEY"
        for each, needed in waiting.items()
    ]


def strange_keys(world: World, facts: Facts) -> list[str]:
    """A sentence for each side of a ``StaticMapping`` whose dynamic partitions lack keys that it names."""
    sentences: list[str] = []
    if facts.settled is not None:
        return sentences
    for each in facts.edges:
        mapping, up = each.edge.mapping, world.spaces[each.upstream]
        if isinstance(mapping, StaticMapping) and "dynamic" in (up.grain, facts.space.grain):
            lacking = mapping.strangers(facts.space, up)
            for asset, keys in zip((each.edge.upstream, facts.node.name), lacking, strict=True):
                if keys:
                    named = _some([repr(key) for key in keys])
                    noun = "key" if len(keys) == 1 else "keys"
                    sentences.append(
                        f"{facts.node.name}: the StaticMapping to {each.edge.upstream} names the {noun} {named}, "
                        f"which {asset} does not have now"
                    )
    return sentences


def _some(texts: list[str]) -> str:
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return ", ".join(texts[:_SHOWN]) + more
