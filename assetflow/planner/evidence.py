"""What the log tells of how things came to be: asked for by explanations, and handed in by whoever reads the store."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from assetflow.keys import AssetKey, CodeVersion, DataHash, VersionId
from assetflow.partitions.sets import PartitionSet

Integers = NDArray[np.int64]


class Era(NamedTuple):
    """An asset while it was partitioned in one way; ``space`` is what its ordinals counted then."""

    asset: AssetKey
    space: str


@dataclass(frozen=True, slots=True, eq=False)
class Moves:
    """Every move of some partitions' pointers, by ordinal and then generation; aligned, version 0 for a withdrawal."""

    ordinals: Integers
    version: Integers
    derivation: Integers
    generation: Integers


@dataclass(frozen=True, slots=True)
class Made:
    """How something was published: ``kind`` is that of the derivation, ``code`` None for observations."""

    kind: str
    code: CodeVersion | None
    run_id: str | None
    at: datetime
    reason: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """What one derivation read through one parameter: aligned, ordinals ascending."""

    upstream: Era
    ordinals: Integers
    version: Integers


@dataclass(frozen=True, slots=True)
class Written:
    """One code version: the hash and the source text of each component."""

    components: Mapping[str, str]
    sources: Mapping[str, str]


class Evidence(Protocol):
    """What can be looked up of the past of one environment."""

    def present(self, asset: AssetKey) -> Era:
        """The asset as it is partitioned now; of one that is not declared any more, as it was in the end."""
        ...

    def moves(self, era: Era, ordinals: Integers) -> Moves:
        """The moves of an asset's partitions; of a source, its observations."""
        ...

    def made(self, derivations: Collection[int]) -> Mapping[int, Made]:
        """Those of the derivations that are known."""
        ...

    def reads(self, derivations: Collection[int]) -> Mapping[int, Mapping[str, Read]]:
        """What each derivation read, by parameter."""
        ...

    def hashes(self, versions: Collection[VersionId]) -> Mapping[VersionId, DataHash]:
        """The data hashes of those versions that are known."""
        ...

    def code(self, version: CodeVersion) -> Written | None:
        """One code version; None when its sources were not kept."""
        ...

    def keys(self, era: Era, ordinals: Integers) -> list[str | None]:
        """The keys of partitions, also of those that a definition has no more."""
        ...

    def ranges(self, era: Era, partitions: PartitionSet) -> list[str]:
        """Partitions as ranges for people; none where the asset is not partitioned."""
        ...
