"""The partitions of several dimensions: ordinals that hold one ordinal of each, side by side.

The first dimension has the highest bits, so that ordinals ascend as the combinations do. How many bits a dimension has
follows from its kind alone: no partition of a dimension, added or removed, moves an ordinal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations, pairwise
from typing import Literal

import numpy as np

from assetflow.errors import InvalidPartition
from assetflow.keys import escape_key
from assetflow.partitions.dynamic_space import DynamicSpace
from assetflow.partitions.key_ranges import range_texts
from assetflow.partitions.multi_partitions import WIDTHS, MultiPartitions
from assetflow.partitions.paths import path_component
from assetflow.partitions.sets import Flags, Ints, PartitionSet
from assetflow.partitions.static_space import StaticSpace
from assetflow.partitions.time_space import TimeSpace

_ESCAPED = re.compile(r"%(7[Cc]|25)")


@dataclass(frozen=True, slots=True)
class MultiSpace:
    """The combinations of the partitions of ``spaces``, one space for each dimension in declared order."""

    definition: MultiPartitions
    spaces: tuple[TimeSpace | StaticSpace | DynamicSpace, ...]

    @property
    def grain(self) -> Literal["multi"]:
        return "multi"

    @property
    def time_based(self) -> bool:
        return False

    def packed(self, parts: Sequence[Ints]) -> Ints:
        """The ordinals of combinations, from the ordinals in each dimension."""
        ordinals = np.zeros_like(parts[0])
        for space, part in zip(self.spaces, parts, strict=True):
            ordinals = (ordinals << WIDTHS[space.grain]) | part
        return ordinals

    def parts(self, ordinals: Ints) -> list[Ints]:
        """The ordinals in each dimension, in declared order."""
        found: list[Ints] = []
        for space in reversed(self.spaces):
            width = WIDTHS[space.grain]
            found.append(ordinals & ((1 << width) - 1))
            ordinals = ordinals >> width
        return found[::-1]

    def combined(self, sides: Sequence[Ints]) -> Ints:
        """All combinations of some ordinals of each dimension; ascending if they are."""
        ordinals = np.zeros(1, np.int64)
        for space, side in zip(self.spaces, sides, strict=True):
            ordinals = ((ordinals << WIDTHS[space.grain])[:, None] | side).ravel()
        return ordinals

    def existing(self, now: datetime) -> PartitionSet:
        return self._product([space.existing(now) for space in self.spaces])

    def has(self, ordinals: Ints) -> Flags:
        known = (ordinals >> sum(WIDTHS[space.grain] for space in self.spaces)) == 0
        for space, part in zip(self.spaces, self.parts(ordinals), strict=True):
            known &= space.has(part)
        return known

    def key(self, ordinal: int) -> str | None:
        return self.keys(np.array([ordinal], np.int64))[0]

    def keys(self, ordinals: Ints) -> list[str | None]:
        return [*self._keys(ordinals)]

    def ordinal(self, key: str) -> int:
        texts = self._split(key)
        if texts is None:
            names = "|".join(self.definition.names)
            raise InvalidPartition(
                f"{key!r} is no key of {len(self.spaces)} dimensions: {self.definition.describe()}",
                hint=f"write it as {names}, with %7C for a | inside a key",
            )
        found: list[Ints] = []
        for name, space, text in zip(self.definition.names, self.spaces, texts, strict=True):
            try:
                found.append(np.array([space.ordinal(text)], np.int64))
            except InvalidPartition as error:
                raise InvalidPartition(f"{key!r}, dimension {name!r}: {error.message}", hint=error.hint) from error
        return int(self.packed(found)[0])

    def ordinals(self, keys: Sequence[str]) -> Ints:
        split = [self._split(key) for key in keys]
        known = np.array([texts is not None for texts in split], np.bool_)
        columns = zip(*(texts for texts in split if texts is not None), strict=True)
        parts = [space.ordinals(column) for space, column in zip(self.spaces, columns, strict=False)]
        found = np.full(len(keys), -1, np.int64)
        if parts:
            found[known] = np.where(np.logical_or.reduce([part < 0 for part in parts]), -1, self.packed(parts))
        return found

    def within(self, key: str) -> PartitionSet | None:
        return self.between(key, key)

    def between(self, first: str, last: str) -> PartitionSet | None:
        begins, ends = self._split(first), self._split(last)
        if begins is None or ends is None:
            return None
        sides: list[PartitionSet] = []
        reversed_in: dict[int, str] = {}
        for place, (space, begin, end) in enumerate(zip(self.spaces, begins, ends, strict=True)):
            try:
                inside = space.between(begin, end)
            except InvalidPartition as error:
                reversed_in[place] = error.message
                continue
            if inside is None:
                return None
            sides.append(inside)
        if reversed_in:
            raise self._reversed(begins, ends, reversed_in)
        return self._product(sides)

    def _reversed(self, begins: list[str], ends: list[str], problems: Mapping[int, str]) -> InvalidPartition:
        """The error that a range ends before it begins in some of the dimensions, with the range that was meant."""
        told = [f"dimension {self.definition.names[place]!r}: {problem}" for place, problem in problems.items()]
        sides = [(b, a) if place in problems else (a, b) for place, (a, b) in enumerate(zip(begins, ends, strict=True))]
        first, last = map(escape_key, joined_keys(sides))
        return InvalidPartition("; ".join(told), hint=f"write {first}...{last}")

    def window(self, ordinal: int) -> tuple[datetime, datetime] | None:
        timed = self.timed()
        if timed is None:
            return None
        index, space = timed
        return space.window(int(self.parts(np.array([ordinal], np.int64))[index][0]))

    def windows(self, ordinals: Ints) -> tuple[Ints, Ints] | None:
        timed = self.timed()
        return None if timed is None else timed[1].windows(self.parts(ordinals)[timed[0]])

    def watermark(self, done: PartitionSet, now: datetime) -> datetime | None:
        """The end of the unbroken run of windows in which every combination is ``done``."""
        timed = self.timed()
        if timed is None:
            return None
        index, space = timed
        existing = self.existing(now)
        begun = PartitionSet.from_ordinals(np.unique(self.parts((existing - done).array())[index]))
        return space.watermark(space.existing(now) - begun, now) if existing else None

    def gaps(self, done: PartitionSet, now: datetime) -> PartitionSet:
        timed = self.timed()
        existing = self.existing(now)
        reached = existing & done
        if timed is None or not reached:
            return PartitionSet.empty()
        missing = (existing - done).array()
        latest = self.parts(reached.array())[timed[0]].max()
        return PartitionSet.from_ordinals(missing[self.parts(missing)[timed[0]] < latest])

    def ordered(self, ordinals: Ints) -> Ints:
        return ordinals[np.lexsort([*reversed(self._places(ordinals))])] if ordinals.size else ordinals

    def ranges_of_keys(self, partitions: PartitionSet) -> list[tuple[str, str]]:
        """The partitions as boxes: from one combination to another, a range in each dimension."""
        return self.first_ranges(partitions, None)[0]

    def first_ranges(self, partitions: PartitionSet, limit: int | None) -> tuple[list[tuple[str, str]], int]:
        """The first of those boxes, and how many more there are."""
        ordinals = partitions.array()
        if not ordinals.size:
            return [], 0
        first = last = np.arange(ordinals.size)
        places = self._places(ordinals)
        for index in reversed(range(len(places))):
            others = [place[side] for at, place in enumerate(places) if at != index for side in (first, last)]
            order = np.lexsort([places[index][first], *reversed(others)])
            first, last = first[order], last[order]
            joined = places[index][first[1:]] == places[index][last[:-1]] + 1
            for other in others:
                joined &= np.diff(other[order]) == 0
            breaks = np.flatnonzero(~joined)
            first, last = first[np.concatenate(([0], breaks + 1))], last[np.concatenate((breaks, [last.size - 1]))]
        order = np.lexsort([place[first] for place in reversed(places)])
        shown = order[:limit]
        pairs = zip(self._keys(ordinals[first[shown]]), self._keys(ordinals[last[shown]]), strict=True)
        return list(pairs), len(order) - len(shown)

    def describe(self, partitions: PartitionSet, limit: int | None = None) -> list[str]:
        return range_texts(*self.first_ranges(partitions, limit))

    def path_component(self, ordinal: int) -> str:
        (key,) = self._keys(np.array([ordinal], np.int64))
        return path_component(key)

    def _product(self, sides: Sequence[PartitionSet]) -> PartitionSet:
        return PartitionSet.from_ordinals(self.combined([side.array() for side in sides]))

    def _keys(self, ordinals: Ints) -> list[str]:
        columns: list[list[str]] = []
        for space, part in zip(self.spaces, self.parts(ordinals), strict=True):
            some, where = np.unique(part, return_inverse=True)
            texts = np.array([_escaped(key or "") for key in space.keys(some)], np.object_)
            columns.append(texts[where].tolist())
        return ["|".join(texts) for texts in zip(*columns, strict=True)]

    def _split(self, key: str) -> list[str] | None:
        """The key of each dimension; None when ``key`` has another number of them.

        A ``|`` inside a dimension's key may stand unescaped, as addresses give it, where only one reading is known.
        """
        texts, count = key.split("|"), len(self.spaces)
        if len(texts) == count:
            return [_unescaped(text) for text in texts]
        readings: list[list[str]] = []
        for cuts in combinations(range(1, len(texts)), count - 1) if count <= len(texts) <= 20 else ():
            bounds = [0, *cuts, len(texts)]
            reading = ["|".join(texts[a:b]) for a, b in pairwise(bounds)]
            if all(space.within(text) for space, text in zip(self.spaces, reading, strict=True)):
                readings.append(reading)
        return readings[0] if len(readings) == 1 else None

    def timed(self) -> tuple[int, TimeSpace] | None:
        """The only dimension of time with its place, if there is exactly one."""
        found = [(index, space) for index, space in enumerate(self.spaces) if isinstance(space, TimeSpace)]
        return found[0] if len(found) == 1 else None

    def _places(self, ordinals: Ints) -> list[Ints]:
        """Where each partition stands in each dimension: numbers that differ by one for neighbours only."""
        places: list[Ints] = []
        for space, part in zip(self.spaces, self.parts(ordinals), strict=True):
            some, where = np.unique(part, return_inverse=True)
            places.append(space.places(some)[where])
        return places


def joined_keys(columns: Sequence[Sequence[str]]) -> list[str]:
    """The keys of combinations, from the keys in each dimension."""
    return ["|".join(map(_escaped, texts)) for texts in zip(*columns, strict=True)]


def _escaped(key: str) -> str:
    return _ESCAPED.sub(lambda match: "%25" + match[1], key).replace("|", "%7C")


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda match: "%" if match[1] == "25" else "|", text)
