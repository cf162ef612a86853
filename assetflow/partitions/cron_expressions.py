"""Cron expressions: five fields as people write them, as the sets of minutes, hours, days, months and weekdays."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from assetflow.keys import nearest_names
from assetflow.partitions.sets import Ints
from assetflow.partitions.zones import DAY

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_SHORT = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_LONGEST_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_PART = re.compile(r"(\*|(\w+)(?:-(\w+))?)(?:/(\w+))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class CronExpression:
    """When the clock on the wall ticks: at any of ``minutes`` (of the day), on the days that the rest allows.

    ``weekdays`` count from Sunday, 0. Where both ``days`` (of the month) and ``weekdays`` leave some out, a day that is
    in either ticks. ``floating`` says that the minute or the hour begins with ``*``: the expression ticks through the
    hours that the clock shows, rather than at fixed times.
    """

    minutes: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    floating: bool

    def times(self, first: int, stop: int) -> Ints:
        """When a clock that is never changed would tick on the days ``[first, stop)``, both counted since 1970-01-01.

        In seconds since 1970-01-01T00:00 on that clock, ascending.
        """
        days = np.arange(first, stop, dtype=np.int64)
        dates = days.astype("datetime64[D]")
        month = dates.astype("datetime64[M]")
        # 1970-01-01 was a Thursday.
        on_weekday = np.isin((days + 4) % 7, self.weekdays)
        on_day = np.isin((dates - month).astype(np.int64) + 1, self.days)
        either = len(self.days) < 31 and len(self.weekdays) < 7
        chosen = np.isin(month.astype(np.int64) % 12 + 1, self.months)
        chosen &= (on_day | on_weekday) if either else (on_day & on_weekday)
        return (days[chosen, None] * DAY + np.array(self.minutes, np.int64) * 60).ravel()


# Thousands of assets share a few definitions.
@lru_cache(maxsize=1024)
def parse_cron(text: str) -> CronExpression:
    """Read ``minute hour day-of-month month day-of-week``, or a name such as ``@daily``.

    A field is ``*`` or a list of values, ranges ``a-b`` and steps ``*/n``, ``a-b/n``, ``a/n``; months and weekdays have
    English names, and 0 and 7 are both Sunday. Raises ValueError with what is wrong and what to write.

    >>> parse_cron("30 6 * * mon-fri").weekdays, parse_cron("*/15 9-10 * * *").floating
    ((1, 2, 3, 4, 5), True)
    >>> parse_cron("0 25 * * *")
    Traceback (most recent call last):
    ValueError: hour '25' is not from 0 to 23
    """
    short = text.strip().lower()
    if short.startswith("@") and short not in _SHORT:
        hint = nearest_names(short, _SHORT) or f"write one of {', '.join(_SHORT)}, or five fields"
        raise ValueError(f"there is no {short!r}: {hint}")
    fields = _SHORT.get(short, text).split()
    if len(fields) != 5:
        raise ValueError(f"it has {len(fields)} fields: write minute hour day-of-month month day-of-week")
    minutes = _values("minute", fields[0], 0, 59)
    hours = _values("hour", fields[1], 0, 23)
    days = _values("day of month", fields[2], 1, 31)
    months = _values("month", fields[3], 1, 12, _MONTHS)
    weekdays = _values("day of week", fields[4], 0, 7, _WEEKDAYS)
    weekdays = tuple(sorted({day % 7 for day in weekdays}))
    if len(weekdays) == 7 and not any(day <= _LONGEST_MONTHS[month - 1] for month in months for day in days):
        raise ValueError("it never ticks: none of its months has such a day")
    of_day = tuple(hour * 60 + minute for hour in hours for minute in minutes)
    return CronExpression(of_day, days, months, weekdays, any(field.startswith("*") for field in fields[:2]))


def _values(field: str, text: str, low: int, high: int, names: tuple[str, ...] = ()) -> tuple[int, ...]:
    values: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(f"{field} {part!r} is not understood: write *, a value, a-b, */n, or a list of these")
        whole, first, last, step = match.groups()
        begin = low if whole == "*" else _value(field, first, low, high, names)
        end = _value(field, last, low, high, names) if last else high if whole == "*" or step else begin
        if last and end < begin:
            raise ValueError(f"{field} {part!r} ends before it begins: write {first}-{high},{low}-{last}")
        every = _number(step) if step else 1
        if every is None or every < 1:
            raise ValueError(f"{field} {part!r} has the step {step}: write a whole number from 1 on")
        values.update(range(begin, end + 1, every))
    return tuple(sorted(values))


def _value(field: str, text: str, low: int, high: int, names: tuple[str, ...]) -> int:
    value = names.index(text.lower()) + low if text.lower() in names else _number(text)
    if value is None or not low <= value <= high:
        named = f", or {names[0]} to {names[-1]}" if names else ""
        raise ValueError(f"{field} {text!r} is not from {low} to {high}{named}")
    return value


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 10 else None
