"""The graph as frozen data: nodes are computations, edges are what they read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from assetflow.definitions.annotations import Arrival
from assetflow.definitions.batch import Batch
from assetflow.definitions.checks import CheckSpec
from assetflow.definitions.computations import AssetSpec, Computation
from assetflow.definitions.inputs import AssetRef
from assetflow.definitions.references import referenced_key
from assetflow.errors import DefinitionError, UnknownAsset
from assetflow.keys import AssetKey, nearest_names
from assetflow.partitions.definitions import PartitionsDefinition, dynamic_names
from assetflow.partitions.dimension_mapping import DimensionMapping
from assetflow.partitions.mappings import EdgeMapping, Identity, TimeWindow, WholeUpstream


@dataclass(frozen=True, slots=True)
class Edge:
    """One upstream asset of one computation.

    ``parameter`` is the function's parameter, or ``deps:<asset>`` for one that is not ``loaded`` (and has no
    ``arrival``). ``mapping`` and ``missing`` are settled: the defaults are filled in.
    """

    computation: str
    parameter: str
    upstream: AssetKey
    mapping: EdgeMapping
    missing: Literal["wait", "allow"]
    loaded: bool
    columns: tuple[str, ...] | None = None
    arrival: Arrival | None = None
    own: bool = False
    """Whether the upstream is an output of the computation itself: earlier partitions of it are read."""
    late_tolerance: timedelta | None = None
    """What is published of an upstream window later than that after its end makes nothing stale that is built."""
    dimensions: int = 1
    """How many dimensions the upstream has."""

    @property
    def single(self) -> bool:
        """Whether at most one upstream partition is read, so that its value arrives as it is."""
        if isinstance(self.mapping, DimensionMapping):
            joined = self.mapping.pairs
            return len(joined) == self.dimensions and all(_reads_one(each, own=self.own) for _, _, each in joined)
        return isinstance(self.mapping, WholeUpstream) or _reads_one(self.mapping, own=self.own)


def _reads_one(mapping: EdgeMapping | None, *, own: bool) -> bool:
    """Whether a partition reads at most one of the upstream's; with ``own`` both have the same definition."""
    if isinstance(mapping, TimeWindow):
        return own and mapping.start_offset == mapping.end_offset
    return isinstance(mapping, Identity)


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One computation in the graph.

    ``specs`` are those of ``outputs``, in order, with the schema of the return annotation. ``returns`` is what the
    function returns (nothing is said of a multi-asset's dict or tuple), ``output_returns`` what each output is. With a
    ``batch``, container ``"dict"`` stands for one value per partition key.
    """

    name: str
    kind: Literal["asset", "source"]
    outputs: tuple[AssetKey, ...]
    specs: tuple[AssetSpec, ...]
    partitions: PartitionsDefinition | None
    edges: tuple[Edge, ...]
    batch: Batch | None
    computation: Computation
    takes_context: bool
    returns: Arrival
    output_returns: tuple[Arrival, ...]

    @property
    def publish_group(self) -> str | None:
        """The publish group that it belongs to."""
        return self.computation.publish_group

    @property
    def pool(self) -> tuple[str, int] | None:
        """The pool that its steps take of, and how much each takes."""
        return self.computation.pool

    @property
    def own_edges(self) -> tuple[Edge, ...]:
        """The edges by which it reads earlier partitions of its own outputs."""
        return tuple([edge for edge in self.edges if edge.own])


@dataclass(frozen=True, slots=True, eq=False)
class AssetGraph:
    """All computations, upstreams first; the members of a publish group stand together.

    ``owner`` gives the computation of each asset, ``downstream`` the edges that read it (present for every asset),
    ``groups`` the computations of each publish group, in order.
    """

    nodes: Mapping[str, Node]
    owner: Mapping[AssetKey, str]
    specs: Mapping[AssetKey, AssetSpec]
    checks: Mapping[AssetKey, tuple[CheckSpec, ...]]
    downstream: Mapping[AssetKey, tuple[Edge, ...]]
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    def mates(self, name: str) -> tuple[str, ...]:
        """The computations that publish together with this one, itself included, in order."""
        group = self.nodes[name].publish_group
        return (name,) if group is None else self.groups[group]

    def with_mates(self, names: Iterable[str]) -> frozenset[str]:
        """These computations and all that publish together with one of them."""
        chosen = frozenset(names)
        return chosen.union(*(members for members in self.groups.values() if not chosen.isdisjoint(members)))

    def node_of(self, key: AssetRef) -> Node:
        """The computation that gives the asset ``key``. Raises UnknownAsset."""
        return self.nodes[self.owner[self.require(key)]]

    def dynamic_names(self) -> frozenset[str]:
        """The names of all dynamic partitions that the assets have, by themselves or in a dimension."""
        definitions = {id(node.partitions): node.partitions for node in self.nodes.values()}.values()
        return frozenset(name for each in definitions for name in dynamic_names(each))

    def assets_of_set(self, name: str) -> list[AssetKey]:
        """The assets, sources left out, whose partitions take keys from the dynamic partitions ``name``."""
        nodes = [
            node for node in self.nodes.values() if node.kind == "asset" and name in dynamic_names(node.partitions)
        ]
        return [key for node in nodes for key in node.outputs]

    def require(self, key: AssetRef) -> AssetKey:
        """The key of an asset that exists, from its key or its decorated function.

        Raises UnknownAsset, whose hint has the nearest names.
        """
        try:
            found = referenced_key(key)
        except DefinitionError as error:
            raise UnknownAsset(error.message, hint=error.hint) from None
        if found in self.owner:
            return found
        asset, at, _ = found.partition("@")
        apart = "give the partition apart from the asset" if at and asset in self.owner else None
        raise UnknownAsset(
            f"there is no asset {found!r}",
            hint=apart or nearest_names(found, self.owner) or "assetflow list shows all assets",
        )

    def ancestors(self, names: Iterable[str], depth: int | None = None) -> frozenset[str]:
        """The computations that these computations read from, up to ``depth`` steps away; not these themselves,
        unless one reads from another.
        """
        upstream = {
            name: [self.owner[edge.upstream] for edge in node.edges if not edge.own]
            for name, node in self.nodes.items()
        }
        return _reached(upstream, names, depth)

    def descendants(self, names: Iterable[str], depth: int | None = None) -> frozenset[str]:
        """The computations that read from these computations, up to ``depth`` steps away; not these themselves,
        unless one reads from another.
        """
        downstream = {
            name: [edge.computation for key in node.outputs for edge in self.downstream[key] if not edge.own]
            for name, node in self.nodes.items()
        }
        return _reached(downstream, names, depth)


def _reached(following: Mapping[str, list[str]], names: Iterable[str], depth: int | None) -> frozenset[str]:
    reached: set[str] = set()
    frontier = list(names)
    while frontier and depth != 0:
        found = {follower for name in frontier for follower in following[name]} - reached
        reached |= found
        frontier = list(found)
        depth = None if depth is None else depth - 1
    return frozenset(reached)
