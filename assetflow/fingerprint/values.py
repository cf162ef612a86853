"""Plain Python values as bytes: the same for equal values, whatever the process or the Python."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import cast


def encode(value: object) -> bytes | None:
    """The canonical bytes of a plain value, or None if it is not one or holds something that is not.

    Plain are None, bool, int, float, str, bytes, tuple, list, dict, set, frozenset, paths, dates, times,
    durations, Decimal and enum members. The order of a dict and the sign of zero do not count, a tuple is a list, and
    there is one NaN.

    >>> encode({"b": 1, "a": (2,)}) == encode({"a": [2], "b": 1}), encode(1) == encode(1.0), encode(object())
    (True, False, None)
    """
    try:
        return _encode(value)
    except RecursionError:
        return None


def _encode(value: object) -> bytes | None:
    if isinstance(value, Enum):
        kind = type(value)
        return _tagged(b"E", f"{kind.__module__}.{kind.__qualname__}.{value.name}".encode())
    if isinstance(value, PurePath):
        return _tagged(b"P", value.as_posix().encode("utf-8", "surrogatepass"))
    kind = type(value)
    if kind in (list, tuple):
        return _sequence(b"l", map(_encode, cast("Iterable[object]", value)))
    if kind in (set, frozenset):
        return _unordered(b"e", map(_encode, cast("Iterable[object]", value)))
    if kind is dict:
        pairs = cast("dict[object, object]", value).items()
        return _unordered(b"d", (_sequence(b"p", (_encode(key), _encode(item))) for key, item in pairs))
    return _scalar(value, kind)


def _scalar(value: object, kind: type) -> bytes | None:
    if value is None:
        return b"N"
    if isinstance(value, bool):
        return b"T" if value else b"F"
    if isinstance(value, int) and kind is int:
        return _tagged(b"i", b"%x" % value)
    if isinstance(value, float) and kind is float:
        return _tagged(b"f", b"nan" if math.isnan(value) else (value + 0.0).hex().encode())
    if isinstance(value, str) and kind is str:
        return _tagged(b"s", value.encode("utf-8", "surrogatepass"))
    if isinstance(value, bytes) and kind is bytes:
        return _tagged(b"b", value)
    if isinstance(value, datetime) and kind is datetime:
        return _tagged(b"t", f"{value.isoformat()} {value.tzinfo or ''} {value.fold}".encode())
    if isinstance(value, (date, time)) and kind in (date, time):
        return _tagged(b"t", value.isoformat().encode())
    if isinstance(value, timedelta) and kind is timedelta:
        return _tagged(b"u", b"%d %d %d" % (value.days, value.seconds, value.microseconds))
    if isinstance(value, Decimal) and kind is Decimal:
        return _tagged(b"m", str(value).encode())
    return None


def _tagged(tag: bytes, data: bytes) -> bytes:
    return b"%s%d:%s" % (tag, len(data), data)


def _sequence(tag: bytes, items: Iterable[bytes | None]) -> bytes | None:
    encoded: list[bytes] = []
    for item in items:
        if item is None:
            return None
        encoded.append(item)
    return _tagged(tag, b"".join(encoded))


def _unordered(tag: bytes, items: Iterable[bytes | None]) -> bytes | None:
    encoded: list[bytes] = []
    for item in items:
        if item is None:
            return None
        encoded.append(item)
    return _tagged(tag, b"".join(sorted(encoded)))
