"""Reading time keys: which windows of a calendar a text means, and what to say when it means none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from assetflow.errors import InvalidPartition
from assetflow.partitions.bounds import Bounds
from assetflow.partitions.calendars import WEEKDAYS, Calendar, TimeGrain
from assetflow.partitions.cron_calendar import CronCalendar
from assetflow.partitions.dates import UNIX_DAY, TimeUnit, parse_time
from assetflow.partitions.sets import Ints
from assetflow.partitions.zones import DAY, to_local, to_utc, to_utc_last

_KEY_UNITS: dict[TimeGrain | Literal["cron"], TimeUnit] = {
    "hour": "time",
    "cron": "time",
    "day": "day",
    "week": "day",
    "month": "month",
}
_COARSER: dict[TimeGrain | Literal["cron"], tuple[TimeUnit, ...]] = {
    "cron": ("day", "month", "year"),
    "hour": ("day", "month", "year"),
    "day": ("month", "year"),
    "week": ("month", "year"),
    "month": ("year",),
}


def find_window(calendar: Calendar | CronCalendar, key: str) -> int | None:
    """The ordinal of the window that ``key`` names exactly, or None.

    An hour may be written without offset where it occurs once. Raises InvalidPartition where it occurs twice.
    """
    earlier, later = (int(readings[0]) for readings in _readings(calendar, [key]))
    if earlier >= 0 and later >= 0 and earlier != later:
        both = " or ".join(calendar.keys(np.array([earlier, later], np.int64)))
        noun = "time" if calendar.grain == "cron" else "hour"
        raise InvalidPartition(f"the {noun} {key!r} occurs twice in {calendar.timezone}", hint=f"write {both}")
    found = max(earlier, later)
    return found if found >= 0 else None


def find_windows(calendar: Calendar | CronCalendar, keys: Sequence[str]) -> Ints:
    """The ordinal that each key names as :func:`find_window` reads it, -1 where it names none or two."""
    earlier, later = _readings(calendar, keys)
    twice = (earlier >= 0) & (later >= 0) & (earlier != later)
    return np.where(twice, -1, np.maximum(earlier, later))


def windows_inside(calendar: Calendar | CronCalendar, key: str) -> range | None:
    """The ordinals of the window that ``key`` names, or of those wholly inside the coarser time that it names.

    The windows of a cron expression count where they begin. None when ``key`` names neither. Raises InvalidPartition
    for an hour that occurs twice.
    """
    written = parse_time(key)
    if written is None or written.unit not in _COARSER[calendar.grain]:
        found = find_window(calendar, key)
        return None if found is None else range(found, found + 1)
    calendar = calendar.named
    instants = to_utc(calendar.timezone, np.array([written.begin, written.end], np.int64))
    if isinstance(calendar, CronCalendar):
        return calendar.beginning_within(*instants.tolist())
    first, stop = calendar.at(instants).tolist()
    begins = int(calendar.starts(np.array([first], np.int64))[0]) == int(instants[0])
    return range(first if begins else first + 1, stop)


def refusal(calendar: Calendar | CronCalendar, bounds: Bounds, key: str, ordinal: int | None) -> InvalidPartition:
    """The error for a key that is no partition; ``ordinal`` is its window if it is merely out of bounds."""
    if ordinal is not None:
        nearest = bounds.first if ordinal < bounds.first or bounds.stop is None else _last(calendar, bounds.stop)
        return InvalidPartition(
            f"there is no partition {key!r}: {_extent(calendar, bounds)}",
            hint=f"the nearest is {_key(calendar, nearest)}",
        )
    noun = "window" if calendar.grain == "cron" else calendar.grain
    written = parse_time(key)
    if written is None or written.unit != _KEY_UNITS[calendar.grain]:
        return InvalidPartition(
            f"{key!r} is no key of one {noun}: {_extent(calendar, bounds)}",
            hint=f"write it like {_key(calendar, bounds.first)}",
        )
    if isinstance(calendar, Calendar) and calendar.grain == "week":
        weekday = WEEKDAYS[(written.begin // DAY + UNIX_DAY - 1) % 7]
        begins = _key(calendar, int(calendar.at_local(np.array([written.begin], np.int64))[0]))
        return InvalidPartition(
            f"{key!r} is a {weekday}: weeks begin on {calendar.week_start}", hint=f"its week is {begins}"
        )
    local = np.array([written.begin], np.int64)
    instant = to_utc(calendar.timezone, local) if written.offset is None else local - written.offset
    nearest = _key(calendar, int(calendar.named.at(instant)[0]))
    return InvalidPartition(f"no {noun} begins at {key!r} in {calendar.timezone}", hint=f"the nearest is {nearest}")


def _readings(calendar: Calendar | CronCalendar, keys: Sequence[str]) -> tuple[Ints, Ints]:
    """The first and the last window that each key can name, each -1 where it names none."""
    earlier, later = np.full((2, len(keys)), -1, np.int64)
    calendar = calendar.named
    unit = _KEY_UNITS[calendar.grain]
    texts = [(index, text) for index, key in enumerate(keys) if (text := parse_time(key)) and text.unit == unit]
    places = np.array([index for index, _ in texts], np.int64)
    local = np.array([text.begin for _, text in texts], np.int64)
    if isinstance(calendar, Calendar) and calendar.grain != "hour":
        ordinals = calendar.at_local(local)
        fits = (calendar.nominal_starts(ordinals) == local) & ~calendar.is_hole(ordinals)
        earlier[places] = later[places] = np.where(fits, ordinals, -1)
        return earlier, later
    zone = calendar.timezone
    exact = np.array([text.offset is not None for _, text in texts], np.bool_)
    instants = local - np.array([text.offset or 0 for _, text in texts], np.int64)
    for readings, reading in ((earlier, to_utc), (later, to_utc_last)):
        moments = np.where(exact, instants, reading(zone, local))
        ordinals = calendar.at(moments)
        fits = (calendar.starts(ordinals) == moments) & (exact | (to_local(zone, moments) == local))
        readings[places] = np.where(fits, ordinals, -1)
    return earlier, later


def _extent(calendar: Calendar | CronCalendar, bounds: Bounds) -> str:
    first = _key(calendar, bounds.first)
    if bounds.stop is None:
        return f"partitions begin with {first}"
    return f"partitions run from {first} to {_key(calendar, _last(calendar, bounds.stop))}"


def _key(calendar: Calendar | CronCalendar, ordinal: int) -> str:
    return calendar.keys(np.array([ordinal], np.int64))[0]


def _last(calendar: Calendar | CronCalendar, stop: int) -> int:
    return int(calendar.shift(np.array([stop], np.int64), -1)[0])
