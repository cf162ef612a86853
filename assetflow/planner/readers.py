"""What a long-lived planner keeps of an edge: what each row reads, which rows read an upstream row, and the sums."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from assetflow.graph import Edge
from assetflow.partitions.mappings import RangeMapping
from assetflow.partitions.spaces import PartitionSpace
from assetflow.partitions.spans import Spans, any_within, flattened
from assetflow.planner.decide import sums_of
from assetflow.planner.facts import EdgeFacts
from assetflow.planner.kept import Column, KeptPointers
from assetflow.planner.signatures import mix
from assetflow.planner.spans import Flags, Integers, Lanes, members, narrowed, straightened

_NONE = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Upstream:
    """The upstream of an edge as it is kept; ``existing`` are all its rows."""

    space: PartitionSpace
    existing: Integers
    pointers: KeptPointers
    uid: int


class KeptEdge:
    """One edge; ``down`` and ``upstream`` are its computations.

    ``changed`` are the rows whose recorded signature is not the present one, ``early`` those that have to wait because
    of what the mapping asks for, or cannot tell.
    """

    __slots__ = (
        "_ascending",
        "_hi",
        "_index",
        "_inverts",
        "_lo",
        "_premature",
        "_spans",
        "_sums",
        "changed",
        "down",
        "early",
        "edge",
        "upstream",
    )

    def __init__(self, facts: EdgeFacts, down: str) -> None:
        self.edge: Edge = facts.edge
        self.down, self.upstream = down, facts.upstream
        self._spans = facts.spans
        self._lo, self._hi = Column(facts.spans.lo), Column(facts.spans.hi)
        self._sums = Column(facts.signature.sums)
        self._index: tuple[Integers, Integers] | None = None
        # Rows may share what they read: then there are too many pairs of a row and what it reads to list them.
        pairs, listed = int((facts.spans.hi - facts.spans.lo).sum()), facts.spans.gather
        self._inverts = listed is not None and pairs <= 4 * (len(listed) + len(facts.spans.lo))
        self._ascending = facts.spans.gather is None and _ascends(facts.spans.lo) and _ascends(facts.spans.hi)
        self._premature = _NONE if facts.premature is None else np.flatnonzero(facts.premature)
        self.changed: Integers = np.flatnonzero(facts.changed)
        self.early: Integers = np.union1d(self._premature, sorted(facts.spans.problems)).astype(np.int64)

    @property
    def sums(self) -> Lanes:
        """The signature that each row has now."""
        return self._sums.values

    @property
    def by_key(self) -> bool:
        """Whether what a row reads is listed instead of a contiguous run."""
        return self._spans.gather is not None

    def premature(self, rows: Integers) -> Flags | None:
        """Which of the rows ask for windows that have not ended or cannot exist; None: none of them."""
        if not len(self._premature):
            return None
        found = members(rows, self._premature)
        return found if found.any() else None

    def runs(self, rows: Integers) -> tuple[Integers, Integers]:
        """The run that each of the rows reads; of upstream rows, where it is not ``by_key``."""
        return self._lo.values[rows], self._hi.values[rows]

    def read_by(self, rows: Integers) -> Integers:
        """The upstream rows that these rows read; only where it is ``by_key``."""
        return np.unique(self.spans.flat(*self.runs(rows)))

    def readers(self, positions: Integers) -> Integers:
        """The rows that read any of these ascending upstream rows."""
        lo, hi = self._lo.values, self._hi.values
        if self._spans.straight:
            return positions
        if self._spans.gather is not None and self._inverts:
            rows, read = self._inverted()
            found = rows[flattened(np.searchsorted(read, positions), np.searchsorted(read, positions, side="right"))]
            return np.unique(found)
        if self._ascending and len(positions) and int(positions[-1]) - int(positions[0]) == len(positions) - 1:
            ends = positions[[0, -1]]
            begin, end = int(hi.searchsorted(ends, "right")[0]), int(lo.searchsorted(ends, "right")[1])
            return begin + np.flatnonzero(lo[begin:end] < hi[begin:end])
        if self._ascending:
            first, stop = np.searchsorted(hi, positions, side="right"), np.searchsorted(lo, positions, side="right")
            first[1:] = np.maximum(first[1:], stop[:-1])
            return flattened(first, np.maximum(first, stop))
        gather = self._spans.gather
        last = hi if gather is None else gather + 1
        flags = np.zeros(int(last.max(initial=0)), np.bool_)
        flags[positions[positions < len(flags)]] = True
        return np.flatnonzero(any_within(flags, Spans(lo, hi, gather=gather)))

    def among(self, rows: Integers, positions: Integers) -> Spans:
        """What these rows read of ascending upstream rows, as spans over those."""
        spans = narrowed(self.spans, rows, positions)
        return straightened(replace(spans, problems=self._problems(rows)), len(positions))

    def shift(self, positions: Integers, differences: Lanes) -> Integers:
        """Add to the sums what the summands of ascending upstream rows have become more; gives the rows concerned."""
        rows = self.readers(positions)
        self.sums[rows] += sums_of(differences, self.among(rows, positions))
        return rows

    @property
    def spans(self) -> Spans:
        """What all rows read."""
        return replace(self._spans, lo=self._lo.values, hi=self._hi.values)

    def first_read(self, rows: Integers) -> Integers:
        """The first upstream row that each of the rows reads, if it reads any."""
        lo, hi = self.runs(rows)
        gather = self._spans.gather
        first = lo[lo < hi]
        return np.unique(first if gather is None else gather[first])

    @property
    def extends(self) -> bool:
        """Whether it can :meth:`extend`: what a row reads is a run, and later rows read from later runs."""
        return self._ascending and isinstance(self.edge.mapping, RangeMapping)

    def extend(self, down: PartitionSpace, ordinals: Integers, up: Upstream, before: int, now: datetime) -> Integers:
        """Take in the rows that are new at the end of the computation and of its upstream.

        ``ordinals`` are all rows now; ``before`` is how many the upstream had. Gives the rows that are new or whose
        sums may be others.
        """
        mapping, known = self.edge.mapping, len(self._lo.values)
        # Only runs that reach to where the upstream ended can become longer.
        first = int(self._hi.values.searchsorted(before))
        spans = mapping.spans(down, ordinals[first:], up.space, up.existing)
        judged = np.concatenate((self._add_sums(spans, first, up), np.arange(known, len(ordinals))))
        asked = np.union1d(self._premature[self._premature < first], np.arange(first, len(ordinals)))
        for column, values in ((self._lo, spans.lo), (self._hi, spans.hi)):
            column.values[first:] = values[: known - first]
            column.grow(values[known - first :])
        if self.edge.missing == "wait":
            expected = mapping.expected(down, ordinals[asked], up.space, now)
            self._premature = self.early = asked[~expected]
        rows = np.arange(first, len(ordinals))
        straight = bool((spans.lo == rows).all() and (spans.hi == rows + 1).all())
        straight &= self._spans.straight and len(ordinals) == len(up.existing)
        self._spans = replace(self._spans, straight=straight)
        tail = max(first - 1, 0)
        self._ascending = _ascends(self._lo.values[tail:]) and _ascends(self._hi.values[tail:])
        return judged

    def _add_sums(self, spans: Spans, first: int, up: Upstream) -> Integers:
        """Bring the sums of the rows from ``first`` on to their new ``spans``; gives those that had others before."""
        lo, known = spans.lo.copy(), len(self._lo.values) - first
        same = lo[:known] == self._lo.values[first:]
        lo[:known] = np.where(same, self._hi.values[first:], lo[:known])
        self.sums[first:][~same] = 0
        self._sums.grow(np.zeros((len(lo) - known, 2), np.uint64))
        filled = lo < spans.hi
        if filled.any():
            begin, end = int(lo[filled].min()), int(spans.hi[filled].max())
            read = np.flatnonzero(up.pointers.versioned[begin:end]) + begin
            summands = mix(up.uid, self.edge.parameter, up.existing[read], up.pointers.hashes[read])
            over = Spans(read.searchsorted(lo), read.searchsorted(np.maximum(lo, spans.hi)))
            self.sums[first:] += sums_of(summands, over)
        return np.flatnonzero(~same | (lo[:known] < spans.hi[:known])) + first

    def _problems(self, rows: Integers) -> dict[int, str]:
        if not self._spans.problems:
            return {}
        broken = np.array(sorted(self._spans.problems), np.int64)
        there = broken[members(broken, rows)]
        places: list[int] = rows.searchsorted(there).tolist()
        return {place: self._spans.problems[row] for place, row in zip(places, there.tolist(), strict=True)}

    def _inverted(self) -> tuple[Integers, Integers]:
        """Pairs of a row and what it reads, ascending by the latter."""
        if self._index is None:
            lo, hi = self._lo.values, self._hi.values
            rows, read = np.repeat(np.arange(len(lo)), hi - lo), self.spans.flat(lo, hi)
            order = np.argsort(read, kind="stable")
            self._index = rows[order], read[order]
        return self._index


def _ascends(values: Integers) -> bool:
    return bool((values[1:] >= values[:-1]).all())
