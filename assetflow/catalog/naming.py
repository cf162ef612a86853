"""Partition keys of recorded ordinals, also where the definition has changed or is gone since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from assetflow.graph import AssetGraph
from assetflow.keys import AssetKey
from assetflow.partitions.dictionary import KeyDictionary
from assetflow.partitions.ordinal_spaces import keys_in
from assetflow.partitions.sets import PartitionSet
from assetflow.partitions.spaces import PartitionSpace
from assetflow.publish.resolving import Integers
from assetflow.store.interface import StoreReader


def partition_names(
    graph: AssetGraph, spaces: Mapping[str, PartitionSpace], uids: Mapping[AssetKey, int], reader: StoreReader
) -> PartitionNames:
    """The names of all that a store has recorded; ``uids`` are those of the graph's assets."""
    present = set(uids.values())
    recorded = ((uid, space) for uid, (_, space) in reader.spaces_of().items() if uid not in present)
    former = {uid: space for uid, space in recorded if space is not None}
    return PartitionNames(graph, spaces, reader.keys(), former)


@dataclass(frozen=True, slots=True)
class PartitionNames:
    """The keys of partitions, by asset. What has no key any more is called by its ordinal, as in ``#735234``."""

    graph: AssetGraph
    spaces: Mapping[str, PartitionSpace]
    dictionary: KeyDictionary
    former: Mapping[int, str] = field(default_factory=dict[int, str])
    """What ordinals count by the uids of assets that are gone, or partitioned otherwise now."""

    def keys(self, asset: str, ordinals: Integers, uid: int | None = None) -> list[str | None]:
        """The keys of an asset's partitions; None where it is not partitioned.

        ``uid`` is the one that they are recorded under; None: the present one.
        """
        former = None if uid is None else self.former.get(uid)
        if former is not None:
            return keys_in(former, ordinals, self.dictionary)
        space = self._space(asset)
        if space is None:
            return [None if ordinal == 0 else f"#{ordinal}" for ordinal in ordinals.tolist()]
        known = space.has(ordinals)
        if known.all():
            return space.keys(ordinals)
        keys = dict(zip(ordinals[known].tolist(), space.keys(ordinals[known]), strict=True))
        return [keys[each] if each in keys else self._stranger(space, each) for each in ordinals.tolist()]

    def ranges(self, asset: str, partitions: PartitionSet, uid: int | None = None) -> list[str]:
        """The partitions as ranges for people; none where the asset is not partitioned."""
        space = None if uid in self.former else self._space(asset)
        if space is not None and space.has(partitions.array()).all():
            return space.describe(partitions)
        return [key for key in self.keys(asset, partitions.array(), uid) if key is not None]

    def _space(self, asset: str) -> PartitionSpace | None:
        name = self.graph.owner.get(AssetKey(asset))
        return None if name is None else self.spaces[name]

    def _stranger(self, space: PartitionSpace, ordinal: int) -> str | None:
        """The key of a partition that the definition had once: before its start, of a key that was taken out."""
        try:
            if space.time_based or space.grain == "multi":
                return space.key(ordinal)
            return self.dictionary.key(ordinal)
        except (KeyError, ValueError, OverflowError):
            return f"#{ordinal}"
