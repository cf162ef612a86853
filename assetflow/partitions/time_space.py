"""The partitions of a time-based definition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np

from assetflow.errors import InvalidPartition
from assetflow.partitions.bounds import Bounds
from assetflow.partitions.calendars import Calendar, TimeGrain
from assetflow.partitions.cron_calendar import CronCalendar
from assetflow.partitions.dates import seconds_since_epoch
from assetflow.partitions.definitions import TimePartitions
from assetflow.partitions.key_ranges import range_texts, runs
from assetflow.partitions.paths import path_component
from assetflow.partitions.sets import Flags, Ints, PartitionSet
from assetflow.partitions.time_keys import find_window, find_windows, refusal, windows_inside


@dataclass(frozen=True, slots=True)
class TimeSpace:
    """Windows of a calendar between the bounds of a definition."""

    definition: TimePartitions
    calendar: Calendar | CronCalendar
    bounds: Bounds

    @property
    def grain(self) -> TimeGrain | Literal["cron"]:
        return self.calendar.grain

    @property
    def time_based(self) -> bool:
        return True

    def existing(self, now: datetime) -> PartitionSet:
        return self._clipped(self.bounds.first, self.frontier(now))

    def begun(self, frontier: int, now: datetime) -> PartitionSet:
        """The partitions that exist by ``now``, from an earlier :meth:`frontier` on."""
        return self._clipped(frontier, self.frontier(now))

    def frontier(self, now: datetime) -> int:
        """The first ordinal that does not exist by ``now``, whatever the bounds say."""
        current = self.containing(np.array([seconds_since_epoch(now)], np.int64))
        return int(self.shift(current, self.definition.end_offset)[0])

    def containing(self, instants: Ints) -> Ints:
        """The ordinal of the window that each instant (UTC seconds) lies in, whatever the bounds say."""
        return self.calendar.at(instants)

    def spanning(self, starts: Ints, ends: Ints) -> tuple[Ints, Ints]:
        """First and one past the last of the windows that overlap ``[start, end)`` in UTC seconds, start < end."""
        return self.containing(starts), self.containing(ends - 1) + 1

    def shift(self, ordinals: Ints, windows: int) -> Ints:
        """The ordinals that many windows later (earlier, when negative), whatever the bounds say."""
        return self.calendar.shift(ordinals, windows)

    def has(self, ordinals: Ints) -> Flags:
        inside = ordinals >= self.bounds.first
        if self.bounds.stop is not None:
            inside &= ordinals < self.bounds.stop
        # Another expression, or an exclusion, takes windows out of the middle.
        return inside & ~self.calendar.is_hole(ordinals) if self.grain == "cron" else inside

    def key(self, ordinal: int) -> str | None:
        return self.keys(np.array([ordinal], np.int64))[0]

    def keys(self, ordinals: Ints) -> list[str | None]:
        return [*self.calendar.keys(ordinals)]

    def ordinal(self, key: str) -> int:
        ordinal = find_window(self.calendar, key)
        if ordinal is None or not self._in_bounds(ordinal):
            raise refusal(self.calendar, self.bounds, key, ordinal)
        return ordinal

    def ordinals(self, keys: Sequence[str]) -> Ints:
        found = find_windows(self.calendar, keys)
        outside = found < self.bounds.first
        if self.bounds.stop is not None:
            outside |= found >= self.bounds.stop
        return np.where(outside, -1, found)

    def within(self, key: str) -> PartitionSet | None:
        return self.between(key, key)

    def between(self, first: str, last: str) -> PartitionSet | None:
        begin, end = windows_inside(self.calendar, first), windows_inside(self.calendar, last)
        if begin is None or end is None:
            return None
        if end.start < begin.start and end.stop <= begin.start:
            raise InvalidPartition(f"{last!r} is before {first!r}", hint=f"write {last}...{first}")
        return self._clipped(begin.start, end.stop) or None

    def window(self, ordinal: int) -> tuple[datetime, datetime] | None:
        zone = ZoneInfo(self.calendar.timezone)
        begin, end = self.calendar.starts(np.array([ordinal, ordinal + 1], np.int64)).tolist()
        return datetime.fromtimestamp(begin, zone), datetime.fromtimestamp(end, zone)

    def windows(self, ordinals: Ints) -> tuple[Ints, Ints] | None:
        return self.boundaries(ordinals)

    def boundaries(self, ordinals: Ints) -> tuple[Ints, Ints]:
        """Begins and ends of the windows, as UTC seconds since 1970."""
        return self.calendar.starts(ordinals), self.calendar.starts(ordinals + 1)

    def watermark(self, done: PartitionSet, now: datetime) -> datetime | None:
        existing = self.existing(now)
        missing = existing - done
        if not existing or (missing and missing.min() == existing.min()):
            return None
        end = self.calendar.starts(np.array([missing.min() if missing else existing.max() + 1], np.int64))
        return datetime.fromtimestamp(int(end[0]), ZoneInfo(self.calendar.timezone))

    def gaps(self, done: PartitionSet, now: datetime) -> PartitionSet:
        existing = self.existing(now)
        reached = existing & done
        return (existing - done) & PartitionSet.from_range(0, reached.max()) if reached else PartitionSet.empty()

    def ordered(self, ordinals: Ints) -> Ints:
        return np.sort(ordinals)

    def places(self, ordinals: Ints) -> Ints:
        """Numbers for ascending ordinals that differ by one for neighbours only."""
        return np.concatenate(([0], np.cumsum(np.where(self._joined(ordinals), 1, 2))))[: ordinals.size]

    def ranges_of_keys(self, partitions: PartitionSet) -> list[tuple[str, str]]:
        return self.first_ranges(partitions, None)[0]

    def first_ranges(self, partitions: PartitionSet, limit: int | None) -> tuple[list[tuple[str, str]], int]:
        if partitions and partitions.max() - partitions.min() == len(partitions) - 1:
            firsts, lasts = (np.array([end], np.int64) for end in (partitions.min(), partitions.max()))
        else:
            ordinals = partitions.array()
            firsts, lasts = runs(ordinals, self._joined(ordinals))
        hidden = len(firsts) - len(firsts[:limit])
        firsts, lasts = firsts[:limit], lasts[:limit]
        keys = self.calendar.keys(firsts)
        ends, several = list(keys), np.flatnonzero(lasts != firsts)
        for place, key in zip(several.tolist(), self.calendar.keys(lasts[several]), strict=True):
            ends[place] = key
        return list(zip(keys, ends, strict=True)), hidden

    def describe(self, partitions: PartitionSet, limit: int | None = None) -> list[str]:
        return range_texts(*self.first_ranges(partitions, limit))

    def path_component(self, ordinal: int) -> str:
        return path_component(self.calendar.keys(np.array([ordinal], np.int64))[0])

    def _joined(self, ordinals: Ints) -> Flags:
        """Whether each of the ascending ordinals is the neighbour of the next."""
        joined = np.diff(ordinals) == 1
        apart = np.flatnonzero(~joined)
        # Neighbours with nothing but holes between them.
        joined[apart] = self.calendar.starts(ordinals[apart] + 1) == self.calendar.starts(ordinals[apart + 1])
        return joined

    def _in_bounds(self, ordinal: int) -> bool:
        return self.bounds.first <= ordinal and (self.bounds.stop is None or ordinal < self.bounds.stop)

    def _clipped(self, first: int, stop: int) -> PartitionSet:
        first = max(first, self.bounds.first)
        stop = stop if self.bounds.stop is None else min(stop, self.bounds.stop)
        return self.calendar.windows(first, stop)
