"""Spans over the combinations of several axes: what is read in each of them, put together.

A row reads something of every axis, and so a box of combinations. In the order of the combinations a box is contiguous
in lucky cases only. Otherwise they are gathered in another order, in which each box is: first what is read one by one,
then the axis of which runs are read, then what is read wholly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from assetflow.partitions.sets import Flags, Ints
from assetflow.partitions.spans import Spans, flattened

_SPARSE = 16
"""A table of all numbers in a range may be so many times longer than the list of those that occur."""


@dataclass(frozen=True, slots=True, eq=False)
class AxisRead:
    """What rows read of one axis: row n reads what ``spans`` say of ``choice[n]``."""

    choice: Ints
    spans: Spans

    @property
    def filled(self) -> Flags:
        """By row: whether it reads anything."""
        return (self.spans.lo < self.spans.hi)[self.choice]


def distinct(values: Ints, bound: int | None = None) -> tuple[Ints, Ints]:
    """The values that occur, ascending, and for each value its place among them; as ``np.unique``, mostly faster.

    >>> distinct(np.array([7, 5, 7]))[1].tolist()
    [1, 0, 1]
    """
    if not values.size:
        return values, values
    low = 0 if bound is not None else int(values.min())
    size = bound if bound is not None else int(values.max()) - low + 1
    if size > _SPARSE * values.size + 4096:
        found, places = np.unique(values, return_inverse=True)
        return found, places
    seen = np.zeros(size, np.bool_)
    seen[values - low] = True
    return np.flatnonzero(seen) + low, (np.cumsum(seen) - 1)[values - low]


def product_spans(sizes: Sequence[int], reads: Mapping[int, AxisRead], rows: int) -> Spans:
    """What each row reads of the combinations of axes with these ``sizes``, the first of which varies slowest.

    Axes that ``reads`` does not name are read wholly. The positions of a row need not ascend in its run.

    >>> second = AxisRead(np.array([0, 1]), Spans(np.array([0, 1]), np.array([1, 2])))
    >>> spans = product_spans([3, 2], {1: second}, 2)
    >>> spans.positions(0).tolist(), spans.positions(1).tolist()
    ([0, 2, 4], [1, 3, 5])
    """
    filled = np.ones(rows, np.bool_)
    for read in reads.values():
        filled &= read.filled
    problems = _problems(reads)
    if not filled.any():
        return Spans(np.zeros(rows, np.int64), np.zeros(rows, np.int64), problems=problems)
    box = _Box(sizes, reads)
    lo, hi, gather = box.contiguous(rows) if box.in_order else box.gathered(filled)
    return Spans(np.where(filled, lo, 0), np.where(filled, hi, 0), gather=gather, problems=problems)


class _Box:
    """The axes by how they are read: ``points`` one position at a time, ``ranged`` a run, ``listed`` anything."""

    def __init__(self, sizes: Sequence[int], reads: Mapping[int, AxisRead]) -> None:
        self._sizes = sizes
        self._strides = [int(np.prod(sizes[axis + 1 :], dtype=np.int64)) for axis in range(len(sizes))]
        self._reads = reads
        self._points: dict[int, Ints] = {}
        several: list[int] = []
        self._whole: list[int] = []
        for axis, size in enumerate(sizes):
            read = reads.get(axis)
            if read is None or (read.spans.gather is None and _all(read.spans, size)):
                self._whole.append(axis)
            elif int((read.spans.hi - read.spans.lo).max()) <= 1:
                self._points[axis] = _points(read.spans)
            else:
                several.append(axis)
        longest = [axis for axis in several if reads[axis].spans.gather is None]
        longest.sort(key=lambda axis: int((reads[axis].spans.hi - reads[axis].spans.lo).sum()))
        self._ranged = longest[-1] if longest else None
        self._listed = [axis for axis in several if axis != self._ranged]

    @property
    def in_order(self) -> bool:
        """Whether boxes are contiguous as the combinations stand."""
        ranged = [] if self._ranged is None else [self._ranged]
        return not self._listed and [*self._points, *ranged, *self._whole] == list(range(len(self._sizes)))

    def contiguous(self, rows: int) -> tuple[Ints, Ints, None]:
        """The bounds of each row's box, in the order of the combinations."""
        lo = np.zeros(rows, np.int64)
        length = int(np.prod(self._sizes, dtype=np.int64))
        for axis, places in self._points.items():
            length = self._strides[axis]
            lo += (places * length)[self._reads[axis].choice]
        if self._ranged is None:
            return lo, lo + length, None
        read, stride = self._reads[self._ranged], self._strides[self._ranged]
        return lo + (read.spans.lo * stride)[read.choice], lo + (read.spans.hi * stride)[read.choice], None

    def gathered(self, filled: Flags) -> tuple[Ints, Ints, Ints]:
        """The bounds of each row's box, and the positions in an order in which it is contiguous."""
        blocks, block = self._blocks(filled)
        members, sizes = self._members(blocks)
        low, length, lo, hi = self._run(filled)
        inner = sum(np.ix_(*(np.arange(self._sizes[axis]) * self._strides[axis] for axis in self._whole)), np.int64(0))
        whole = np.ravel(inner)
        steps = (low + np.arange(length)) * (0 if self._ranged is None else self._strides[self._ranged])
        if self._listed:
            starts = np.cumsum(sizes) - sizes
            each = flattened(np.repeat(starts, length), np.repeat(starts + sizes, length))
            positions = members[each] + np.repeat(np.tile(steps, len(sizes)), np.repeat(sizes, length))
        else:
            positions = (members[:, None] + steps).ravel()
        gather = (positions[:, None] + whole).ravel()
        begins = ((np.cumsum(sizes) - sizes) * length)[block]
        width = sizes[block]
        return (begins + lo * width) * whole.size, (begins + hi * width) * whole.size, gather

    def _blocks(self, filled: Flags) -> tuple[list[Ints], Ints]:
        """The points and lists that occur together, by axis, and which of these blocks each row has."""
        axes = [*self._points, *self._listed]
        bounds = [self._sizes[a] if a in self._points else len(self._reads[a].spans.lo) for a in axes]
        code = np.zeros(len(filled), np.int64)
        for axis, bound in zip(axes, bounds, strict=True):
            choice = self._reads[axis].choice
            code = code * bound + (self._points[axis][choice] if axis in self._points else choice)
        # What reads nothing joins the block of something that does.
        code[~filled] = code[int(filled.argmax())]
        used, block = distinct(code, int(np.prod(bounds, dtype=np.int64)))
        found: list[Ints] = []
        for bound in reversed(bounds):
            found.append(used % bound)
            used = used // bound
        return found[::-1], block

    def _members(self, blocks: list[Ints]) -> tuple[Ints, Ints]:
        """Block after block the positions of its points and lists, elsewhere 0; and how many there are in each."""
        count = len(blocks[0]) if blocks else 1
        members, of = np.zeros(count, np.int64), np.arange(count)
        for place, axis in enumerate([*self._points, *self._listed]):
            if axis in self._points:
                members = members + blocks[place] * self._strides[axis]
                continue
            spans, chosen = self._reads[axis].spans, blocks[place][of]
            lo, hi = spans.lo[chosen], spans.hi[chosen]
            each = flattened(lo, hi)
            each = each if spans.gather is None else spans.gather[each]
            members = np.repeat(members, hi - lo) + each * self._strides[axis]
            of = np.repeat(of, hi - lo)
        return members, np.bincount(of, minlength=count)

    def _run(self, filled: Flags) -> tuple[int, int, Ints, Ints]:
        """The part of the ranged axis that is read at all, and each row's run in it."""
        if self._ranged is None:
            return 0, 1, np.zeros(len(filled), np.int64), np.ones(len(filled), np.int64)
        read = self._reads[self._ranged]
        lo, hi = read.spans.lo[read.choice], read.spans.hi[read.choice]
        low = int(lo[filled].min())
        return low, int(hi[filled].max()) - low, lo - low, hi - low


def _all(spans: Spans, size: int) -> bool:
    return bool((spans.lo == 0).all() and (spans.hi == size).all())


def _points(spans: Spans) -> Ints:
    """The one position that each row spans; 0 where it spans none."""
    filled = spans.lo < spans.hi
    at = np.where(filled, spans.lo, 0)
    if spans.gather is None:
        return at
    return np.where(filled, spans.gather[at], 0) if spans.gather.size else np.zeros_like(at)


def _problems(reads: Mapping[int, AxisRead]) -> dict[int, str]:
    problems: dict[int, str] = {}
    for read in reads.values():
        for choice, problem in read.spans.problems.items():
            problems |= dict.fromkeys(np.flatnonzero(read.choice == choice).tolist(), problem)
    return problems
