"""What the planner is told about the world: columnar arrays by ordinal, and nothing that it could look up itself.

Arrays of one record are aligned; ``ordinals`` ascend and are unique unless said otherwise. 128-bit values (data hashes,
signatures, keys) are two ``uint64`` lanes, arrays of shape ``(n, 2)``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from assetflow.keys import AssetKey, CodeVersion
from assetflow.partitions.dictionary import KeyDictionary

Integers = NDArray[np.int64]
Lanes = NDArray[np.uint64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class InputColumn:
    """The recorded signature of one edge, by partition; ``present`` is false where the derivation had no such edge."""

    sums: Lanes
    present: Flags
    as_of: Integers | None = None
    """The generation in which the upstream was read, -1 where there was no such edge; None where nobody asks for it."""


@dataclass(frozen=True, slots=True, eq=False)
class AssetState:
    """The pointers of one asset (or the last observations of one source) in one environment."""

    ordinals: Integers
    version: Integers
    derivation: Integers
    generation: Integers
    hashes: Lanes
    code: Integers
    """Ids into :attr:`State.codes`; 0 for observations."""
    empty: Flags
    held: Flags
    tolerated: Flags
    """Whether the version was not made from all that its derivation says: late data was left out."""
    inputs: Mapping[str, InputColumn]
    """By parameter."""


@dataclass(frozen=True, slots=True, eq=False)
class Moves:
    """Every move of an asset's pointers, by ordinal and then generation.

    ``present`` is false for a withdrawal, whose hash is nothing. ``at`` is when what was published had been made, in
    microseconds since 1970.
    """

    ordinals: Integers
    generation: Integers
    hashes: Lanes
    present: Flags
    at: Integers


@dataclass(frozen=True, slots=True, eq=False)
class Failures:
    """The last try of each partition, where that try failed; ``keys`` are try keys."""

    ordinals: Integers
    keys: Lanes
    runs: tuple[str, ...]
    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Retained:
    """Versions that could be published again without computing: ``keys`` are derivation keys; ordinals may repeat.

    Newest last within an ordinal.
    """

    ordinals: Integers
    keys: Lanes
    version: Integers
    derivation: Integers


@dataclass(frozen=True, slots=True, eq=False)
class CheckResults:
    """Which versions the present version of one check passed and failed on, ascending version ids.

    A result that only warns counts as passed. ``earlier`` holds versions that only an earlier form of the check has
    seen.
    """

    passed: Integers
    failed: Integers
    earlier: Integers


@dataclass(frozen=True, slots=True)
class Former:
    """What is published of an asset from when its ordinals counted something else, as in ``space``.

    How many partitions, and when the last of them was published, in microseconds since 1970.
    """

    space: str
    partitions: int
    published_at: int


@dataclass(frozen=True, slots=True)
class CodeRecord:
    """One code version and the hashes of the components that it was made from."""

    version: CodeVersion
    components: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a history goes: what was recorded later has higher numbers than these."""

    derivation: int = 0
    change: int = 0
    """Of what changes without a derivation: tries that failed, checks run later, observations withdrawn."""


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """Everything recorded that a plan depends on, as of one generation, in one environment."""

    generation: int
    uids: Mapping[AssetKey, int]
    keys: KeyDictionary
    assets: Mapping[AssetKey, AssetState] = field(default_factory=dict[AssetKey, AssetState])
    codes: Mapping[int, CodeRecord] = field(default_factory=dict[int, CodeRecord])
    """Those that any pointer mentions, and perhaps others."""
    failures: Mapping[AssetKey, Failures] = field(default_factory=dict[AssetKey, Failures])
    retained: Mapping[AssetKey, Retained] = field(default_factory=dict[AssetKey, Retained])
    """Derivations under a present code version that are not the current ones, of the kind ``computed``."""
    candidates: Mapping[AssetKey, Retained] = field(default_factory=dict[AssetKey, Retained])
    """Quarantined versions under the present code version."""
    checks: Mapping[tuple[AssetKey, str], CheckResults] = field(
        default_factory=dict[tuple[AssetKey, str], CheckResults]
    )
    """By asset and check name."""
    verified: Mapping[AssetKey, Integers] = field(default_factory=dict[AssetKey, Integers])
    """When the data of each partition was last found by computing (or, of a source, by asking), in microseconds since
    1970, aligned with ``assets``. A rebuild that gave equal data counts. Only of the assets that it was asked for."""
    moves: Mapping[AssetKey, Moves] = field(default_factory=dict[AssetKey, Moves])
    """Of the assets that an edge with a late tolerance reads, or that late data was left out of."""
    former: Mapping[AssetKey, Former] = field(default_factory=dict[AssetKey, Former])
    """Of assets that were partitioned otherwise before."""
    dynamic: Mapping[str, Integers] = field(default_factory=dict[str, Integers])
    """The ordinals of dynamic partitions by name, in the order in which their keys were added."""
    mark: Mark = field(default_factory=Mark)


@dataclass(frozen=True, slots=True)
class Codes:
    """The code as it is now: fingerprints handed in by whoever loaded the definitions."""

    computations: Mapping[str, CodeRecord]
    """By computation name; sources have none."""
    checks: Mapping[tuple[AssetKey, str], CodeVersion] = field(default_factory=dict[tuple[AssetKey, str], CodeVersion])
    """By asset and check name."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one successful attempt at one asset partition took and gave; None where a value has no rows or bytes.

    ``seconds`` is the partition's share where one call made several.
    """

    seconds: float
    rows: int | None
    bytes: int | None
    code: CodeVersion


@dataclass(frozen=True, slots=True)
class Attempts:
    """Past attempts by uid and ordinal, the newest last: those that ``computed``, and seconds of those that only
    ``checked`` what was published."""

    computed: Mapping[int, Mapping[int, Sequence[Attempt]]] = field(
        default_factory=dict[int, "Mapping[int, Sequence[Attempt]]"]
    )
    checked: Mapping[int, Mapping[int, Sequence[float]]] = field(
        default_factory=dict[int, "Mapping[int, Sequence[float]]"]
    )


def empty_asset_state() -> AssetState:
    """The state of an asset that nothing was ever published of."""
    integers = np.empty(0, np.int64)
    flags = np.empty(0, np.bool_)
    lanes = np.empty((0, 2), np.uint64)
    return AssetState(integers, integers, integers, integers, lanes, integers, flags, flags, flags, {})
