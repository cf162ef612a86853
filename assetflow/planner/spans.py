"""What planning does with spans: which rows they lead to, over which array, and the sums over them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from assetflow.partitions.spans import Spans, flattened

Integers = NDArray[np.int64]
Lanes = NDArray[np.uint64]
Flags = NDArray[np.bool_]

_END = np.array([np.iinfo(np.int64).max], np.int64)


def straightened(spans: Spans, size: int) -> Spans:
    """The spans, with ``straight`` found out; ``size`` is the length of the array that they point into."""
    lo, hi, rows = spans.lo, spans.hi, len(spans.lo)
    if spans.gather is not None or rows != size:
        return spans
    straight = rows == 0 or bool(np.array_equal(lo, np.arange(rows)) and np.array_equal(hi, lo + 1))
    return replace(spans, straight=straight)


def through(spans: Spans, outer: Integers, inner: Integers) -> Spans:
    """The spans over ``inner``, an ascending subset of the ascending ``outer`` that ``spans`` point into.

    >>> through(Spans(np.array([0]), np.array([3])), np.array([5, 6, 7]), np.array([6])).hi.tolist()
    [1]
    """
    if len(outer) == len(inner):
        return spans
    if spans.gather is not None:
        read = outer[spans.gather]
        kept = members(read, inner)
        counts = np.zeros(len(kept) + 1, np.int64)
        np.cumsum(kept, out=counts[1:])
        return replace(spans, lo=counts[spans.lo], hi=counts[spans.hi], gather=inner.searchsorted(read[kept]))
    edges = np.concatenate((outer, _END))
    return Spans(inner.searchsorted(edges[spans.lo]), inner.searchsorted(edges[spans.hi]))


def narrowed(spans: Spans, rows: Integers, positions: Integers) -> Spans:
    """What some of the rows span of ascending ``positions``, as spans over those.

    >>> found = narrowed(Spans(np.array([0, 2]), np.array([2, 9])), np.array([1]), np.array([1, 3, 5]))
    >>> found.lo.tolist(), found.hi.tolist()
    ([1], [3])
    """
    lo, hi = spans.lo[rows], spans.hi[rows]
    if spans.gather is None:
        return Spans(positions.searchsorted(lo), positions.searchsorted(hi))
    read = spans.gather
    # Rows may share what they read, so that their runs are longer together than what they point into.
    if int((hi - lo).sum()) < len(read):
        read, stops = read[flattened(lo, hi)], np.cumsum(hi - lo)
        lo, hi = stops - (hi - lo), stops
    kept = members(read, positions)
    counts = np.zeros(len(kept) + 1, np.int64)
    np.cumsum(kept, out=counts[1:])
    return Spans(counts[lo], counts[hi], gather=positions.searchsorted(read[kept]))


def window_sums(sums: Lanes, spans: Spans) -> Lanes:
    """The sum over each row's run, from prefix sums of shape ``(n + 1, 2)``; with a gather, over what it holds."""
    return sums[spans.hi] - sums[spans.lo]


def distinct(values: Integers) -> list[int]:
    """The values that occur, ascending; mostly there is one.

    >>> distinct(np.array([3, 3])), distinct(np.array([4, 3, 4]))
    ([3], [3, 4])
    """
    if len(values) and bool((values == values[0]).all()):
        return [int(values[0])]
    return np.unique(values).tolist()


def picked(values: Integers, chosen: Flags) -> Integers:
    """The chosen values; the array itself where that is all of them.

    >>> picked(np.array([4, 5]), np.array([False, True])).tolist()
    [5]
    """
    return values if chosen.all() else values[chosen]


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
