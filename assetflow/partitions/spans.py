"""Which upstream partitions each downstream partition reads, as positions in an array of those that exist."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from assetflow.partitions.sets import Flags, Ints


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """For each row the half-open run ``[lo, hi)`` of positions in another array.

    With a ``gather`` the runs point into it, and what it holds there are the positions, each once in a row.
    Without one what a row reads is contiguous, and a prefix sum answers for all rows at once. ``straight`` says that
    row n spans exactly position n, so that flags and sums pass through unchanged. ``problems`` says of rows why nobody
    knows what they read.
    """

    lo: Ints
    hi: Ints
    straight: bool = False
    gather: Ints | None = None
    problems: Mapping[int, str] = field(default_factory=dict[int, str])

    @property
    def broken(self) -> Flags | None:
        """The rows with problems; None: no row."""
        if not self.problems:
            return None
        broken = np.zeros(len(self.lo), np.bool_)
        broken[list(self.problems)] = True
        return broken

    def positions(self, row: int) -> slice | Ints:
        """What one row spans, as an index; ascending."""
        run = slice(int(self.lo[row]), int(self.hi[row]))
        return run if self.gather is None else np.sort(self.gather[run])


def any_within(flags: Flags, spans: Spans) -> Flags:
    """By row: whether any position that it spans is flagged.

    >>> any_within(np.array([False, True, False]), Spans(np.array([0, 2]), np.array([2, 3]))).tolist()
    [True, False]
    """
    if spans.straight:
        return flags
    if spans.gather is not None:
        flags = flags[spans.gather]
    counts = np.zeros(len(flags) + 1, np.int64)
    np.cumsum(flags, out=counts[1:])
    return counts[spans.hi] > counts[spans.lo]


def covered(rows: Flags, spans: Spans, size: int) -> Flags:
    """By position: whether any flagged row spans it.

    >>> covered(np.array([True, False]), Spans(np.array([0, 2]), np.array([2, 3])), 3).tolist()
    [True, True, False]
    """
    if spans.straight:
        return rows
    lo, hi = spans.lo[rows], spans.hi[rows]
    filled = lo < hi
    steps = np.zeros((size if spans.gather is None else len(spans.gather)) + 1, np.int64)
    np.add.at(steps, lo[filled], 1)
    np.add.at(steps, hi[filled], -1)
    reached = np.cumsum(steps[:-1]) > 0
    if spans.gather is None:
        return reached
    found = np.zeros(size, np.bool_)
    found[spans.gather[reached]] = True
    return found


def flattened(lo: Ints, hi: Ints) -> Ints:
    """The members of the runs ``[lo, hi)``, one run after the other.

    >>> flattened(np.array([4, 0]), np.array([6, 1])).tolist()
    [4, 5, 0]
    """
    sizes = hi - lo
    offsets = np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.repeat(lo, sizes) + offsets
