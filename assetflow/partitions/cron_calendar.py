"""The endless sequence of windows that run from one tick of a cron expression to the next, and its ordinals.

An ordinal is the UTC minute in which a window begins, counted from 0001-01-01T00Z. The minutes between are *holes*, as
:mod:`assetflow.partitions.calendars` has them: a hole starts where the next window does.

What happens when clocks change: an expression of fixed times ticks once for each of them, at the first of two such
times and, where the clock jumps over it, at the jump. A *floating* one (see :class:`CronExpression`) ticks whenever the
clock shows such a time: twice in the hour that occurs twice, and not at all where the clock jumps over it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from assetflow.partitions.cron_expressions import CronExpression
from assetflow.partitions.dates import UNIX_DAY
from assetflow.partitions.instants import instant_keys
from assetflow.partitions.sets import Bools, Ints, PartitionSet
from assetflow.partitions.zones import DAY, to_local, to_utc, to_utc_last

_MINUTE = 60
_UNIX_MINUTE = (UNIX_DAY - 1) * 24 * 60
_AVERAGE_YEAR = 31_556_952


@dataclass(frozen=True, slots=True)
class Exclusions:
    """Ticks that do not happen: at ``instants`` (UTC seconds), and while the local clock is in one of the half-open
    ``periods`` (seconds since 1970-01-01T00:00 on that clock)."""

    periods: tuple[tuple[int, int], ...] = ()
    instants: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class CronCalendar:
    """Windows between the ticks of ``expression`` in ``timezone``. Instants are UTC seconds since 1970.

    >>> from assetflow.partitions.cron_expressions import parse_cron
    >>> calendar = CronCalendar(parse_cron("30 2 * * *"), "America/New_York")
    >>> calendar.keys(calendar.shift(calendar.at(np.array([1362850000])), 1))
    ['2013-03-10T03:00-04:00']
    """

    expression: CronExpression
    timezone: str
    exclusions: Exclusions = Exclusions()

    @property
    def grain(self) -> Literal["cron"]:
        """The length of a window: whatever the expression says."""
        return "cron"

    @property
    def named(self) -> CronCalendar:
        """The windows by which keys are read; these themselves."""
        return self

    def starts(self, ordinals: Ints) -> Ints:
        """The instant at which each window begins; it ends where the next ordinal starts."""
        if not ordinals.size:
            return ordinals
        ticks = self._ticks_around(ordinals, ordinals)
        return ticks[np.searchsorted(ticks, minute_instants(ordinals))]

    def at(self, instants: Ints) -> Ints:
        """The ordinal of the window that each instant lies in."""
        if not instants.size:
            return instants
        minutes = _ordinals(instants)
        ticks = self._ticks_around(minutes, minutes)
        return _ordinals(ticks[np.searchsorted(ticks, instants, side="right") - 1])

    def is_hole(self, ordinals: Ints) -> Bools:
        """Whether each ordinal has no window of its own."""
        return _ordinals(self.starts(ordinals)) != ordinals

    def windows(self, first: int, stop: int) -> PartitionSet:
        """The windows among the ordinals ``[first, stop)``."""
        if first >= stop:
            return PartitionSet.empty()
        bounds = np.array([first, stop], np.int64)
        ticks = self._ticks_around(bounds[:1], bounds[1:])
        low, high = np.searchsorted(ticks, minute_instants(bounds))
        return PartitionSet.from_ordinals(_ordinals(ticks[low:high]))

    def shift(self, ordinals: Ints, windows: int) -> Ints:
        """The ordinals that many windows later (earlier, when negative), not counting holes."""
        if not windows or not ordinals.size:
            return ordinals
        before, after = max(0, -windows), max(0, windows)
        ticks = self._ticks_around(ordinals, ordinals, before, after)
        return _ordinals(ticks[np.searchsorted(ticks, minute_instants(ordinals)) + windows])

    def keys(self, ordinals: Ints) -> list[str]:
        """The key of each window: the local time at which it begins; of a hole, its own, which was a tick's once."""
        starts = self.starts(ordinals)
        return instant_keys(self.timezone, np.where(_ordinals(starts) == ordinals, starts, minute_instants(ordinals)))

    def beginning_within(self, begin: int, end: int) -> range:
        """Ordinals that hold all windows which begin in ``[begin, end)``, in UTC seconds."""
        return range(int(-(-begin // _MINUTE)) + _UNIX_MINUTE, int(-(-end // _MINUTE)) + _UNIX_MINUTE)

    def _ticks_around(self, firsts: Ints, lasts: Ints, before: int = 0, after: int = 0) -> Ints:
        """The ticks from more than ``before`` ahead of the first ordinal to more than ``after`` past the last."""
        first, last = int(firsts.min()) - 1, int(lasts.max()) + 1
        low, high = (1970 + (each - _UNIX_MINUTE) * _MINUTE // _AVERAGE_YEAR for each in (first, last))
        wider = 1
        while True:
            ticks = _ticks(self, low, high)
            ahead, behind = np.searchsorted(ticks, minute_instants(np.array([first, last]))).tolist()
            short, beyond = ahead <= before + 1, ticks.size - behind <= after + 1
            if not short and not beyond:
                return ticks
            # 29 February may be eight years away, and what is excluded any number.
            low, high, wider = low - wider * short, high + wider * beyond, wider * 2


# A minute's expression has half a million ticks a year.
@lru_cache(maxsize=16)
def _ticks(calendar: CronCalendar, low: int, high: int) -> Ints:
    ticks = np.concatenate([_ticks_of_year(calendar, year) for year in range(low, high + 1)])
    minutes = _ordinals(ticks)
    if (np.diff(minutes) <= 0).any():
        ticks = np.sort(ticks)
        ticks = ticks[np.unique(_ordinals(ticks), return_index=True)[1]]
    ticks.setflags(write=False)
    return ticks


@lru_cache(maxsize=64)
def _ticks_of_year(calendar: CronCalendar, year: int) -> Ints:
    zone = calendar.timezone
    days = np.array([year - 1970, year + 1 - 1970]).astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64)
    first, stop = days.tolist()
    begin, end = to_utc(zone, days * DAY).tolist()
    # The last days of a year can be skipped, and their ticks fall into the next.
    times = calendar.expression.times(first - 2, stop)
    ticks = to_utc(zone, times)
    if calendar.expression.floating:
        again = to_utc_last(zone, times)
        repeated = again[(again != ticks) & (to_local(zone, again) == times)]
        ticks = ticks[to_local(zone, ticks) == times]
        ticks = np.sort(np.concatenate((ticks, repeated))) if repeated.size else ticks
    low, high = np.searchsorted(ticks, [begin, end])
    return _without(calendar.exclusions, zone, ticks[low:high])


def _without(exclusions: Exclusions, zone: str, ticks: Ints) -> Ints:
    if exclusions.instants:
        ticks = ticks[~np.isin(ticks, exclusions.instants)]
    if exclusions.periods:
        local = to_local(zone, ticks)
        excluded = np.zeros(ticks.size, np.bool_)
        for begin, end in exclusions.periods:
            excluded |= (local >= begin) & (local < end)
        ticks = ticks[~excluded]
    return ticks


def minute_instants(ordinals: Ints) -> Ints:
    """The full minute in which a window with each ordinal begins, whatever the expression."""
    return (ordinals - _UNIX_MINUTE) * _MINUTE


def _ordinals(instants: Ints) -> Ints:
    return instants // _MINUTE + _UNIX_MINUTE
