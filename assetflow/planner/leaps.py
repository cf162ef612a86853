"""Rows that read windows of rows before them, decided many at once: guessed, and put to the rule.

A row depends only on rows before it, so there is one solution, and whatever agrees with the rule at every row is that
one. A guess for a block of rows is right up to the first row of which the rule says otherwise, and what the rule says
of that row is right too. Blocks grow while guesses hold; where they do not, a loop goes over some rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from assetflow.partitions.spans import Spans
from assetflow.planner.spans import Flags, Integers

_SHORTEST = 256


def leapt(
    windows: Sequence[Spans], outcomes: Flags, absent: Sequence[Flags | None], *, shortest: int = _SHORTEST
) -> Flags:
    """What :func:`assetflow.planner.scans.settled` gives, of rows whose windows are contiguous and lie before them.

    The first block, and any after a guess that was wrong, has ``shortest`` rows; so many are looped over where guesses
    hold for less than a quarter of that.
    """
    leaps = _Leaps(windows, outcomes, absent)
    row, length, size = 0, shortest, outcomes.shape[2]
    while row < size:
        stop = min(row + length, size)
        right = leaps.guess(row, stop)
        length = length * 4 if right == stop else shortest
        if right < stop and 4 * (right - row) < shortest:
            row, right = right, min(right + shortest, size)
            leaps.loop(row, right)
        row = right
    return leaps.moves


class _Absent(NamedTuple):
    """Rows that are lacking to their readers unless they move; how many are, before each row."""

    flags: Flags
    counts: Integers


class _Leaps:
    """What is decided so far: which rows move, and how many do before each row."""

    def __init__(self, windows: Sequence[Spans], outcomes: Flags, absent: Sequence[Flags | None]) -> None:
        size = outcomes.shape[2]
        self._edges = [
            (spans, None if flags is None else _Absent(flags, np.zeros(size + 1, np.int64)))
            for spans, flags in zip(windows, absent, strict=True)
        ]
        self._outcomes = outcomes
        self.moves = np.zeros(size, np.bool_)
        self._moved = np.zeros(size + 1, np.int64)
        self._last = -1
        """The last row that moves."""

    def guess(self, row: int, stop: int) -> int:
        """Decide rows from ``row`` on; gives the first that is not decided, ``stop`` at most."""
        right, found = row, self.moves[row:row]
        for guess in self._guesses(row, stop):
            self._count(row, stop, guess)
            ruled = self._ruled(row, stop)
            wrong = np.flatnonzero(ruled != guess)
            reached = row + int(wrong[0]) + 1 if len(wrong) else stop
            if reached > right:
                right, found = reached, ruled[: reached - row]
            if right == stop:
                break
        self._keep(row, right, found)
        return right

    def loop(self, row: int, stop: int) -> None:
        """Decide rows one after the other."""
        edges = [(_listed(spans.lo[row:stop]), _listed(spans.hi[row:stop]), absent) for spans, absent in self._edges]
        table: list[list[list[bool]]] = self._outcomes[:, :, row:stop].tolist()
        moved = self._moved
        for place in range(stop - row):
            moving = lacks = False
            for lo, hi, absent in edges:
                first, end = lo[place], hi[place]
                moving = moving or bool(moved[end] > moved[first])
                lacks = lacks or (absent is not None and bool(absent.counts[end] > absent.counts[first]))
            moves = table[lacks][moving][place]
            at = row + place
            self.moves[at] = moves
            moved[at + 1] = moved[at] + moves
            for _, _, absent in edges:
                if absent is not None:
                    absent.counts[at + 1] = absent.counts[at] + (absent.flags[at] and not moves)
        self._keep(row, stop, self.moves[row:stop])

    def _guesses(self, row: int, stop: int) -> Iterator[Flags]:
        """What may come of some rows: most go on like the rows before them."""
        still, moved = self._outcomes[0, 0, row:stop], self._outcomes[0, 1, row:stop]
        yield self._flowing(row, still, moved)
        yield moved
        yield still
        yield self._outcomes[1, 0, row:stop]

    def _flowing(self, row: int, still: Flags, moved: Flags) -> Flags:
        """The rows that move if it takes one that does, the last before it, to move one that can; nothing lacks."""
        able = np.flatnonzero(still | moved)
        found = np.zeros(len(still), np.bool_)
        if not len(able):
            return found
        before = np.concatenate(([self._last], able[:-1] + row))
        reads = np.zeros(len(able), np.bool_)
        for spans, _ in self._edges:
            reads |= (before >= spans.lo[row + able]) & (before < spans.hi[row + able])
        reads &= before >= 0
        begins = still[able]
        begins[0] |= reads[0]
        places = np.arange(len(able))
        begun = np.maximum.accumulate(np.where(begins, places, -1))
        broken = np.maximum.accumulate(np.where(reads, 0, places))
        found[able] = begun >= broken
        return found

    def _ruled(self, row: int, stop: int) -> Flags:
        """What the rule makes of rows, from what is counted."""
        moving = np.zeros(stop - row, np.bool_)
        lacks = np.zeros(stop - row, np.bool_)
        for spans, absent in self._edges:
            lo, hi = spans.lo[row:stop], spans.hi[row:stop]
            moving |= self._moved[hi] > self._moved[lo]
            if absent is not None:
                lacks |= absent.counts[hi] > absent.counts[lo]
        rules = self._outcomes[:, :, row:stop]
        free: Flags = (moving & rules[0, 1]) | (~moving & rules[0, 0])
        lacking: Flags = (moving & rules[1, 1]) | (~moving & rules[1, 0])
        return (lacks & lacking) | (~lacks & free)

    def _count(self, row: int, stop: int, moves: Flags) -> None:
        self._moved[row + 1 : stop + 1] = self._moved[row] + np.cumsum(moves)
        for _, absent in self._edges:
            if absent is not None:
                gone = absent.flags[row:stop] & ~moves
                absent.counts[row + 1 : stop + 1] = absent.counts[row] + np.cumsum(gone)

    def _keep(self, row: int, stop: int, moves: Flags) -> None:
        self.moves[row:stop] = moves
        self._count(row, stop, moves)
        last = np.flatnonzero(moves)
        self._last = row + int(last[-1]) if len(last) else self._last


def _listed(values: Integers) -> list[int]:
    return values.tolist()
