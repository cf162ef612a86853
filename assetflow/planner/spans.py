"""Windows over aligned arrays: which positions each row spans, and the two directions of asking about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Lanes = NDArray[np.uint64]
Flags = NDArray[np.bool_]

_END = np.array([np.iinfo(np.int64).max], np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """For each row the half-open positions ``[lo, hi)`` in another array.

    ``straight`` says that row n spans exactly position n, so that flags and sums pass through unchanged.
    """

    lo: Integers
    hi: Integers
    straight: bool = False


def spans_of(lo: Integers, hi: Integers, size: int) -> Spans:
    """The spans, with ``straight`` found out; ``size`` is the length of the array that they point into."""
    rows = len(lo)
    straight = rows == size and (rows == 0 or bool(np.array_equal(lo, np.arange(rows)) and np.array_equal(hi, lo + 1)))
    return Spans(lo, hi, straight)


def any_within(flags: Flags, spans: Spans) -> Flags:
    """By row: whether any position that it spans is flagged.

    >>> any_within(np.array([False, True, False]), Spans(np.array([0, 2]), np.array([2, 3]))).tolist()
    [True, False]
    """
    if spans.straight:
        return flags
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
    steps = np.zeros(size + 1, np.int64)
    np.add.at(steps, lo[filled], 1)
    np.add.at(steps, hi[filled], -1)
    return np.cumsum(steps[:-1]) > 0


def through(spans: Spans, outer: Integers, inner: Integers) -> Spans:
    """The spans over ``inner``, an ascending subset of the ascending ``outer`` that ``spans`` point into.

    >>> through(Spans(np.array([0]), np.array([3])), np.array([5, 6, 7]), np.array([6])).hi.tolist()
    [1]
    """
    if len(outer) == len(inner):
        return spans
    edges = np.concatenate((outer, _END))
    return Spans(inner.searchsorted(edges[spans.lo]), inner.searchsorted(edges[spans.hi]))


def window_sums(sums: Lanes, spans: Spans) -> Lanes:
    """The sum over what each row spans, from prefix sums of shape ``(n + 1, 2)``."""
    return sums[spans.hi] - sums[spans.lo]


def rows_at(outer: Integers, inner: Integers) -> Integers | None:
    """Where each of ``inner`` is in ``outer``, of which it is an ascending subset; None: everywhere, in order."""
    return None if len(outer) == len(inner) else outer.searchsorted(inner)


def members(ordinals: Integers, existing: Integers) -> Flags:
    """Which of ``ordinals`` are in the ascending ``existing``.

    >>> members(np.array([1, 4]), np.array([4, 5])).tolist()
    [False, True]
    """
    if not len(existing):
        return np.zeros(len(ordinals), np.bool_)
    places = existing.searchsorted(ordinals)
    return existing[np.minimum(places, len(existing) - 1)] == ordinals
