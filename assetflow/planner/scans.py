"""Assets that read themselves: what one partition does decides what those after it do, so rows are gone through once.

Rows are gone through in the order in which partitions are built, each after all that it reads. Where every row reads
at most the row before it, that is a composition of functions of one bit and takes a few passes over arrays. Where rows
read windows, blocks of them are guessed and verified. Otherwise a loop goes over the rows, from the first that makes a
difference to others on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from assetflow.partitions.spaces import PartitionSpace
from assetflow.partitions.spans import Spans
from assetflow.planner.leaps import leapt
from assetflow.planner.spans import Flags, Integers


@dataclass(frozen=True, slots=True, eq=False)
class OwnReads:
    """What rows read of the same computation: ``spans`` by edge, and the rows in an order that respects them."""

    spans: tuple[Spans, ...]
    order: Integers | None
    """None: as they are numbered."""

    @classmethod
    def of(cls, spans: Sequence[Spans], space: PartitionSpace, ordinals: Integers) -> OwnReads:
        """The reads of the ascending ``ordinals``."""
        order = None if space.time_based else ordinals.searchsorted(space.ordered(ordinals))
        return cls(tuple(spans), order)

    @property
    def distance(self) -> int:
        """How many rows before it each row reads, if each reads one at most and always that far back; otherwise 0."""
        if self.order is not None or len(self.spans) != 1 or self.spans[0].gather is not None:
            return 0
        lo, hi = self.spans[0].lo, self.spans[0].hi
        linked = np.flatnonzero(lo < hi)
        if not len(linked):
            return 1
        back = linked - lo[linked]
        same = bool((back == back[0]).all() and (hi[linked] - lo[linked] == 1).all())
        return int(back[0]) if same else 0

    def backward(self) -> OwnReads | None:
        """The rows from the last to the first, each with those that read it; None where those are no runs."""
        if self.order is not None or any(spans.gather is not None for spans in self.spans):
            return None
        turned: list[Spans] = []
        for spans in self.spans:
            size = len(spans.lo)
            # Empty runs must not break the order of the others.
            lo, hi = np.maximum.accumulate(spans.lo), np.maximum.accumulate(spans.hi)
            if not (np.array_equal(lo, spans.lo) and np.array_equal(hi, spans.hi)):
                return None
            rows = np.arange(size)[::-1]
            turned.append(Spans(size - lo.searchsorted(rows, "right"), size - hi.searchsorted(rows, "right")))
        return OwnReads(tuple(turned), None)


def settled(reads: OwnReads, outcomes: Flags, absent: Sequence[Flags | None]) -> Flags:
    """Which rows move, where that depends on whether rows that they read move.

    ``outcomes`` has shape ``(2, 2, n)``: whether a row moves, by whether something that it reads is lacking and whether
    something that it reads moves. ``absent`` says by edge which rows are lacking to their readers unless they move.
    """
    distance = reads.distance
    if not distance:
        listed = reads.order is not None or any(spans.gather is not None for spans in reads.spans)
        return _looped(reads, outcomes, absent) if listed else leapt(reads.spans, outcomes, absent)
    size = outcomes.shape[2]
    # Rows in chains, one after the other: each row follows what it reads.
    chains = np.arange(size, dtype=np.int64) % distance
    rows = None if distance == 1 else np.argsort(chains, kind="stable")
    linked = _in_chains(reads.spans[0].lo < reads.spans[0].hi, rows)
    without = np.zeros(size, np.bool_) if absent[0] is None else _in_chains(absent[0], rows)
    still, moved, lacking = (_in_chains(each, rows) for each in (outcomes[0, 0], outcomes[0, 1], outcomes[1, 0]))
    before = np.zeros_like(without)
    before[1:] = without[:-1]
    found = _chained(np.where(linked & before, lacking, still), np.where(linked, moved, still))
    if rows is None:
        return found
    moves = np.empty_like(found)
    moves[rows] = found
    return moves


def _in_chains(flags: Flags, rows: Integers | None) -> Flags:
    return flags if rows is None else flags[rows]


def carried(reads: OwnReads, begins: Flags, passes: Flags) -> Flags:
    """The rows that are flagged, and those that pass on what a row that they read has."""
    reached = begins | passes
    if not begins.any():
        return begins
    return settled(reads, np.array([[begins, reached], [begins, reached]]), [None] * len(reads.spans))


def traced(reads: OwnReads, begins: Flags, passes: Flags) -> Flags:
    """The rows that are flagged, and those that ``passes`` lets through which one of these reads, near or far."""
    if not begins.any():
        return begins
    backward = reads.backward()
    if backward is not None:
        return carried(backward, begins[::-1], passes[::-1])[::-1]
    found = begins.copy()
    order = range(len(found)) if reads.order is None else reads.order.tolist()
    for row in reversed(order):
        if found[row]:
            for spans in reads.spans:
                positions = spans.positions(row)
                found[positions] |= passes[positions]
    return found


def in_order(reads: OwnReads) -> Iterator[tuple[int, list[Integers]]]:
    """Each row after all that it reads, with what it reads, by edge."""
    size = len(reads.spans[0].lo)
    for row in range(size) if reads.order is None else reads.order.tolist():
        runs = [spans.positions(row) for spans in reads.spans]
        yield row, [np.arange(run.start, run.stop) if isinstance(run, slice) else run for run in runs]


def _chained(if_not: Flags, if_so: Flags) -> Flags:
    """By row, ``if_so`` where the row before came out true, else ``if_not``; nothing comes before the first row."""
    if not len(if_not):
        return if_not
    fixed = if_not == if_so
    fixed[0] = True
    rows = np.arange(len(if_not))
    last = np.maximum.accumulate(np.where(fixed, rows, 0))
    flips = np.cumsum(if_not & ~fixed)
    return if_not[last] ^ ((flips - flips[last]) % 2 == 1)


def _looped(reads: OwnReads, outcomes: Flags, absent: Sequence[Flags | None]) -> Flags:
    order = reads.order
    still = outcomes[0, 0]
    loud = still.copy()
    """Rows that would make a difference to their readers if nothing that they read did to them."""
    for flags in absent:
        if flags is not None:
            loud |= flags
    starts = np.flatnonzero(loud if order is None else loud[order])
    if not len(starts):
        return still.copy()
    moves = bytearray(still.astype(np.uint8).tobytes())
    lacking = [None if flags is None else bytearray((flags & ~still).astype(np.uint8).tobytes()) for flags in absent]
    table = (
        (outcomes[0, 0] | outcomes[0, 1] << 1 | outcomes[1, 0] << 2 | outcomes[1, 1] << 3).astype(np.uint8).tobytes()
    )
    edges = [(spans.lo.tolist(), spans.hi.tolist(), _listed(spans.gather)) for spans in reads.spans]
    rows = order.tolist() if order is not None else None
    for place in range(int(starts[0]), len(still)):
        row = place if rows is None else rows[place]
        moving = lacks = False
        for (lo, hi, gather), gone in zip(edges, lacking, strict=True):
            first, stop = lo[row], hi[row]
            if first == stop:
                continue
            if gather is None:
                moving = moving or moves.find(1, first, stop) >= 0
                lacks = lacks or (gone is not None and gone.find(1, first, stop) >= 0)
            else:
                run = gather[first:stop]
                moving = moving or any(moves[each] for each in run)
                lacks = lacks or (gone is not None and any(gone[each] for each in run))
        if not (moving or lacks):
            continue
        moved = table[row] >> (moving + 2 * lacks) & 1
        moves[row] = moved
        for flags, gone in zip(absent, lacking, strict=True):
            if flags is not None and gone is not None:
                gone[row] = bool(flags[row]) and not moved
    return np.frombuffer(bytes(moves), np.uint8).astype(np.bool_)


def _listed(positions: Integers | None) -> list[int] | None:
    return None if positions is None else positions.tolist()
