"""Which upstream partitions a partition reads: the declared mappings, resolved on ordinals.

Most read a contiguous run of the upstream's existing partitions, so that an image is a pair of positions ``[lo, hi)``
in their ascending array. Others say it by key, and gather. Either way all downstream partitions are mapped at once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from assetflow.partitions.sets import Bools, Ints, PartitionSet
from assetflow.partitions.spaces import PartitionSpace
from assetflow.partitions.spans import Spans, any_within, covered
from assetflow.partitions.time_space import TimeSpace


class EdgeMapping(ABC):
    """Base of all mappings; ``down`` and ``up`` are the spaces of the two assets of an edge.

    ``existing_up`` is always the ascending array (or the set) of the upstream partitions that exist.
    """

    __slots__ = ()

    @property
    def strict(self) -> bool:
        """Whether a partition that asks for what can never exist waits for ever."""
        return False

    @abstractmethod
    def spans(self, down: PartitionSpace, ordinals: Ints, up: PartitionSpace, existing_up: Ints) -> Spans:
        """The positions in ``existing_up`` that each downstream partition reads; none is possible."""

    @abstractmethod
    def expected(self, down: PartitionSpace, ordinals: Ints, up: PartitionSpace, now: datetime) -> Bools:
        """Whether all that each downstream partition asks for, within the upstream's bounds, exists by ``now``.

        False means that it has to wait: a month for the week that begins in it and is not over yet.
        """

    @abstractmethod
    def awaited(
        self, partitions: PartitionSet, down: PartitionSpace, up: PartitionSpace, now: datetime
    ) -> PartitionSet:
        """The upstream partitions that these ask for and that do not exist by ``now``, but will."""

    @abstractmethod
    def nonexistent(self, down: PartitionSpace, ordinals: Ints, up: PartitionSpace) -> Bools:
        """Whether each downstream partition asks for an upstream partition that can never exist."""

    @abstractmethod
    def asking(self, down: PartitionSpace, ordinals: Ints, up: PartitionSpace) -> Bools:
        """Whether each downstream partition asks for anything that the upstream's definition may ever have."""

    def upstream(
        self, partitions: PartitionSet, down: PartitionSpace, up: PartitionSpace, existing_up: PartitionSet
    ) -> PartitionSet:
        """The existing upstream partitions that any of these downstream ``partitions`` reads."""
        existing, readers = existing_up.array(), partitions.array()
        spans = self.spans(down, readers, up, existing)
        reached = covered(np.ones(readers.size, np.bool_), spans, existing.size)
        return PartitionSet.from_ordinals(existing[reached])

    def downstream(
        self,
        partitions: PartitionSet,
        down: PartitionSpace,
        up: PartitionSpace,
        existing_down: PartitionSet,
        existing_up: PartitionSet,
    ) -> PartitionSet:
        """The existing downstream partitions that read any of these upstream ``partitions``."""
        readers, existing = existing_down.array(), existing_up.array()
        read = np.isin(existing, (partitions & existing_up).array(), assume_unique=True)
        return PartitionSet.from_ordinals(readers[any_within(read, self.spans(down, readers, up, existing))])


class RangeMapping(EdgeMapping):
    """A mapping that reads a contiguous run of the upstream's existing partitions.

    It says what it asks for by :meth:`requested`, and all else follows from that, for all partitions at once.
    """

    __slots__ = ()

    @abstractmethod
    def requested(self, down: PartitionSpace, ordinals: Ints, up: PartitionSpace) -> tuple[Ints, Ints] | None:
        """The upstream ordinals ``[first, stop)`` that each downstream partition asks for, whatever exists.

        They may lie outside the upstream's bounds. None: whatever exists, nothing in particular.
        """

    def spans(self, down: PartitionSpace, ordinals: Ints, up: PartitionSpace, existing_up: Ints) -> Spans:
        asked = self.requested(down, ordinals, up)
        if asked is None:
            return Spans(np.zeros(ordinals.size, np.int64), np.full(ordinals.size, existing_up.size, np.int64))
        lo = np.searchsorted(existing_up, asked[0]).astype(np.int64, copy=False)
        hi = np.searchsorted(existing_up, asked[1]).astype(np.int64, copy=False)
        return Spans(lo, np.maximum(lo, hi))

    def expected(self, down: PartitionSpace, ordinals: Ints, up: PartitionSpace, now: datetime) -> Bools:
        asked = self.requested(down, ordinals, up)
        if asked is None or not isinstance(up, TimeSpace):
            return np.ones(ordinals.size, np.bool_)
        first, stop = _clipped(asked, up)
        return (first >= stop) | (stop <= up.frontier(now))

    def awaited(
        self, partitions: PartitionSet, down: PartitionSpace, up: PartitionSpace, now: datetime
    ) -> PartitionSet:
        asked = self.requested(down, partitions.array(), up)
        awaited = PartitionSet.empty()
        if asked is None or not isinstance(up, TimeSpace):
            return awaited
        first, stop = _clipped(asked, up)
        first = np.maximum(first, up.frontier(now))
        ranges = np.unique(np.column_stack((first, stop))[first < stop], axis=0)
        for begin, end in ranges.tolist():
            awaited |= up.calendar.windows(begin, end)
        return awaited

    def nonexistent(self, down: PartitionSpace, ordinals: Ints, up: PartitionSpace) -> Bools:
        asked = self.requested(down, ordinals, up)
        if asked is None or not isinstance(up, TimeSpace):
            return np.zeros(ordinals.size, np.bool_)
        first, stop = _clipped(asked, up)
        return (asked[0] < asked[1]) & ((asked[0] < first) | (asked[1] > stop))

    def asking(self, down: PartitionSpace, ordinals: Ints, up: PartitionSpace) -> Bools:
        asked = self.requested(down, ordinals, up)
        if asked is None or not isinstance(up, TimeSpace):
            return np.ones(ordinals.size, np.bool_)
        first, stop = _clipped(asked, up)
        return first < stop


@dataclass(frozen=True, slots=True)
class Identity(RangeMapping):
    """The upstream partition with the same key."""

    def requested(self, down: PartitionSpace, ordinals: Ints, up: PartitionSpace) -> tuple[Ints, Ints] | None:
        return ordinals, ordinals + 1


@dataclass(frozen=True, slots=True)
class TimeWindow(RangeMapping):
    """The upstream windows that overlap the downstream window, whatever their grains and time zones.

    ``start_offset`` and ``end_offset`` move the two ends by that many upstream windows: ``TimeWindow(-1, -1)`` between
    daily assets is yesterday, ``TimeWindow(-6, 0)`` the last seven days. Windows outside the upstream's bounds are not
    asked for; with ``allow_nonexistent=False`` a partition that would need one waits.
    """

    start_offset: int = 0
    end_offset: int = 0
    allow_nonexistent: bool = True

    @property
    def strict(self) -> bool:
        return not self.allow_nonexistent

    def requested(self, down: PartitionSpace, ordinals: Ints, up: PartitionSpace) -> tuple[Ints, Ints] | None:
        windows, upstream = _timed(down), _timed(up)
        first, stop = upstream.spanning(*windows.boundaries(ordinals))
        return upstream.shift(first, self.start_offset), upstream.shift(stop, self.end_offset)

    def expected(self, down: PartitionSpace, ordinals: Ints, up: PartitionSpace, now: datetime) -> Bools:
        expected = RangeMapping.expected(self, down, ordinals, up, now)
        return expected if self.allow_nonexistent else expected & ~self.nonexistent(down, ordinals, up)


@dataclass(frozen=True, slots=True)
class AllPartitions(RangeMapping):
    """All upstream partitions that exist."""

    def requested(self, down: PartitionSpace, ordinals: Ints, up: PartitionSpace) -> tuple[Ints, Ints] | None:
        return None


@dataclass(frozen=True, slots=True)
class LastN(RangeMapping):
    """The last ``n`` windows of a time-based upstream: those that end no later than the downstream window does, or,
    for a downstream without windows, the last that exist. Fewer, where the upstream has no more.
    """

    n: int

    def spans(self, down: PartitionSpace, ordinals: Ints, up: PartitionSpace, existing_up: Ints) -> Spans:
        if isinstance(down, TimeSpace):
            return RangeMapping.spans(self, down, ordinals, up, existing_up)
        size = existing_up.size
        return Spans(np.full(ordinals.size, max(0, size - self.n), np.int64), np.full(ordinals.size, size, np.int64))

    def requested(self, down: PartitionSpace, ordinals: Ints, up: PartitionSpace) -> tuple[Ints, Ints] | None:
        if not isinstance(down, TimeSpace):
            return None
        upstream = _timed(up)
        stop = upstream.containing(down.boundaries(ordinals)[1])
        if upstream.bounds.stop is not None:
            stop = np.minimum(stop, upstream.bounds.stop)
        return np.maximum(upstream.shift(stop, -self.n), upstream.bounds.first), stop


@dataclass(frozen=True, slots=True)
class WholeUpstream(RangeMapping):
    """The one partition of an unpartitioned upstream."""

    def requested(self, down: PartitionSpace, ordinals: Ints, up: PartitionSpace) -> tuple[Ints, Ints] | None:
        return None


def _clipped(asked: tuple[Ints, Ints], up: TimeSpace) -> tuple[Ints, Ints]:
    first, stop = np.maximum(asked[0], up.bounds.first), asked[1]
    return first, stop if up.bounds.stop is None else np.minimum(stop, up.bounds.stop)


def _timed(space: PartitionSpace) -> TimeSpace:
    if not isinstance(space, TimeSpace):
        raise TypeError(f"a mapping of windows needs time partitions, not {space.grain}")
    return space
