"""The partitions of a fixed list of keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import numpy as np

from assetflow.errors import InvalidPartition
from assetflow.keys import nearest_names
from assetflow.partitions.definitions import StaticPartitions
from assetflow.partitions.key_ranges import range_texts, runs
from assetflow.partitions.paths import path_component
from assetflow.partitions.sets import Flags, Ints, PartitionSet


@dataclass(frozen=True, slots=True, eq=False)
class StaticSpace:
    """Static keys with their ordinals; ``declared`` holds the ordinals in the order of the definition."""

    definition: StaticPartitions
    declared: Ints
    _sorted: Ints = field(init=False, repr=False)
    _rank_of_sorted: Ints | None = field(init=False, repr=False)
    """None: they are declared in the order of their ordinals, which is mostly so."""
    _known: dict[str, dict[str, int]] = field(init=False, repr=False, default_factory=dict[str, "dict[str, int]"])

    def __post_init__(self) -> None:
        ascends = bool((self.declared[1:] > self.declared[:-1]).all())
        order = None if ascends else np.argsort(self.declared, kind="stable")
        object.__setattr__(self, "_sorted", self.declared if order is None else self.declared[order])
        object.__setattr__(self, "_rank_of_sorted", order)

    @property
    def _ranks(self) -> dict[str, int]:
        """The place of each key; made when first asked for, as planning needs no keys."""
        if "ranks" not in self._known:
            self._known["ranks"] = {key: rank for rank, key in enumerate(self.definition.keys)}
        return self._known["ranks"]

    @property
    def _folded(self) -> dict[str, int]:
        """How many keys differ in nothing but case from each."""
        if "folded" not in self._known:
            self._known["folded"] = Counter(key.casefold() for key in self.definition.keys)
        return self._known["folded"]

    @property
    def grain(self) -> Literal["static"]:
        return "static"

    @property
    def time_based(self) -> bool:
        return False

    def existing(self, now: datetime) -> PartitionSet:
        return PartitionSet.from_ascending(self._sorted)

    def has(self, ordinals: Ints) -> Flags:
        return np.isin(ordinals, self.declared)

    def key(self, ordinal: int) -> str | None:
        return self.keys(np.array([ordinal], np.int64))[0]

    def keys(self, ordinals: Ints) -> list[str | None]:
        return [self._key(rank) for rank in self.places(ordinals).tolist()]

    def ordinal(self, key: str) -> int:
        rank = self._ranks.get(key)
        if rank is None:
            nearest = nearest_names(key, self._ranks)
            raise InvalidPartition(f"there is no partition {key!r}: {self.definition.describe()}", hint=nearest)
        return int(self.declared[rank])

    def ordinals(self, keys: Sequence[str]) -> Ints:
        known = self._ranks
        ranks = np.array([known.get(key, -1) for key in keys], np.int64)
        return np.where(ranks < 0, -1, self.declared[ranks])

    def within(self, key: str) -> PartitionSet | None:
        return self.between(key, key)

    def between(self, first: str, last: str) -> PartitionSet | None:
        known = self._ranks
        if first not in known or last not in known:
            return None
        begin, end = known[first], known[last]
        if end < begin:
            raise InvalidPartition(
                f"{last!r} is declared before {first!r}", hint="ranges follow the order of the keys in the definition"
            )
        return PartitionSet.from_ordinals(self.declared[begin : end + 1])

    def window(self, ordinal: int) -> tuple[datetime, datetime] | None:
        return None

    def windows(self, ordinals: Ints) -> tuple[Ints, Ints] | None:
        return None

    def watermark(self, done: PartitionSet, now: datetime) -> datetime | None:
        return None

    def gaps(self, done: PartitionSet, now: datetime) -> PartitionSet:
        return PartitionSet.empty()

    def ordered(self, ordinals: Ints) -> Ints:
        return self.declared[np.sort(self.places(ordinals))]

    def ranges_of_keys(self, partitions: PartitionSet) -> list[tuple[str, str]]:
        return self.first_ranges(partitions, None)[0]

    def first_ranges(self, partitions: PartitionSet, limit: int | None) -> tuple[list[tuple[str, str]], int]:
        ranks = np.sort(self.places(partitions.array()))
        firsts, lasts = runs(ranks, np.diff(ranks) == 1)
        pairs = zip(firsts[:limit].tolist(), lasts[:limit].tolist(), strict=True)
        shown = [(self._key(first), self._key(last)) for first, last in pairs]
        return shown, len(firsts) - len(shown)

    def describe(self, partitions: PartitionSet, limit: int | None = None) -> list[str]:
        return range_texts(*self.first_ranges(partitions, limit))

    def path_component(self, ordinal: int) -> str:
        key = self._key(int(self.places(np.array([ordinal], np.int64))[0]))
        return path_component(key, clashes=self._folded[key.casefold()] > 1)

    def _key(self, rank: int) -> str:
        return self.definition.keys[rank]

    def places(self, ordinals: Ints) -> Ints:
        """The place of each partition in the order of the definition. Raises KeyError for one that it does not have."""
        places = np.minimum(np.searchsorted(self._sorted, ordinals), self._sorted.size - 1)
        if (strangers := ordinals[self._sorted[places] != ordinals]).size:
            raise KeyError(int(strangers[0]))
        return places if self._rank_of_sorted is None else self._rank_of_sorted[places]
