"""How records are written down in columns, and read back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from assetflow.keys import DataHash
from assetflow.planner.state import Lanes
from assetflow.store.records import FileRecord

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SECOND = 1_000_000
"""Microseconds."""

EMPTY, HELD, TOLERATED = 1, 2, 4
"""The bits of a pointer's flags."""


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970 UTC of an aware moment.

    >>> to_micros(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
    1000000
    """
    return (moment - EPOCH) // MICROSECOND


def optional_span(seconds: float | None) -> int | None:
    """Microseconds of a span, or None.

    >>> optional_span(0.25)
    250000
    """
    return None if seconds is None else round(seconds * SECOND)


def from_micros(micros: int) -> datetime:
    """The moment, in UTC.

    >>> from_micros(1000000).isoformat()
    '1970-01-01T00:00:01+00:00'
    """
    return EPOCH + timedelta(microseconds=micros)


def optional_micros(moment: datetime | None) -> int | None:
    """As :func:`to_micros`, for what may not have happened."""
    return None if moment is None else to_micros(moment)


def optional_moment(micros: int | None) -> datetime | None:
    """As :func:`from_micros`, for what may not have happened."""
    return None if micros is None else from_micros(micros)


def hash_bytes(data_hash: DataHash) -> bytes:
    """The 16 bytes of a data hash. Raises ValueError for anything else.

    >>> hash_bytes(DataHash("a1:" + "0f" * 16)).hex() == "0f" * 16
    True
    """
    if len(data_hash) != 35 or not data_hash.startswith("a1:"):
        raise ValueError(f"{data_hash!r} is no data hash")
    return bytes.fromhex(data_hash[3:])


def bytes_hash(octets: bytes) -> DataHash:
    """The data hash of 16 bytes."""
    return DataHash("a1:" + octets.hex())


def to_lanes(octets: bytes) -> Lanes:
    """Hashes or signatures, one after the other, as lanes of shape ``(n, 2)``."""
    return np.frombuffer(octets, ">u8").astype(np.uint64).reshape(-1, 2)


def _plain(value: object) -> object:
    # Numbers of numpy and the like know their plain form; of anything else the text is kept.
    item: Callable[[], object] | None = getattr(value, "item", None)
    return item() if callable(item) else str(value)


to_json = json.JSONEncoder(separators=(",", ":"), default=_plain).encode


def from_json(text: str | None) -> dict[str, Any]:
    """The mapping in a column; empty where nothing was written."""
    return json.loads(text) if text else {}


def optional_json(mapping: Mapping[str, object] | None) -> str | None:
    """A mapping as JSON text; None for an empty one."""
    return to_json(dict(mapping)) if mapping else None


def files_json(files: Sequence[FileRecord]) -> str | None:
    """The files of a version as JSON text."""
    # Put together by hand: an encoder takes three times as long to begin with a list as all of this.
    parts = [f"[{to_json(file.name)},{file.size},{to_json(file.digest)}]" for file in files]
    return f"[{','.join(parts)}]" if parts else None


def json_files(text: str | None) -> tuple[FileRecord, ...]:
    """The files of a version."""
    return tuple(FileRecord(name, size, digest) for name, size, digest in json.loads(text)) if text else ()


def ranges_json(ranges: Sequence[tuple[int, int]]) -> str:
    """Ranges of ordinals as JSON text."""
    # As :func:`files_json` is.
    return f"[{','.join([f'[{first},{last}]' for first, last in ranges])}]"


def printable(text: str) -> str:
    """A text that any database takes: NUL, and halves of surrogate pairs as found in names of files, become ``?``."""
    return text.encode("utf-8", "replace").decode().replace("\x00", "?")


def optional_text(text: str | None) -> str | None:
    """As :func:`printable`, for a text that may be missing."""
    return None if text is None else printable(text)
