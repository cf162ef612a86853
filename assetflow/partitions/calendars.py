"""The endless sequence of windows of one grain in one time zone, and its ordinals.

Ordinals count from 0001-01-01: days as ``date.toordinal``, weeks by the day they begin on, months as
``year * 12 + month - 1``, hours as whole UTC hours. An hour window begins at each full hour of the local clock; where
the clock jumps over a full hour, at the jump, unless a window began in the same UTC hour already. So a window's
ordinal is the UTC hour in which it begins, one window each, whatever the zone does.

An ordinal without a window of its own (a day that the zone skipped) is a *hole*: it starts where the next one starts.

With an ``offset`` every window begins and ends later, and keeps its ordinal and its key: days, weeks and months by that
much on the local clock (where it skips that time, at the jump; where it shows it twice, the first time), hours after
their full hour. Days that the zone skipped stay holes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from assetflow.partitions.dates import UNIX_DAY
from assetflow.partitions.instants import instant_keys
from assetflow.partitions.sets import Bools, Ints, PartitionSet
from assetflow.partitions.zones import DAY, HOUR, offsets_at, to_local, to_utc, transitions_between

TimeGrain = Literal["day", "hour", "week", "month"]

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_UNIX_HOUR = (UNIX_DAY - 1) * 24
_UNIX_MONTH = 1970 * 12
_NEAR = np.arange(-2, 4)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Windows of ``grain`` in ``timezone``; weeks begin on ``week_start``. Instants are UTC seconds since 1970.

    ``offset`` is how many seconds later than the hour, day, week or month that it is named after each window begins.

    >>> days = Calendar("day", "America/New_York")
    >>> spring = days.at(np.array([1362900000]))
    >>> days.keys(spring), (days.starts(spring + 1) - days.starts(spring)).tolist()
    (['2013-03-10'], [82800])
    """

    grain: TimeGrain
    timezone: str
    week_start: str = "monday"
    offset: int = 0

    @property
    def named(self) -> Calendar:
        """The hours, days, weeks or months that the windows are named after."""
        return replace(self, offset=0) if self.offset else self

    def starts(self, ordinals: Ints) -> Ints:
        """The instant at which each window begins; it ends where the next ordinal starts."""
        if self.grain == "hour":
            return self._hour_starts(ordinals) + self.offset
        if not self.offset:
            return to_utc(self.timezone, self.nominal_starts(ordinals))
        return to_utc(self.timezone, self.nominal_starts(self._past_holes(ordinals)) + self.offset)

    def at(self, instants: Ints) -> Ints:
        """The ordinal of the window that each instant lies in."""
        if self.grain == "hour":
            ordinals = (instants - self.offset) // HOUR + _UNIX_HOUR
        else:
            ordinals = self.at_local(to_local(self.timezone, instants) - self.offset)
        # The clock can show a time that belongs to a neighbouring window, where it was set back past the boundary.
        while (late := self.starts(ordinals) > instants).any():
            ordinals = ordinals - late
        while (early := self.starts(ordinals + 1) <= instants).any():
            ordinals = ordinals + early
        return ordinals

    def beginning(self, instant: int) -> int | None:
        """The ordinal of the window that begins exactly at ``instant``, if one does."""
        one = np.array([instant], np.int64)
        ordinal = self.at(one)
        return int(ordinal[0]) if self.starts(ordinal)[0] == instant else None

    def is_hole(self, ordinals: Ints) -> Bools:
        """Whether each ordinal has no window of its own."""
        return self.starts(ordinals) == self.starts(ordinals + 1)

    def holes(self, first: int, stop: int) -> Ints:
        """The holes among the ordinals ``[first, stop)``, ascending."""
        if self.grain in ("week", "month") or first >= stop:
            return np.empty(0, np.int64)
        begin, end = self.starts(np.array([first, stop], np.int64)).tolist()
        changes = transitions_between(self.timezone, begin, end).instants
        changes = changes[(changes >= begin - DAY) & (changes <= end + DAY)]
        near = np.unique(self.at(changes)[:, None] + _NEAR)
        near = near[(near >= first) & (near < stop)]
        return near[self.is_hole(near)]

    def windows(self, first: int, stop: int) -> PartitionSet:
        """The windows among the ordinals ``[first, stop)``."""
        return PartitionSet.from_range(first, stop) - PartitionSet.from_ordinals(self.holes(first, stop))

    def shift(self, ordinals: Ints, windows: int) -> Ints:
        """The ordinals that many windows later (earlier, when negative), not counting holes."""
        if not windows or not ordinals.size:
            return ordinals
        span = abs(windows) + 8
        holes = self.holes(int(ordinals.min()) - span, int(ordinals.max()) + span)
        if not holes.size:
            return ordinals + windows
        ranks = ordinals - np.searchsorted(holes, ordinals) + windows
        return ranks + np.searchsorted(holes - np.arange(holes.size), ranks, side="right")

    def keys(self, ordinals: Ints) -> list[str]:
        """The key of each window."""
        if self.grain == "month":
            return np.datetime_as_string((ordinals - _UNIX_MONTH).astype("datetime64[M]")).tolist()
        if self.grain == "hour":
            return instant_keys(self.timezone, self._hour_starts(ordinals))
        return np.datetime_as_string(self.nominal_starts(ordinals).astype("datetime64[s]"), unit="D").tolist()

    def nominal_starts(self, ordinals: Ints) -> Ints:
        """What the local clock would show as each day, week or month begins, as seconds since 1970-01-01T00:00."""
        if self.grain == "month":
            return (ordinals - _UNIX_MONTH).astype("datetime64[M]").astype("datetime64[s]").astype(np.int64)
        days = ordinals - UNIX_DAY if self.grain == "day" else ordinals * 7 - self._week_shift() - (UNIX_DAY - 1)
        return days * DAY

    def at_local(self, local: Ints) -> Ints:
        """The day, week or month in which the local clock shows each time, by the calendar on the wall."""
        if self.grain == "month":
            return local.astype("datetime64[s]").astype("datetime64[M]").astype(np.int64) + _UNIX_MONTH
        days = local // DAY
        return days + UNIX_DAY if self.grain == "day" else (days + (UNIX_DAY - 1) + self._week_shift()) // 7

    def _past_holes(self, ordinals: Ints) -> Ints:
        """The ordinals, and for each day that the zone skipped the next."""
        if self.grain != "day" or not ordinals.size:
            return ordinals
        holes = self.named.holes(int(ordinals.min()), int(ordinals.max()) + 1)
        return ordinals + np.isin(ordinals, holes) if holes.size else ordinals

    def _week_shift(self) -> int:
        # 0001-01-01 was a Monday.
        return -WEEKDAYS.index(self.week_start) % 7

    def _hour_starts(self, ordinals: Ints) -> Ints:
        hours = (ordinals - _UNIX_HOUR) * HOUR
        if not hours.size:
            return hours
        offsets = offsets_at(self.timezone, hours)
        starts = hours + -(hours + offsets) % HOUR
        changes = transitions_between(self.timezone, int(hours.min()), int(hours.max())).instants
        unsettled = np.searchsorted(changes, hours - 1, "right") != np.searchsorted(changes, starts, "right")
        if unsettled.any():
            rare, where = np.unique(hours[unsettled], return_inverse=True)
            starts[unsettled] = np.array([self._first_start(hour) for hour in rare.tolist()], np.int64)[where]
        return starts

    def _first_start(self, instant: int) -> int:
        """The first instant at or after this one at which an hour window begins, near a transition."""
        table = transitions_between(self.timezone, instant, instant)
        segment = int(np.searchsorted(table.instants, instant - 1, side="right"))
        while True:
            jump = int(table.instants[segment]) if segment < table.instants.size else None
            before = int(table.offsets[segment])
            full_hour = instant + -(instant + before) % HOUR
            if jump is None or full_hour < jump:
                return full_hour
            after = int(table.offsets[segment + 1])
            if (jump + after) // HOUR > (jump + before - 1) // HOUR:
                return jump
            instant, segment = jump, segment + 1
