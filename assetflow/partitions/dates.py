"""Times as people write them: in partition keys, in ranges and in the bounds of definitions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal

import numpy as np

from assetflow.partitions.zones import DAY, to_utc

TimeUnit = Literal["year", "month", "day", "time"]

UNIX_DAY = date(1970, 1, 1).toordinal()
UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_TEXT = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d)(?::(\d\d)(?::(\d\d))?)?(Z|[+-]\d\d:?\d\d(?::?\d\d)?)?)?)?)?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class TimeText:
    """A written time: ``[begin, end)`` in seconds since 1970-01-01T00:00 on the clock it speaks of.

    That clock is the local one, or, where an ``offset`` (seconds east of UTC) is written, the one with that offset.
    A ``time`` is an instant: its end is its begin.
    """

    unit: TimeUnit
    begin: int
    end: int
    offset: int | None = None


def parse_time(text: str) -> TimeText | None:
    """Read ``2013``, ``2013-01``, ``2013-01-31``, ``2013-01-31T05``, ``...T05:00`` or ``...T05:00-04:00``.

    None when ``text`` is none of these, or no such time exists; years run from 0002 to 9998.

    >>> parse_time("2013-01-31T05:00-04:00").offset, parse_time("2013-02").unit, parse_time("2013-02-30")
    (-14400, 'month', None)
    """
    match = _TEXT.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, offset = match.groups()
    try:
        first = date(int(year), int(month or 1), int(day or 1))
        time = datetime(1970, 1, 1, int(hour or 0), int(minute or 0), int(second or 0), tzinfo=UTC)
    except ValueError:
        return None
    if not 2 <= first.year <= 9998:
        return None
    begin = (first.toordinal() - UNIX_DAY) * DAY
    if hour:
        instant = begin + int(time.timestamp())
        return TimeText("time", instant, instant, _seconds_east(offset) if offset else None)
    if day:
        return TimeText("day", begin, begin + DAY)
    following = (first.year + 1, 1) if not month or first.month == 12 else (first.year, first.month + 1)
    end = (date(*following, 1).toordinal() - UNIX_DAY) * DAY
    return TimeText("month" if month else "year", begin, end)


def bound_text(value: object) -> str:
    """A definition's ``start`` or ``end`` as text; empty for what is neither text, a date nor a whole second."""
    if isinstance(value, datetime):
        return "" if value.microsecond else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return value if isinstance(value, str) else ""


def read_bound(text: str, timezone: str) -> int | None:
    """The instant (UTC seconds) that a bound means: local in ``timezone``, unless it carries an offset of its own.

    None when it is no time that :func:`parse_time` reads.
    """
    written = parse_time(text)
    if written is None:
        return None
    if written.offset is not None:
        return written.begin - written.offset
    return int(to_utc(timezone, np.array([written.begin], np.int64))[0])


def seconds_since_epoch(moment: datetime) -> int:
    """Whole UTC seconds since 1970 of an aware datetime, rounded down. Raises ValueError for a naive one."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone: pass an aware datetime")
    since = moment - UNIX_EPOCH
    return since.days * DAY + since.seconds


def _seconds_east(offset: str) -> int | None:
    if offset == "Z":
        return 0
    digits = offset[1:].replace(":", "")
    seconds = int(digits[:2]) * 3600 + int(digits[2:4]) * 60 + int(digits[4:] or 0)
    return -seconds if offset[0] == "-" else seconds
