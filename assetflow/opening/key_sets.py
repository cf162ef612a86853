"""Dynamic partitions of an opened project: their keys, adding some, and removing those that nothing refers to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from assetflow.errors import InvalidPartition, PartitionInUse
from assetflow.graph import Node
from assetflow.keys import DEFAULT_ENVIRONMENT, AssetKey, format_address, nearest_names
from assetflow.partitions.definitions import DynamicPartitions, dynamic_names
from assetflow.partitions.dynamic_partitions import require_keys, require_set
from assetflow.partitions.keyed import StaticMapping
from assetflow.partitions.multi_space import MultiSpace
from assetflow.partitions.sets import Flags, Ints
from assetflow.publish.key_room import KeyRoom
from assetflow.publish.projection import has_projection, project_current
from assetflow.publish.setting import Setting

_SHOWN = 3
_COMPARED = 5_000
"""Up to so many keys are compared with one that is unknown."""


def key_sets(setting: Setting) -> list[dict[str, object]]:
    """Each set of keys with its size and the computations that have it."""
    present = setting.reader.dynamic()
    users = {name: [n.name for n in _nodes(setting, name)] for name in sorted(setting.graph.dynamic_names())}
    return [{"name": name, "count": len(present.get(name, ())), "assets": using} for name, using in users.items()]


def listed(setting: Setting, name: str) -> list[str]:
    """The keys of a set, in the order of addition. Raises UsageError."""
    require_set(name, setting.graph.dynamic_names())
    ordinals = setting.reader.dynamic().get(name, np.empty(0, np.int64))
    return [*map(setting.reader.keys().key, ordinals.tolist())]


def add(setting: Setting, name: str, keys: Iterable[str]) -> list[str]:
    """Add keys to a set; gives those that were not there. Raises UsageError and InvalidPartition."""
    require_set(name, setting.graph.dynamic_names())
    wanted = require_keys(name, keys)
    KeyRoom(setting.graph).require([(name, wanted)], setting.reader.keys())
    return _projected(setting, name, setting.writer.add_partitions(name, wanted)) if wanted else []


def remove(setting: Setting, name: str, keys: Iterable[str], *, force: bool) -> list[str]:
    """Take keys out of a set; gives those that were there. What was published of them stays, unseen.

    Raises UsageError, InvalidPartition for a key that never was one, and PartitionInUse unless forced.
    """
    require_set(name, setting.graph.dynamic_names())
    wanted = require_keys(name, keys)
    _require_known(setting, name, wanted)
    if not force and (references := [*_references(setting, name, wanted)]):
        shown = "; ".join(references[:_SHOWN])
        more = f"; and {len(references) - _SHOWN} more" if len(references) > _SHOWN else ""
        raise PartitionInUse(
            f"{name}: not removed, for {shown}{more}",
            hint="with --force (force=True) they go all the same: versions are kept, and come back with their key",
        )
    return _projected(setting, name, setting.writer.remove_partitions(name, wanted)) if wanted else []


def _projected(setting: Setting, name: str, changed: list[str]) -> list[str]:
    """Let the projections of all environments follow a set whose keys ``changed``."""
    for environment, number in setting.reader.environments().items() if changed else ():
        suffix = None if environment == DEFAULT_ENVIRONMENT else environment
        there = replace(setting, environment=number, suffix=suffix)
        for asset in setting.graph.assets_of_set(name):
            if has_projection(there, asset):
                project_current(there, asset, {})
    return changed


def _require_known(setting: Setting, name: str, keys: Sequence[str]) -> None:
    known = set(listed(setting, name))
    strangers = [key for key in keys if key not in known]
    if not strangers:
        return
    earlier = set(setting.reader.removed_partitions(name))
    for key in strangers:
        if key not in earlier:
            near = nearest_names(key, sorted(known)[:_COMPARED])
            raise InvalidPartition(
                f"{name}: there is no key {key!r}", hint=near or f"assetflow partitions list {name!r} shows the keys"
            )


def _references(setting: Setting, name: str, keys: Sequence[str]) -> Iterator[str]:
    """A sentence for each thing that refers to some of these keys."""
    dictionary = setting.reader.keys()
    found = dictionary.find(keys)
    ordinals = np.where(found == 0, -1, found)
    environments = setting.reader.environments()
    for asset in setting.graph.assets_of_set(name):
        node = setting.graph.node_of(asset)
        for environment, number in environments.items():
            pointed = setting.reader.pointers(number, setting.uids[asset]).ordinals
            if len(found := pointed[_concerned(setting, node, name, pointed, ordinals)]):
                elsewhere = "" if number == setting.environment else f" in the environment {environment}"
                yield f"{_some(setting, node, asset, found)} published{elsewhere}{_readers(setting, asset)}"
    for node in setting.graph.nodes.values():
        for edge in node.edges:
            upstream = setting.graph.node_of(edge.upstream)
            if isinstance(edge.mapping, StaticMapping):
                ups, downs = _named(edge.mapping, upstream, node, name)
                if named := [key for key in keys if key in ups or key in downs]:
                    shown = ", ".join(map(repr, named[:_SHOWN])) + (", ..." if len(named) > _SHOWN else "")
                    yield f"the StaticMapping of {node.name} to {edge.upstream} names {shown}"


def _named(mapping: StaticMapping, up: Node, down: Node, name: str) -> tuple[frozenset[str], frozenset[str]]:
    """What a mapping names of a set, on either side."""
    definition = DynamicPartitions(name)
    ups = frozenset(mapping.keys) if up.partitions == definition else frozenset[str]()
    readers = (key for each in mapping.keys.values() for key in each)
    return ups, frozenset(readers) if down.partitions == definition else frozenset[str]()


def _nodes(setting: Setting, name: str) -> list[Node]:
    return [node for node in setting.graph.nodes.values() if name in dynamic_names(node.partitions)]


def _concerned(setting: Setting, node: Node, name: str, pointed: Ints, ordinals: Ints) -> Flags:
    """Which partitions of a computation have one of the keys, be it in a dimension."""
    space = setting.spaces[node.name]
    if not isinstance(space, MultiSpace):
        return np.isin(pointed, ordinals)
    dimensions = zip(space.definition.pairs, space.parts(pointed), strict=True)
    of_name = [part for (_, each), part in dimensions if dynamic_names(each) == [name]]
    return np.logical_or.reduce([np.isin(part, ordinals) for part in of_name])


def _some(setting: Setting, node: Node, asset: AssetKey, found: Ints) -> str:
    space = setting.spaces[node.name]
    shown = [format_address(asset, key) for key in space.keys(found[:_SHOWN])]
    more = f" and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
    return f"{', '.join(shown)}{more} {'is' if len(found) == 1 else 'are'}"


def _readers(setting: Setting, asset: AssetKey) -> str:
    readers = [*dict.fromkeys(edge.computation for edge in setting.graph.downstream[asset])]
    more = ", ..." if len(readers) > _SHOWN else ""
    return f", and read by {', '.join(readers[:_SHOWN])}{more}" if readers else ""
