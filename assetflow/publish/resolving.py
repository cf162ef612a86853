"""Which versions a derivation read: compact ranges of upstream partitions, looked up in the log of pointer moves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assetflow.store.records import Pointers

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Resolved:
    """Upstream partitions one by one, aligned: ``row`` is the position of the range that each came from."""

    row: Integers
    ordinals: Integers
    version: Integers


def integers(values: Iterable[int]) -> Integers:
    """Python integers as an array."""
    return np.fromiter(values, np.int64)


def resolve(log: Pointers, first: Integers, last: Integers, as_of: Integers) -> Resolved:
    """The versions that the partitions ``first`` to ``last`` had when generation ``as_of`` was the last commit.

    ``log`` holds every pointer move of one upstream asset, by ordinal and then generation, version 0 for a withdrawal.
    Partitions without a version at that moment are left out.

    >>> moves = Pointers(integers([1, 1, 2]), integers([10, 11, 12]), integers([0, 0, 0]), integers([3, 5, 4]))
    >>> resolve(moves, integers([1, 1]), integers([2, 2]), integers([4, 5])).version.tolist()
    [10, 12, 11, 12]
    """
    partitions, starts = np.unique(log.ordinals, return_index=True)
    lo, hi = np.searchsorted(partitions, first, "left"), np.searchsorted(partitions, last, "right")
    counts: Integers = np.maximum(hi - lo, 0)
    row: Integers = np.repeat(np.arange(len(first)), counts)
    position: Integers = np.arange(len(row)) + np.repeat(lo - (np.cumsum(counts) - counts), counts)
    generations = max(int(log.generation.max(initial=0)), int(as_of.max(initial=0))) + 1
    # One ascending key for (partition, generation): the last move that is not after the moment asked for.
    moves = np.repeat(np.arange(len(partitions)), np.diff(starts, append=len(log.ordinals))) * generations
    found: Integers = np.searchsorted(moves + log.generation, position * generations + as_of[row], "right") - 1
    known = found >= starts[position]
    version = np.zeros(len(row), np.int64)
    version[known] = log.version[found[known]]
    present = version > 0
    return Resolved(row[present], partitions[position[present]], version[present])
