"""What the bounds of a time-based definition mean, and what can be wrong with them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Protocol
from zoneinfo import available_timezones

import numpy as np

from assetflow.keys import nearest_names
from assetflow.partitions.calendars import WEEKDAYS, Calendar, TimeGrain
from assetflow.partitions.cron_calendar import CronCalendar
from assetflow.partitions.dates import bound_text, read_bound
from assetflow.partitions.zones import DAY, HOUR, known_zone

ADJECTIVES: dict[TimeGrain, str] = {"hour": "hourly", "day": "daily", "week": "weekly", "month": "monthly"}

_SECONDS = {"day_offset": DAY, "hour_offset": HOUR, "minute_offset": 60}
_MOST = {"day_offset": 27, "hour_offset": 23, "minute_offset": 59}
"""No month has fewer than 28 days."""


class BoundedDefinition(Protocol):
    """What all definitions of windows have in common."""

    @property
    def start(self) -> str | date: ...
    @property
    def end(self) -> str | date | None: ...
    @property
    def timezone(self) -> str: ...
    @property
    def end_offset(self) -> int: ...


class TimeDefinition(BoundedDefinition, Protocol):
    """What the definitions of hours, days, weeks and months have in common."""

    @property
    def week_start(self) -> str: ...
    @property
    def grain(self) -> TimeGrain: ...
    @property
    def offsets(self) -> Mapping[str, int]: ...


@dataclass(frozen=True, slots=True)
class Bounds:
    """The ordinals of a definition: from ``first`` up to, but not including, ``stop`` (None: open)."""

    first: int
    stop: int | None


def time_calendar(definition: TimeDefinition) -> Calendar:
    """The windows that the definition takes its partitions from."""
    return Calendar(definition.grain, definition.timezone, definition.week_start, time_offset(definition))


def time_offset(definition: TimeDefinition) -> int:
    """How many seconds later than what they are named after the windows begin."""
    return sum(count * _SECONDS[name] for name, count in definition.offsets.items())


def time_bounds(definition: TimeDefinition) -> Bounds:
    """The definition's ordinals. Raises ValueError for one that has problems."""
    if problems := time_problems(definition):
        raise ValueError(problems[0])
    return bounds_in(time_calendar(definition), definition)


def bounds_in(calendar: Calendar | CronCalendar, definition: BoundedDefinition) -> Bounds:
    """The ordinals of a definition whose bounds have no problems."""
    start, end = _place(definition.start, calendar.named), _place(definition.end, calendar.named)
    assert start is not None
    return Bounds(start.first, end.ordinal if end else None)


def time_problems(definition: TimeDefinition) -> list[str]:
    """What is wrong with the definition and what to do about it, one text per mistake."""
    problems = setting_problems(definition)
    zone, week_start = definition.timezone, definition.week_start
    if week_start not in WEEKDAYS:
        problems.append(f"week_start {week_start!r} is no weekday: write one of {', '.join(WEEKDAYS)}")
        week_start = "monday"
    problems += _offset_problems(definition)
    zone = zone if known_zone(zone) else "UTC"
    return problems + bound_problems(definition, Calendar(definition.grain, zone, week_start))


def setting_problems(definition: BoundedDefinition) -> list[str]:
    """What is wrong with the time zone and the offset."""
    problems: list[str] = []
    if not known_zone(definition.timezone):
        near = nearest_names(str(definition.timezone), available_timezones())
        advice = near or "write a name such as Europe/Berlin"
        problems.append(f"timezone {definition.timezone!r} is unknown: {advice}")
    if not is_whole_number(definition.end_offset):
        shown = repr(definition.end_offset)
        problems.append(f"end_offset {shown} is no whole number: write how many windows more or fewer exist")
    return problems


def time_signature(definition: TimeDefinition) -> tuple[Hashable, ...]:
    """Equal for definitions with the same partitions; for one with problems, for the same arguments."""
    if time_problems(definition):
        return (definition.grain, "invalid", repr(definition))
    bounds = time_bounds(definition)
    return (*windows_of(definition), bounds.first, bounds.stop, definition.end_offset)


def windows_of(definition: TimeDefinition) -> tuple[Hashable, ...]:
    """Equal for definitions whose windows are the same, whatever their bounds."""
    week_start = definition.week_start if definition.grain == "week" else ""
    return (definition.grain, definition.timezone, week_start, *definition.offsets.items())


def time_text(definition: TimeDefinition) -> str:
    """One line such as ``daily from 2013-01-01, America/New_York``."""
    said = [definition.week_start] if definition.grain == "week" else []
    days, hours, minutes = (definition.offsets.get(name, 0) for name in _SECONDS)
    if days:
        said.append(f"day {days + 1 if is_whole_number(days) else days}")
    if definition.grain == "hour" and minutes:
        said.append(f"minute {minutes}")
    elif hours or minutes:
        said.append(f"{hours:02}:{minutes:02}")
    begins = f" ({', '.join(said)})" if said else ""
    return f"{ADJECTIVES[definition.grain]}{begins} {extent_text(definition)}"


def extent_text(definition: BoundedDefinition) -> str:
    """The bounds and the time zone, such as ``from 2013-01-01, America/New_York``."""
    until = "" if definition.end is None else f" until {_shown(definition.end)}"
    offset = f", end_offset {definition.end_offset}" if definition.end_offset else ""
    return f"from {_shown(definition.start)}{until}, {definition.timezone}{offset}"


def is_whole_number(value: object) -> bool:
    """Whether a value that should be an int is one; True and False are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def _offset_problems(definition: TimeDefinition) -> list[str]:
    return [
        f"{name} {count!r} is not from 0 to {_MOST[name]}: windows begin that much later than what they are named after"
        for name, count in definition.offsets.items()
        if not is_whole_number(count) or not 0 <= count <= _MOST[name]
    ]


def bound_problems(definition: BoundedDefinition, calendar: Calendar | CronCalendar) -> list[str]:
    """What is wrong with the bounds."""
    calendar = calendar.named
    start, end = _place(definition.start, calendar), _place(definition.end, calendar)
    problems = [_bound_problem("start", definition.start, start, calendar)]
    if definition.end is not None:
        problems.append(_bound_problem("end", definition.end, end, calendar))
    if start and end and not any(problems):
        shown_start, shown_end = _shown(definition.start), _shown(definition.end)
        if end.instant <= start.instant:
            advice = "end is exclusive; give a later one, or None for an open end"
            problems.append(f"end {shown_end} is not after start {shown_start}: {advice}")
        elif end.ordinal <= start.first:
            window = "no whole window"
            if isinstance(calendar, Calendar):
                window = f"no whole week (they begin on {calendar.week_start})"
            problems.append(f"{window} lies between {shown_start} and {shown_end}: widen the bounds")
    return [problem for problem in problems if problem]


def _bound_problem(name: str, value: object, place: _Place | None, calendar: Calendar | CronCalendar) -> str | None:
    if place is None:
        example = calendar.keys(calendar.at(np.array([1_357_020_000], np.int64)))[0]
        return f"{name} {value!r} is no time that partitions can begin at: write it like {example!r}"
    if place.exact or calendar.grain in ("week", "cron"):
        return None
    noun = "an hour" if calendar.grain == "hour" else f"a {calendar.grain}"
    before, after = calendar.keys(np.array([place.ordinal, place.ordinal + 1], np.int64))
    return f"{name} {_shown(value)} is not where {noun} begins: write {before} or {after}"


@dataclass(frozen=True, slots=True)
class _Place:
    """A bound: its instant, the window that this lies in, the first from there on, and whether that is the same."""

    instant: int
    ordinal: int
    first: int
    exact: bool


def _place(value: object, calendar: Calendar | CronCalendar) -> _Place | None:
    return _cached_place(bound_text(value), calendar)


# Thousands of assets share a few definitions.
@lru_cache(maxsize=1024)
def _cached_place(text: str, calendar: Calendar | CronCalendar) -> _Place | None:
    instant = read_bound(text, calendar.timezone)
    if instant is None:
        return None
    ordinal = calendar.at(np.array([instant], np.int64))
    exact = int(calendar.starts(ordinal)[0]) == instant
    first = ordinal if exact else calendar.shift(ordinal, 1)
    return _Place(instant, int(ordinal[0]), int(first[0]), exact)


def _shown(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)
