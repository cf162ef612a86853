"""Cron expressions: the moments that five fields name, on the clock of a time zone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from assetflow.errors import DefinitionError
from assetflow.partitions.zones import to_utc

_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: n for n, name in enumerate(_MONTH_NAMES, start=1)}
_WEEKDAYS = {name: n for n, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])}
_PART = re.compile(r"(?:(?P<all>\*)|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d{1,2}))?", re.ASCII)
_HINT = 'write five fields, minute hour day month weekday: "0 6 * * mon-fri"'
_DAY = timedelta(days=1)
_EPOCH = date(1970, 1, 1)
_FARTHEST = 366 * 8 + 2
"""Two 29ths of February are at most eight years apart."""


@dataclass(frozen=True, slots=True)
class Cron:
    """The parsed fields. As in cron, a day counts if day or weekday fits where both are restricted.

    A local time that the clock skips ticks at the first moment after the gap; one that it shows twice ticks once, the
    first time.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool

    def last(self, until: datetime, timezone: str) -> datetime | None:
        """The last tick at or before an aware moment; None without one in the eight years before."""
        return self._nearest(until, timezone, -1)

    def next(self, after: datetime, timezone: str) -> datetime | None:
        """The first tick after an aware moment; None without one in the eight years after."""
        return self._nearest(after, timezone, 1)

    def _nearest(self, moment: datetime, timezone: str, direction: int) -> datetime | None:
        # A day's ticks can lie a day beside the date that the clock shows, where a zone skips or moves a whole day.
        day = moment.astimezone(ZoneInfo(timezone)).date() - direction * 2 * _DAY
        for _ in range(_FARTHEST + 4):
            if self._on(day):
                ticks = self._ticks(day, timezone)
                found = [t for t in ticks if t > moment] if direction > 0 else [t for t in ticks if t <= moment]
                if found:
                    return min(found) if direction > 0 else max(found)
            try:
                day += direction * _DAY
            except OverflowError:
                return None
        return None

    def _on(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        by_day, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return by_day or by_weekday if self.either else by_day and by_weekday

    def _ticks(self, day: date, timezone: str) -> list[datetime]:
        midnight = (day - _EPOCH).days * 86_400
        local = [midnight + hour * 3_600 + minute * 60 for hour in self.hours for minute in self.minutes]
        instants = np.unique(to_utc(timezone, np.array(sorted(local), np.int64)))
        return [datetime.fromtimestamp(instant, UTC) for instant in instants.tolist()]


def parse_cron(text: object) -> Cron:
    """Read five fields: numbers, ``*``, ranges, lists, steps, and names of months and weekdays. Raises DefinitionError.

    >>> parse_cron("0 6 * * mon").next(datetime(2024, 1, 3, tzinfo=UTC), "UTC")
    datetime.datetime(2024, 1, 8, 6, 0, tzinfo=datetime.timezone.utc)
    """
    fields = text.split() if isinstance(text, str) else []
    if len(fields) != len(_FIELDS):
        raise DefinitionError(f"cron {text!r} is no cron expression", hint=_HINT)
    minutes, hours, days, months, weekdays = (
        _field(field, name, low, high) for field, (name, low, high) in zip(fields, _FIELDS, strict=True)
    )
    weekdays = frozenset(day % 7 for day in weekdays)
    either = not fields[2].startswith("*") and not fields[4].startswith("*")
    cron = Cron(minutes, hours, days, months, weekdays, either)
    if cron.next(datetime(2024, 1, 1, tzinfo=UTC), "UTC") is None:
        raise DefinitionError(f"cron {text!r} never comes: no such date exists", hint="correct day and month")
    return cron


def _field(text: str, name: str, low: int, high: int) -> frozenset[int]:
    found: set[int] = set()
    for part in text.lower().split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise _wrong(part, name)
        step = int(match["step"] or 1)
        if match["all"]:
            first, last = low, 6 if name == "weekday" else high
        else:
            first = _number(match["first"], name, part)
            last = _number(match["last"], name, part) if match["last"] else high if match["step"] else first
        if not (low <= first <= last <= high) or not step:
            raise _wrong(part, name)
        found.update(range(first, last + 1, step))
    return frozenset(found)


def _number(word: str, name: str, part: str) -> int:
    names = {"month": _MONTHS, "weekday": _WEEKDAYS}.get(name, {})
    if word in names:
        return names[word]
    if not word.isdigit():
        raise _wrong(part, name)
    return int(word)


def _wrong(part: str, name: str) -> DefinitionError:
    return DefinitionError(f"cron: {part!r} is no {name}", hint=_HINT)
