"""Durations as users write them: ``"36h"``, ``"15m"``, ``"3d"``, or a ``timedelta``."""

from __future__ import annotations

import re
from datetime import timedelta

from assetflow.errors import DefinitionError

_TEXT = re.compile(r"(\d{1,9})([smhd])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_duration(value: object) -> timedelta:
    """Read a duration: digits and one of ``s m h d``, or a ``timedelta``; never negative. Raises DefinitionError.

    >>> parse_duration("36h")
    datetime.timedelta(days=1, seconds=43200)
    """
    if isinstance(value, timedelta) and value >= timedelta(0):
        return value
    match = _TEXT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise DefinitionError(
            f"{value!r} is no duration", hint='write "30s", "15m", "36h", "3d", or a timedelta that is not negative'
        )
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
