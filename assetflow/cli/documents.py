"""The JSON documents that programs read: always valid, always exactly one."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence, Set
from datetime import date, datetime, time, timedelta
from typing import cast


def dumps(document: Mapping[str, object], *, indent: int | None = None) -> str:
    """The document as JSON in ASCII, which no locale and no lone surrogate can break.

    >>> from datetime import UTC
    >>> dumps({"rate": float("nan"), "at": datetime(2024, 1, 31, tzinfo=UTC)})
    '{"rate": null, "at": "2024-01-31T00:00:00+00:00"}'
    """
    try:
        return json.dumps(document, allow_nan=False, indent=indent)
    except (TypeError, ValueError):
        return json.dumps(_plain(document), allow_nan=False, indent=indent)


def _plain(value: object) -> object:
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case bytes():
            return value.hex()
        case Mapping():
            return {str(key): _plain(item) for key, item in cast("Mapping[object, object]", value).items()}
        case Sequence() | Set():
            return [_plain(item) for item in cast("Sequence[object]", value)]
        case _ if callable(item := getattr(value, "item", None)):  # a numpy scalar
            return _plain(item())
        case _:
            return str(value)
