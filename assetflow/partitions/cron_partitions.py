"""Partitions that run from one tick of a cron expression to the next."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Literal, cast

import numpy as np

from assetflow.partitions.bounds import Bounds, bound_problems, bounds_in, extent_text, setting_problems
from assetflow.partitions.cron_calendar import CronCalendar, Exclusions
from assetflow.partitions.cron_expressions import CronExpression, parse_cron
from assetflow.partitions.dates import bound_text, parse_time
from assetflow.partitions.zones import known_zone, to_local, to_utc, to_utc_last


@dataclass(frozen=True, slots=True)
class CronPartitions:
    """One partition per window between two ticks of ``cron``, five fields, on the clock of ``timezone``.

    The key of a window is the time of the tick that it begins with. The windows lie wholly between ``start`` and
    ``end``. ``exclude`` lists keys, or dates, months and years, whose ticks do not happen, such as holidays; the window
    before runs on until the next tick. ``end_offset`` as for :class:`~assetflow.DailyPartitions`.

    >>> CronPartitions("30 6 * * mon-fri", "2024-01-01", timezone="Europe/Berlin", exclude=["2024-12-25"]).describe()
    "cron '30 6 * * mon-fri' from 2024-01-01, Europe/Berlin, without 1 exclusion"
    >>> CronPartitions("0 25 * * *", "2024-01-01").problems()
    ["cron '0 25 * * *': hour '25' is not from 0 to 23"]
    """

    cron: str
    start: str | date
    end: str | date | None = None
    timezone: str = "UTC"
    exclude: Iterable[str | date] = ()
    end_offset: int = 0

    def __post_init__(self) -> None:
        # A definition is a value: it is compared and hashed.
        excluded = cast("object", self.exclude)
        if isinstance(excluded, Iterable) and not isinstance(excluded, str):
            object.__setattr__(self, "exclude", tuple(cast("Iterable[object]", excluded)))

    @property
    def grain(self) -> Literal["cron"]:
        """What the length of a window follows from."""
        return "cron"

    def problems(self) -> list[str]:
        """What is wrong with this definition and what to do about it, one text per mistake."""
        problems = setting_problems(self)
        expression = _expression(self.cron)
        if isinstance(expression, str):
            return [f"cron {self.cron!r}: {expression}", *problems]
        calendar = CronCalendar(expression, self.timezone if known_zone(self.timezone) else "UTC")
        problems += _exclusion_problems(self, calendar)
        return problems or bound_problems(self, cron_calendar(self))

    def describe(self) -> str:
        """One line for people."""
        count = len(self.exclude) if isinstance(self.exclude, tuple) else 0
        without = f", without {count} {'exclusion' if count == 1 else 'exclusions'}" if count else ""
        return f"cron {self.cron!r} {extent_text(self)}{without}"

    def signature(self) -> tuple[Hashable, ...]:
        """A value that is equal for definitions with the same partitions, in every process."""
        if self.problems():
            return ("cron", "invalid", repr(self))
        bounds = cron_bounds(self)
        return (*windows_signature(self), bounds.first, bounds.stop, self.end_offset)


def cron_calendar(definition: CronPartitions) -> CronCalendar:
    """The windows that a definition without problems takes its partitions from."""
    calendar = CronCalendar(parse_cron(definition.cron), definition.timezone)
    periods: set[tuple[int, int]] = set()
    instants: set[int] = set()
    for value in definition.exclude:
        period, moments = _excluded(value, calendar)
        periods |= period
        instants |= moments
    exclusions = Exclusions(tuple(sorted(periods)), tuple(sorted(instants)))
    return CronCalendar(calendar.expression, calendar.timezone, exclusions)


def cron_bounds(definition: CronPartitions) -> Bounds:
    """The definition's ordinals. Raises ValueError for one that has problems."""
    if problems := definition.problems():
        raise ValueError(problems[0])
    return bounds_in(cron_calendar(definition), definition)


def windows_signature(definition: CronPartitions) -> tuple[Hashable, ...]:
    """Equal for definitions without problems whose windows are the same, whatever their bounds."""
    calendar = cron_calendar(definition)
    exclusions = calendar.exclusions
    expression = calendar.expression
    fields = (expression.minutes, expression.days, expression.months, expression.weekdays, expression.floating)
    return ("cron", fields, calendar.timezone, exclusions.periods, exclusions.instants)


def _expression(cron: object) -> CronExpression | str:
    if not isinstance(cron, str):
        return "it is no text: write five fields such as '0 6 * * mon-fri'"
    try:
        return parse_cron(cron)
    except ValueError as error:
        return str(error)


def _exclusion_problems(definition: CronPartitions, calendar: CronCalendar) -> list[str]:
    excluded: object = definition.exclude
    if not isinstance(excluded, tuple):
        return [f"exclude is {excluded!r}, not a list: write exclude=['2024-12-25']"]
    problems: list[str] = []
    for value in cast("tuple[object, ...]", excluded):
        period, moments = _excluded(value, calendar)
        if not period and not moments:
            which = f"no time, or none at which {definition.cron!r} ticks in {calendar.timezone}"
            problems.append(f"exclude {value!r} is {which}: write a date such as '2024-12-25', or a key")
    return problems


def _excluded(value: object, calendar: CronCalendar) -> tuple[set[tuple[int, int]], set[int]]:
    """The local period, or the ticks, that one exclusion names; both empty when it names nothing."""
    written = parse_time(bound_text(value))
    if written is None:
        return set(), set()
    if written.unit != "time":
        return {(written.begin, written.end)}, set()
    local = np.array([written.begin], np.int64)
    zone = calendar.timezone
    if written.offset is None:
        moments = np.concatenate((to_utc(zone, local), to_utc_last(zone, local)))
        moments = moments[to_local(zone, moments) == written.begin]
    else:
        moments = local - written.offset
    ticks = moments[calendar.starts(calendar.at(moments)) == moments]
    return set(), set(ticks.tolist())
