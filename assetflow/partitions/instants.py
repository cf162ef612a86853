"""The keys of windows that begin at an instant: local times that carry their offset."""

from __future__ import annotations

import numpy as np

from assetflow.partitions.sets import Ints
from assetflow.partitions.zones import UTC_NAMES, offsets_at


def instant_keys(timezone: str, instants: Ints) -> list[str]:
    """Each instant (UTC seconds since 1970) as a key.

    >>> instant_keys("America/New_York", np.array([1383454800, 1383458400])), instant_keys("UTC", np.array([0]))
    (['2013-11-03T01:00-04:00', '2013-11-03T01:00-05:00'], ['1970-01-01T00:00Z'])
    """
    offsets = offsets_at(timezone, instants)
    local = instants + offsets
    texts: list[str] = np.datetime_as_string(local.astype("datetime64[s]"), unit="m").tolist()
    for odd in np.flatnonzero(local % 60).tolist():
        texts[odd] += f":{int(local[odd]) % 60:02d}"
    if timezone in UTC_NAMES:
        return [text + "Z" for text in texts]
    suffixes = {offset: _suffix(offset) for offset in np.unique(offsets).tolist()}
    return [text + suffixes[offset] for text, offset in zip(texts, offsets.tolist(), strict=True)]


def _suffix(offset: int) -> str:
    minutes, seconds = divmod(abs(offset), 60)
    text = f"{'-' if offset < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}"
    return f"{text}:{seconds:02d}" if seconds else text
