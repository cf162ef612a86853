"""The JSON documents that programs read, on the command line and over HTTP: always valid."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence, Set
from datetime import date, datetime, time, timedelta
from typing import cast

from assetflow.errors import AssetflowError

REPORT = "this is a fault of assetflow itself; please report it, with the trace"
"""The hint of an error that nobody meant to raise."""


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


def document_of(error: BaseException) -> dict[str, object]:
    """The error document; an exception that nobody meant to raise has the type ``InternalError``."""
    if isinstance(error, AssetflowError):
        return {"error": error.document()}
    return {"error": {"type": "InternalError", "message": internal_message(error), "hint": REPORT, "location": None}}


def internal_message(error: BaseException) -> str:
    """What an exception that nobody meant to raise says, with its class."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


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
