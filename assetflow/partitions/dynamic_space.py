"""The partitions of a set of keys that is kept in the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import numpy as np

from assetflow.errors import InvalidPartition
from assetflow.keys import nearest_names
from assetflow.partitions.dictionary import KeyDictionary
from assetflow.partitions.dynamic_partitions import DynamicPartitions
from assetflow.partitions.key_ranges import range_texts, runs
from assetflow.partitions.paths import path_component
from assetflow.partitions.sets import Flags, Ints, PartitionSet

_COMPARED = 5_000
"""Up to so many keys are compared with one that is unknown: comparing a million takes a minute."""


@dataclass(frozen=True, slots=True, eq=False)
class DynamicSpace:
    """The keys of a set at one moment; ``present`` holds their ordinals in the order in which they were added.

    Nothing here is done key by key but what is asked of single keys: there may be a million.
    """

    definition: DynamicPartitions
    present: Ints
    dictionary: KeyDictionary
    _sorted: Ints = field(init=False, repr=False)
    _rank_of_sorted: Ints | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # Keys that were never seen before get ascending ordinals as they are added.
        order = None if bool((np.diff(self.present) > 0).all()) else np.argsort(self.present)
        object.__setattr__(self, "_sorted", self.present if order is None else self.present[order])
        object.__setattr__(self, "_rank_of_sorted", order)

    @property
    def grain(self) -> Literal["dynamic"]:
        return "dynamic"

    @property
    def time_based(self) -> bool:
        return False

    def existing(self, now: datetime) -> PartitionSet:
        return PartitionSet.from_ascending(self._sorted)

    def has(self, ordinals: Ints) -> Flags:
        return self._found(ordinals)[1]

    def key(self, ordinal: int) -> str | None:
        return self.dictionary.key(ordinal)

    def keys(self, ordinals: Ints) -> list[str | None]:
        return [*map(self.dictionary.key, ordinals.tolist())]

    def ordinal(self, key: str) -> int:
        ordinal = int(self.ordinals([key])[0])
        if ordinal < 0:
            raise InvalidPartition(
                f"there is no partition {key!r}: {self.definition.describe()} do not have it", hint=self._advice(key)
            )
        return ordinal

    def ordinals(self, keys: Sequence[str]) -> Ints:
        recorded = self.recorded(keys)
        return np.where(self.has(recorded), recorded, -1)

    def recorded(self, keys: Sequence[str]) -> Ints:
        """The ordinals of keys, be they in the set or not; -1 for those that were never met."""
        found = self.dictionary.find(keys)
        return np.where(found == 0, -1, found)

    def within(self, key: str) -> PartitionSet | None:
        return self.between(key, key)

    def between(self, first: str, last: str) -> PartitionSet | None:
        ends = self.ordinals([first, last])
        if bool((ends < 0).any()):
            return None
        begin, end = self.places(ends).tolist()
        if end < begin:
            raise InvalidPartition(
                f"{last!r} was added before {first!r}", hint="ranges follow the order in which keys were added"
            )
        return PartitionSet.from_ordinals(self.present[begin : end + 1])

    def window(self, ordinal: int) -> tuple[datetime, datetime] | None:
        return None

    def windows(self, ordinals: Ints) -> tuple[Ints, Ints] | None:
        return None

    def watermark(self, done: PartitionSet, now: datetime) -> datetime | None:
        return None

    def gaps(self, done: PartitionSet, now: datetime) -> PartitionSet:
        return PartitionSet.empty()

    def ordered(self, ordinals: Ints) -> Ints:
        """In the order of addition; those that are not in the set come last."""
        places, inside = self._found(ordinals)
        return np.concatenate((self.present[np.sort(self._ranks(places[inside]))], ordinals[~inside]))

    def ranges_of_keys(self, partitions: PartitionSet) -> list[tuple[str, str]]:
        return self.first_ranges(partitions, None)[0]

    def first_ranges(self, partitions: PartitionSet, limit: int | None) -> tuple[list[tuple[str, str]], int]:
        ordinals = partitions.array()
        places, inside = self._found(ordinals)
        ranks = np.sort(self._ranks(places[inside]))
        firsts, lasts = runs(ranks, np.diff(ranks) == 1)
        strangers = ordinals[~inside]
        firsts = np.concatenate((self.present[firsts], strangers))
        lasts = np.concatenate((self.present[lasts], strangers))
        key = self.dictionary.key
        pairs = zip(firsts[:limit].tolist(), lasts[:limit].tolist(), strict=True)
        shown = [(key(first), key(last)) for first, last in pairs]
        return shown, len(firsts) - len(shown)

    def describe(self, partitions: PartitionSet, limit: int | None = None) -> list[str]:
        return range_texts(*self.first_ranges(partitions, limit))

    def path_component(self, ordinal: int) -> str:
        # The folder must not depend on which other keys there are: where case may clash, it always counts as a clash.
        key = self.dictionary.key(ordinal)
        return path_component(key, clashes=key != key.lower())

    def places(self, ordinals: Ints) -> Ints:
        """The place of each partition in the order of addition. Raises KeyError for one that is not in the set."""
        places, found = self._found(ordinals)
        if not found.all():
            raise KeyError(int(ordinals[~found][0]))
        return self._ranks(places)

    def _ranks(self, places: Ints) -> Ints:
        return places if self._rank_of_sorted is None else self._rank_of_sorted[places]

    def _found(self, ordinals: Ints) -> tuple[Ints, Flags]:
        """Where each ordinal is in the ascending ones, and whether it is there at all."""
        size = self._sorted.size
        if not size:
            return np.zeros(ordinals.size, np.int64), np.zeros(ordinals.size, np.bool_)
        if self._sorted[-1] - self._sorted[0] == size - 1:
            # All of them were added together, as is most common: no search is needed.
            places = ordinals - self._sorted[0]
            found = (places >= 0) & (places < size)
            return np.where(found, places, 0), found
        places = np.minimum(np.searchsorted(self._sorted, ordinals), size - 1)
        return places, self._sorted[places] == ordinals

    def _advice(self, key: str) -> str:
        some = self.present[:: max(1, self.present.size // _COMPARED)]
        near = nearest_names(key, [*map(self.dictionary.key, some.tolist())])
        return near or f"assetflow partitions list {self.definition.name!r} shows them, partitions add adds one"
