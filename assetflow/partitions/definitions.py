"""What users declare as partitions: by calendar, and fixed lists; cron, dynamic and multi have files of their own.

Constructors accept anything; ``problems()`` says what is wrong, so that all mistakes of a load are found together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, cast

from assetflow.keys import nearest_names
from assetflow.partitions.bounds import time_problems, time_signature, time_text
from assetflow.partitions.calendars import TimeGrain
from assetflow.partitions.cron_partitions import CronPartitions
from assetflow.partitions.dictionary import key_problem
from assetflow.partitions.dynamic_partitions import DynamicPartitions
from assetflow.partitions.multi_partitions import MultiPartitions


@dataclass(frozen=True, slots=True)
class DailyPartitions:
    """One partition per local day (23 to 25 hours) from ``start`` up to, but not including, ``end`` (None: open).

    Bounds are text such as ``"2013-01-01"``, dates or datetimes, in ``timezone``. A partition exists once its window
    has ended; ``end_offset=1`` adds the window in progress, ``-1`` leaves out the last that ended. With ``hour_offset``
    and ``minute_offset`` a day begins and ends so much later on the local clock; its key and the bounds name the date.

    >>> DailyPartitions("2013-01-01", timezone="America/New_York").describe()
    'daily from 2013-01-01, America/New_York'
    >>> DailyPartitions("2013-01-01", hour_offset=6).describe()
    'daily (06:00) from 2013-01-01, UTC'
    >>> DailyPartitions("2013-01-01", end="2012-01-01").problems()
    ['end 2012-01-01 is not after start 2013-01-01: end is exclusive; give a later one, or None for an open end']
    """

    start: str | date
    end: str | date | None = None
    timezone: str = "UTC"
    end_offset: int = 0
    hour_offset: int = 0
    minute_offset: int = 0

    @property
    def grain(self) -> TimeGrain:
        """The length of a window."""
        return "day"

    @property
    def week_start(self) -> str:
        """The day that weeks begin on."""
        return "monday"

    @property
    def offsets(self) -> Mapping[str, int]:
        """How much later than what they are named after the windows begin, by argument."""
        return {"hour_offset": self.hour_offset, "minute_offset": self.minute_offset}

    def problems(self) -> list[str]:
        """What is wrong with this definition and what to do about it, one text per mistake."""
        return time_problems(self)

    def describe(self) -> str:
        """One line for people."""
        return time_text(self)

    def signature(self) -> tuple[Hashable, ...]:
        """A value that is equal for definitions with the same partitions, in every process."""
        return time_signature(self)


@dataclass(frozen=True, slots=True)
class HourlyPartitions:
    """One partition per full hour of the local clock; an hour that occurs twice gives two.

    With ``minute_offset`` a window begins that much after the hour that it is named after. Other arguments as for
    :class:`DailyPartitions`.

    >>> HourlyPartitions("2013-01-01", end="2014-01-01", timezone="Europe/Berlin").describe()
    'hourly from 2013-01-01 until 2014-01-01, Europe/Berlin'
    """

    start: str | date
    end: str | date | None = None
    timezone: str = "UTC"
    end_offset: int = 0
    minute_offset: int = 0

    @property
    def grain(self) -> TimeGrain:
        """The length of a window."""
        return "hour"

    @property
    def week_start(self) -> str:
        """The day that weeks begin on."""
        return "monday"

    @property
    def offsets(self) -> Mapping[str, int]:
        """How much later than what they are named after the windows begin, by argument."""
        return {"minute_offset": self.minute_offset}

    def problems(self) -> list[str]:
        """What is wrong with this definition and what to do about it, one text per mistake."""
        return time_problems(self)

    def describe(self) -> str:
        """One line for people."""
        return time_text(self)

    def signature(self) -> tuple[Hashable, ...]:
        """A value that is equal for definitions with the same partitions, in every process."""
        return time_signature(self)


@dataclass(frozen=True, slots=True)
class WeeklyPartitions:
    """One partition per week that lies wholly between ``start`` and ``end``; its key is its first day.

    Weeks begin on ``week_start``, an English weekday; other arguments as for :class:`DailyPartitions`.

    >>> WeeklyPartitions("2013-01-06", week_start="sunday").describe()
    'weekly (sunday) from 2013-01-06, UTC'
    """

    start: str | date
    end: str | date | None = None
    timezone: str = "UTC"
    end_offset: int = 0
    week_start: str = "monday"
    hour_offset: int = 0
    minute_offset: int = 0

    @property
    def grain(self) -> TimeGrain:
        """The length of a window."""
        return "week"

    @property
    def offsets(self) -> Mapping[str, int]:
        """How much later than what they are named after the windows begin, by argument."""
        return {"hour_offset": self.hour_offset, "minute_offset": self.minute_offset}

    def problems(self) -> list[str]:
        """What is wrong with this definition and what to do about it, one text per mistake."""
        return time_problems(self)

    def describe(self) -> str:
        """One line for people."""
        return time_text(self)

    def signature(self) -> tuple[Hashable, ...]:
        """A value that is equal for definitions with the same partitions, in every process."""
        return time_signature(self)


@dataclass(frozen=True, slots=True)
class MonthlyPartitions:
    """One partition per calendar month; its key is ``2013-01``.

    ``start`` and ``end`` name the first day of a month. With ``day_offset`` (0 to 27) a window begins so many days
    later than the month that it is named after; other arguments as for :class:`DailyPartitions`.

    >>> MonthlyPartitions("2013-01").describe()
    'monthly from 2013-01, UTC'
    """

    start: str | date
    end: str | date | None = None
    timezone: str = "UTC"
    end_offset: int = 0
    day_offset: int = 0
    hour_offset: int = 0
    minute_offset: int = 0

    @property
    def grain(self) -> TimeGrain:
        """The length of a window."""
        return "month"

    @property
    def week_start(self) -> str:
        """The day that weeks begin on."""
        return "monday"

    @property
    def offsets(self) -> Mapping[str, int]:
        """How much later than what they are named after the windows begin, by argument."""
        return {"day_offset": self.day_offset, "hour_offset": self.hour_offset, "minute_offset": self.minute_offset}

    def problems(self) -> list[str]:
        """What is wrong with this definition and what to do about it, one text per mistake."""
        return time_problems(self)

    def describe(self) -> str:
        """One line for people."""
        return time_text(self)

    def signature(self) -> tuple[Hashable, ...]:
        """A value that is equal for definitions with the same partitions, in every process."""
        return time_signature(self)


@dataclass(frozen=True, slots=True)
class StaticPartitions:
    """A fixed list of keys; their order is the order of ranges such as ``north...south``.

    ``exclude`` names keys of the list that are no partitions, such as holidays; ``keys`` are the others.

    >>> StaticPartitions(["north", "south"]).describe()
    '2 keys: north, south'
    >>> StaticPartitions(["north", "north"]).problems()
    ["the key 'north' is listed twice: keep one"]
    >>> StaticPartitions(["north", "south"], exclude=["south"]).keys
    ('north',)
    """

    keys: Sequence[str]
    exclude: Iterable[str] = field(default=(), compare=False)
    _given: object = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        listed, excluded = _as_tuple(self.keys), _as_tuple(self.exclude)
        object.__setattr__(self, "_given", listed)
        object.__setattr__(self, "exclude", excluded)
        if isinstance(listed, tuple) and isinstance(excluded, tuple) and excluded:
            gone = set(map(repr, cast("tuple[object, ...]", excluded)))
            listed = tuple(key for key in cast("tuple[object, ...]", listed) if repr(key) not in gone)
        object.__setattr__(self, "keys", listed)

    @property
    def grain(self) -> Literal["static"]:
        """These partitions have no length."""
        return "static"

    def problems(self) -> list[str]:
        """What is wrong with this definition and what to do about it, one text per mistake."""
        if not isinstance(self.keys, tuple):
            return [f"keys is {self.keys!r}, not a list of texts: write StaticPartitions([...])"]
        if not isinstance(self.exclude, tuple):
            return [f"exclude is {self.exclude!r}, not a list of texts: write exclude=['...']"]
        if not self.keys:
            return ["every key is excluded: leave one" if self._given else "keys is empty: list at least one key"]
        problems: list[str] = []
        if not _are_sound(self.keys):
            problems += [text for key in self.keys if (text := key_problem(key))]
            twice = [key for key, count in Counter(map(repr, self.keys)).items() if count > 1]
            problems += [f"the key {key} is listed twice: keep one" for key in twice]
        if self.exclude:
            known = set(map(repr, cast("tuple[object, ...]", self._given)))
            strangers = [key for key in self.exclude if repr(key) not in known]
            problems += [f"exclude {key!r} is no key: {self._nearest(key)}" for key in strangers]
        return problems

    def describe(self) -> str:
        """One line for people."""
        keys = self._listed()
        noun = "key" if len(keys) == 1 else "keys"
        count = len(self.exclude) if isinstance(self.exclude, tuple) else 0
        without = f", without {count} {'exclusion' if count == 1 else 'exclusions'}" if count else ""
        return f"{len(keys)} {noun}: {', '.join(keys[:3])}{', ...' if len(keys) > 3 else ''}{without}"

    def signature(self) -> tuple[Hashable, ...]:
        """A value that is equal for definitions with the same partitions, in every process."""
        return ("static", *self._listed())

    def _nearest(self, key: object) -> str:
        return nearest_names(str(key), self._listed()) or "leave it out"

    def _listed(self) -> list[str]:
        return [str(key) for key in self.keys] if isinstance(self.keys, tuple) else [str(self.keys)]


TimePartitions = DailyPartitions | HourlyPartitions | WeeklyPartitions | MonthlyPartitions | CronPartitions
DimensionDefinition = TimePartitions | StaticPartitions | DynamicPartitions
PartitionsDefinition = DimensionDefinition | MultiPartitions


def static_keys(definition: PartitionsDefinition | None) -> list[str]:
    """The keys that take their ordinals from the store's dictionary, those of dimensions included."""
    if isinstance(definition, MultiPartitions):
        return [key for _, each in definition.pairs for key in static_keys(each)]
    return [*definition.keys] if isinstance(definition, StaticPartitions) else []


def dynamic_names(definition: PartitionsDefinition | None) -> list[str]:
    """The sets of keys that a definition takes from the store, by itself or in its dimensions."""
    if isinstance(definition, MultiPartitions):
        return [name for _, each in definition.pairs for name in dynamic_names(each)]
    return [definition.name] if isinstance(definition, DynamicPartitions) else []


def _as_tuple(keys: object) -> object:
    if isinstance(keys, Iterable) and not isinstance(keys, str):
        return tuple(cast("Iterable[object]", keys))
    return keys


def _are_sound(keys: tuple[object, ...]) -> bool:
    """Whether nothing is wrong with any key: in bulk, for a million of them."""
    if set(map(type, keys)) != {str} or "" in keys or len(set(keys)) != len(keys):
        return False
    try:
        "".join(cast("tuple[str, ...]", keys)).encode()
    except UnicodeEncodeError:
        return False
    return True
