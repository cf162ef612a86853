"""Time zone arithmetic on whole arrays.

A zone is a list of transitions: instants (UTC seconds since 1970) at which its offset changes. ``zoneinfo`` does
not tell them, so they are found by asking for the offset once per day and bisecting each change to the second.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from assetflow.partitions.sets import Ints

DAY = 86_400
HOUR = 3_600
UTC_NAMES = frozenset({"UTC", "Etc/UTC", "UCT", "Etc/UCT", "Zulu", "Etc/Zulu", "Universal", "Etc/Universal"})

_AVERAGE_YEAR = 31_556_952
# No zone has a transition before, and datetime cannot express every zone's local time after.
_FIRST_DECADE, _LAST_DECADE = 180, 998


@dataclass(frozen=True, slots=True)
class Transitions:
    """Where a zone's offset changes: ``offsets[i]`` (seconds east of UTC) holds before ``instants[i]``."""

    instants: Ints
    offsets: Ints


def known_zone(name: object) -> bool:
    """Whether ``name`` is a time zone of the zone database.

    >>> known_zone("Europe/Berlin"), known_zone("Europe"), known_zone("../etc"), known_zone("berlin")
    (True, False, False, False)
    """
    if not isinstance(name, str) or not name:
        return False
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def transitions_between(name: str, first: int, last: int) -> Transitions:
    """The zone's transitions around the instants ``first`` to ``last`` (UTC seconds), with at least a year to spare."""
    if name in UTC_NAMES:
        return _STEADY
    return _transitions(name, _decade_of(first - _AVERAGE_YEAR), _decade_of(last + _AVERAGE_YEAR))


def offsets_at(name: str, instants: Ints) -> Ints:
    """The zone's offset at each instant (UTC seconds), in seconds east of UTC."""
    if not instants.size:
        return instants
    table = transitions_between(name, int(instants.min()), int(instants.max()))
    if not table.instants.size:
        return np.full(instants.shape, table.offsets[0])
    return table.offsets[np.searchsorted(table.instants, instants, side="right")]


def to_local(name: str, instants: Ints) -> Ints:
    """Local time, as seconds since 1970-01-01T00:00 on the local clock, of each instant (UTC seconds)."""
    return instants + offsets_at(name, instants)


def to_utc(name: str, local: Ints) -> Ints:
    """The instant (UTC seconds) of each local time: the first where the clock shows it twice, and the first instant
    after the gap where it never does.

    >>> spring = np.array([np.datetime64("2013-03-10T02:30")]).astype("datetime64[s]").astype(np.int64)
    >>> to_utc("America/New_York", spring).astype("datetime64[s]").astype(str).tolist()
    ['2013-03-10T07:00:00']
    """
    if not local.size:
        return local
    table = transitions_between(name, int(local.min()), int(local.max()))
    if not table.instants.size:
        return local - table.offsets[0]
    # Until its transition is reached, a segment's own offset holds: the first of two readings.
    segment = np.searchsorted(table.instants + table.offsets[:-1], local, side="right")
    instants = local - table.offsets[segment]
    began = np.concatenate(([np.iinfo(np.int64).min], table.instants))[segment]
    return np.maximum(instants, began)


def to_utc_last(name: str, local: Ints) -> Ints:
    """As :func:`to_utc`, but the last instant where the clock shows a time twice; no particular one in a gap."""
    if not local.size:
        return local
    table = transitions_between(name, int(local.min()), int(local.max()))
    return local - table.offsets[np.searchsorted(table.instants + table.offsets[1:], local, side="right")]


def _decade_of(instant: int) -> int:
    return min(max((1970 + instant // _AVERAGE_YEAR) // 10, _FIRST_DECADE), _LAST_DECADE)


@lru_cache(maxsize=256)
def _transitions(name: str, first: int, last: int) -> Transitions:
    parts = [_decade(name, decade) for decade in range(first, last + 1)]
    instants = np.concatenate([part.instants for part in parts])
    offsets = np.concatenate([parts[0].offsets[:1], *(part.offsets[1:] for part in parts)])
    return _frozen(instants, offsets)


@lru_cache(maxsize=2048)
def _decade(name: str, decade: int) -> Transitions:
    zone = ZoneInfo(name)
    begin = int(datetime(decade * 10, 1, 1, tzinfo=UTC).timestamp())
    end = int(datetime(decade * 10 + 10, 1, 1, tzinfo=UTC).timestamp())
    instants: list[int] = []
    offsets = [_offset(zone, begin - 1)]
    before = begin - 1
    for sample in [*range(begin, end - 1, DAY), end - 1]:
        while _offset(zone, sample) != offsets[-1]:
            before = _first_change(zone, before, sample)
            instants.append(before)
            offsets.append(_offset(zone, before))
        before = sample
    return _frozen(np.array(instants, np.int64), np.array(offsets, np.int64))


def _first_change(zone: ZoneInfo, before: int, after: int) -> int:
    old = _offset(zone, before)
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(zone, middle) == old:
            before = middle
        else:
            after = middle
    return after


def _offset(zone: ZoneInfo, instant: int) -> int:
    offset = datetime.fromtimestamp(instant, zone).utcoffset()
    return 0 if offset is None else offset.days * DAY + offset.seconds


def _frozen(instants: Ints, offsets: Ints) -> Transitions:
    instants.setflags(write=False)
    offsets.setflags(write=False)
    return Transitions(instants, offsets)


_STEADY = _frozen(np.empty(0, np.int64), np.zeros(1, np.int64))
