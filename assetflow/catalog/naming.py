"""Partition keys of recorded ordinals, also where the definition has changed or is gone since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from assetflow.catalog.history import Integers
from assetflow.graph import AssetGraph
from assetflow.keys import AssetKey
from assetflow.partitions.dictionary import KeyDictionary
from assetflow.partitions.sets import PartitionSet
from assetflow.partitions.spaces import PartitionSpace


@dataclass(frozen=True, slots=True)
class PartitionNames:
    """The keys of partitions, by asset. What has no key any more is called by its ordinal, as in ``#735234``."""

    graph: AssetGraph
    spaces: Mapping[str, PartitionSpace]
    dictionary: KeyDictionary

    def keys(self, asset: str, ordinals: Integers) -> list[str | None]:
        """The keys of an asset's partitions; None where it is not partitioned."""
        space = self._space(asset)
        try:
            if space is not None:
                return space.keys(ordinals)
        except (KeyError, ValueError, OverflowError):
            return [self._key(space, ordinal) for ordinal in ordinals.tolist()]
        return [self._key(None, ordinal) for ordinal in ordinals.tolist()]

    def ranges(self, asset: str, partitions: PartitionSet) -> list[str]:
        """The partitions as ranges for people; none where the asset is not partitioned."""
        space = self._space(asset)
        try:
            if space is not None:
                return space.describe(partitions)
        except (KeyError, ValueError, OverflowError):
            pass
        return [key for key in self.keys(asset, partitions.array()) if key is not None]

    def _space(self, asset: str) -> PartitionSpace | None:
        name = self.graph.owner.get(AssetKey(asset))
        return None if name is None else self.spaces[name]

    def _key(self, space: PartitionSpace | None, ordinal: int) -> str | None:
        try:
            if space is not None:
                return space.keys(np.array([ordinal], np.int64))[0]
            if ordinal == 0:
                return None
        except (KeyError, ValueError, OverflowError):
            if space is not None and not space.time_based and ordinal in self.dictionary.ordinals.values():
                return self.dictionary.key(ordinal)
        return f"#{ordinal}"
