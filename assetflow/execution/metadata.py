"""What users keep beside versions and check results, as plain JSON values, whatever they passed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any, cast

_DEEPEST = 16
_LONGEST_INTEGER = 4_000
"""Bits: Python refuses to write integers of more than 4,300 digits."""


def plain_metadata(values: Mapping[str, object]) -> dict[str, object]:
    """Values that JSON holds: what is not finite becomes None, arrays become lists, anything unknown its text.

    >>> plain_metadata({"least": float("nan"), "at": date(2024, 1, 31), "shape": (2, 3), "by": {1: {"a"}}})
    {'least': None, 'at': '2024-01-31', 'shape': [2, 3], 'by': {'1': ['a']}}
    """
    return {str(name): _plain(value, _DEEPEST) for name, value in values.items()}


def _plain(value: object, depth: int) -> object:
    listed: Any = getattr(value, "tolist", None)
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if value.bit_length() <= _LONGEST_INTEGER else _text(value)
        case float():
            return value if math.isfinite(value) else None
        case datetime() | date() | time():
            return value.isoformat()
        case _ if depth == 0:
            return _text(value)
        case Mapping():
            items = cast("Mapping[object, object]", value).items()
            return {_text(name): _plain(each, depth - 1) for name, each in items}
        case list() | tuple() | set() | frozenset():
            return [_plain(each, depth - 1) for each in cast("list[object]", value)]
        case _ if callable(listed) and not isinstance(value, type):  # arrays and scalars of numpy, columns of pandas
            return _plain(listed(), depth - 1)
        case _:
            return _text(value)


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception:
        return f"<{type(value).__qualname__}>"
