"""The ticks of a cron expression around a moment, by the rules of :class:`CronCalendar` when clocks change."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from assetflow.partitions.cron_calendar import CronCalendar
from assetflow.partitions.cron_expressions import parse_cron

_LAST_YEAR = 9990
"""Further on, the calendar of ``datetime`` ends before the next 29 February may come."""


def last_tick(cron: str, until: datetime, timezone: str) -> datetime:
    """The last tick at or before an aware moment, in UTC. Raises ValueError for what is no cron expression.

    >>> last_tick("0 6 * * mon", datetime(2024, 1, 3, tzinfo=UTC), "UTC")
    datetime.datetime(2024, 1, 1, 6, 0, tzinfo=datetime.timezone.utc)
    """
    return _window(cron, until, timezone, 0)


def next_tick(cron: str, after: datetime, timezone: str) -> datetime | None:
    """The first tick after an aware moment, in UTC; None near the end of the calendar. Raises ValueError.

    >>> next_tick("0 6 * * mon", datetime(2024, 1, 3, tzinfo=UTC), "UTC")
    datetime.datetime(2024, 1, 8, 6, 0, tzinfo=datetime.timezone.utc)
    """
    return None if after.year > _LAST_YEAR else _window(cron, after, timezone, 1)


def _window(cron: str, moment: datetime, timezone: str, later: int) -> datetime:
    calendar = CronCalendar(parse_cron(cron), timezone)
    instant = np.array([moment.timestamp() // 1], np.int64)
    start = calendar.starts(calendar.shift(calendar.at(instant), later))
    return datetime.fromtimestamp(int(start[0]), UTC)
