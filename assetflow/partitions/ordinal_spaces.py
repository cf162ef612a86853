"""What the ordinals of a definition count, as a text: two definitions with the same one call the same partition alike.

Bounds, time zones, offsets and the expressions of cron are not in it: with other ones, an ordinal is called as before.
"""

from __future__ import annotations

import numpy as np

from assetflow.partitions.calendars import Calendar
from assetflow.partitions.cron_calendar import minute_instants
from assetflow.partitions.definitions import PartitionsDefinition
from assetflow.partitions.dictionary import KeyDictionary
from assetflow.partitions.instants import instant_keys
from assetflow.partitions.multi_partitions import WIDTHS, MultiPartitions
from assetflow.partitions.multi_space import joined_keys
from assetflow.partitions.sets import Ints

WHOLE = "whole"
"""The space of an asset without partitions."""

_KEYS = "keys"
_MULTI = "multi("
_WORDS = {"cron": "the ticks of a cron expression", _KEYS: "key"}


def ordinal_space(definition: PartitionsDefinition | None) -> str:
    """The space of a definition without problems.

    >>> from assetflow.partitions.definitions import DailyPartitions, StaticPartitions, WeeklyPartitions
    >>> days, north = DailyPartitions("2024-01-01"), StaticPartitions(["north"])
    >>> ordinal_space(days), ordinal_space(north), ordinal_space(None), ordinal_space(WeeklyPartitions("2024-01-01"))
    ('day', 'keys', 'whole', 'week:monday')
    >>> ordinal_space(MultiPartitions({"region": north, "day": days}))
    'multi(keys,day)'
    """
    if definition is None:
        return WHOLE
    if isinstance(definition, MultiPartitions):
        return f"{_MULTI}{','.join(ordinal_space(each) for _, each in definition.pairs)})"
    match definition.grain:
        case "week":
            return f"week:{definition.week_start}"
        case "hour" | "day" | "month" | "cron":
            return definition.grain
        case _:
            return _KEYS


def space_words(space: str) -> str:
    """How an asset of this space is partitioned, after ``it is``.

    >>> space_words("whole"), space_words("day"), space_words("multi(day,keys)"), space_words("week:sunday")
    ('not partitioned', 'partitioned by day', 'partitioned by day and key', 'partitioned by week (sunday)')
    """
    if space == WHOLE:
        return "not partitioned"
    return f"partitioned by {' and '.join(map(_kind_words, _kinds(space)))}"


def keys_in(space: str, ordinals: Ints, dictionary: KeyDictionary) -> list[str | None]:
    """The keys of ordinals of a space of which no definition is at hand; hours and ticks in UTC.

    What has no key is called by its ordinal, as in ``#735234``.
    """
    if space == WHOLE:
        return [None] * ordinals.size
    kinds = _kinds(space)
    columns: list[list[str]] = []
    rest = ordinals
    for kind in reversed(kinds):
        width = 63 if len(kinds) == 1 else WIDTHS[_grain(kind)]
        columns.append(_texts(kind, rest & ((1 << width) - 1), dictionary))
        rest = rest >> width if width < 63 else rest
    return [*joined_keys(columns[::-1])] if space.startswith(_MULTI) else [*columns[0]]


def _kinds(space: str) -> list[str]:
    return space.removeprefix(_MULTI).removesuffix(")").split(",") if space.startswith(_MULTI) else [space]


def _grain(kind: str) -> str:
    return "static" if kind == _KEYS else kind.partition(":")[0]


def _kind_words(kind: str) -> str:
    grain, _, day = kind.partition(":")
    return f"{grain} ({day})" if day else _WORDS.get(kind, kind)


def _texts(kind: str, ordinals: Ints, dictionary: KeyDictionary) -> list[str]:
    grain, _, day = kind.partition(":")
    try:
        match grain:
            case "keys":
                return [dictionary.key(ordinal) for ordinal in ordinals.tolist()]
            case "cron":
                return instant_keys("UTC", minute_instants(ordinals))
            case "hour" | "day" | "week" | "month":
                return Calendar(grain, "UTC", day or "monday").keys(ordinals)
            case _:
                return [f"#{ordinal}" for ordinal in ordinals.tolist()]
    except (KeyError, ValueError, OverflowError):
        if ordinals.size == 1:
            return [f"#{int(ordinals[0])}"]
        return [text for each in np.split(ordinals, ordinals.size) for text in _texts(kind, each, dictionary)]
