"""Runs of neighbouring partitions, as pairs of keys and as text."""

from __future__ import annotations

import numpy as np

from assetflow.keys import escape_key
from assetflow.partitions.sets import Bools, Ints


def runs(ordinals: Ints, joined: Bools) -> tuple[Ints, Ints]:
    """First and last of each run of ``ordinals``; ``joined[i]`` says that i and i + 1 are neighbours."""
    breaks = np.flatnonzero(~joined)
    if not ordinals.size:
        return ordinals, ordinals
    return ordinals[np.concatenate(([0], breaks + 1))], ordinals[np.concatenate((breaks, [ordinals.size - 1]))]


def range_texts(ranges: list[tuple[str, str]], hidden: int) -> list[str]:
    """Ranges as people write them, and how many more there are.

    >>> range_texts([("2013-01-01", "2013-01-31"), ("2013-03-10", "2013-03-10")], 0)
    ['2013-01-01...2013-01-31', '2013-03-10']
    >>> range_texts([("a", "a")], 2)
    ['a', 'and 2 more ranges']
    """
    texts = [escape_key(a) if a == b else f"{escape_key(a)}...{escape_key(b)}" for a, b in ranges]
    if hidden:
        texts.append(f"and {hidden} more {'range' if hidden == 1 else 'ranges'}")
    return texts
