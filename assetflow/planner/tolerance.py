"""Late data: which changes of what was read came too late to make anything stale.

An edge with a late tolerance does not mind what is published of an upstream window later than that after its end. What
a partition read is told from the moves of the upstream's pointers and the generation in which the edge was resolved.
A change of an upstream partition is *net*: what is published now against what was read. It is tolerated where what was
published last in time is what was read, too; otherwise the partition is as stale as without a tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from assetflow.graph import AssetGraph, Edge
from assetflow.keys import AssetKey
from assetflow.partitions.spaces import PartitionSpace
from assetflow.partitions.spans import Spans, flattened
from assetflow.planner.decide import UpstreamView
from assetflow.planner.signatures import mix, prefix_sums
from assetflow.planner.spans import Flags, Integers, Lanes, members
from assetflow.planner.state import Moves

_SECOND = 1_000_000
_MICROSECOND = timedelta(microseconds=1)
_NEVER = np.iinfo(np.int64).max
_LATEST = 1 << 38
"""A generation after all that there are; so many partitions by so many generations still count in 64 bits."""


def tolerant_edges(graph: AssetGraph) -> dict[AssetKey, frozenset[str]]:
    """By asset, the parameters of its edges with a late tolerance; assets without any are left out."""
    found: dict[AssetKey, frozenset[str]] = {}
    for node in graph.nodes.values():
        parameters = frozenset([edge.parameter for edge in node.edges if edge.late_tolerance is not None])
        if parameters:
            found.update(dict.fromkeys(node.outputs, parameters))
    return found


def deadlines(edge: Edge, space: PartitionSpace, ordinals: Integers) -> Integers:
    """Until when what is published of upstream partitions is in time, in microseconds since 1970."""
    windows = space.windows(ordinals) if edge.late_tolerance is not None else None
    if windows is None or edge.late_tolerance is None:
        return np.full(len(ordinals), _NEVER, np.int64)
    return windows[1] * _SECOND + edge.late_tolerance // _MICROSECOND


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """What derivations say of one edge: ``rows`` of the computation, with the signature and the generation it is as of.

    ``kept`` says where late data has been left out already, so that the signature is not of what was read, but of what
    there was in the generation in which that was ``stamped``.
    """

    rows: Integers
    sums: Lanes
    as_of: Integers
    kept: Flags
    stamped: Integers


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """Of judged rows: where a change makes stale, and where there are late ones only.

    ``owners`` and ``partitions`` are the pairs of a judged row and an upstream partition that is not what it read.
    """

    stale: Flags
    late: Flags
    owners: Integers
    partitions: Integers


class History:
    """The moves of one upstream asset, as an edge with a late tolerance sees them."""

    def __init__(self, edge: Edge, uid: int, space: PartitionSpace, moves: Moves | None) -> None:
        none = np.empty(0, np.int64)
        moves = moves or Moves(none, none, np.empty((0, 2), np.uint64), np.empty(0, np.bool_), none)
        self._edge, self._uid, self._space = edge, uid, space
        self._moves = moves
        self._known, first, counts = np.unique(moves.ordinals, return_index=True, return_counts=True)
        self._first = first.astype(np.int64, copy=False)
        group = np.repeat(np.arange(len(self._known)), counts)
        self._width = int(moves.generation.max(initial=0)) + 2
        self._keys = group * self._width + moves.generation
        in_time = moves.at <= deadlines(edge, space, moves.ordinals)
        places = np.where(in_time, np.arange(len(in_time)), -1)
        self._last_in_time = np.maximum.reduceat(places, self._first) if len(places) else none

    def followed_by(self, ordinals: Integers, hashes: Lanes, at: int) -> History:
        """The history in which these partitions are published once more, at one moment."""
        if not len(ordinals):
            return self
        # What a partition read may be as of a generation that is later than the last move here.
        moves, latest = self._moves, np.full(len(ordinals), _LATEST, np.int64)
        order = np.lexsort((np.concatenate((moves.generation, latest)), np.concatenate((moves.ordinals, ordinals))))
        more = Moves(
            np.concatenate((moves.ordinals, ordinals))[order],
            np.concatenate((moves.generation, latest))[order],
            np.concatenate((moves.hashes, hashes))[order],
            np.concatenate((moves.present, np.ones(len(ordinals), np.bool_)))[order],
            np.concatenate((moves.at, np.full(len(ordinals), at, np.int64)))[order],
        )
        return History(self._edge, self._uid, self._space, more)

    def judge(self, spans: Spans, view: UpstreamView, recorded: Recorded) -> Verdict:
        """Tell late changes from others at rows of which ``spans``, over ``view.existing``, are what they read."""
        lo, hi = spans.lo[recorded.rows], spans.hi[recorded.rows]
        positions = flattened(lo, hi)
        positions = positions if spans.gather is None else spans.gather[positions]
        count, sizes = len(recorded.rows), hi - lo
        owners = np.repeat(np.arange(count), sizes)
        asked = view.existing[positions]

        read, group = self._as_of(asked, recorded.as_of[owners])
        in_time = np.where(group >= 0, self._last_in_time[group] if len(self._last_in_time) else -1, -1)
        settled = np.maximum(read, in_time)
        was = self._published(read)
        changed = _differs(was, _published_now(view, asked))
        stale_pairs = changed & _differs(was, self._published(settled))
        signed, _ = self._as_of(asked, np.where(recorded.kept, recorded.stamped, recorded.as_of)[owners])
        # Where the signature is of other partitions, a definition or mapping is another one: that is no late data.
        unknown = (recorded.as_of < 0) | self._unlike(self._published(signed), asked, sizes, recorded.sums)
        stale = _any(owners[stale_pairs], count) | unknown
        late = _any(owners[changed], count) & ~stale
        return Verdict(stale, late, owners[changed], asked[changed])

    def _as_of(self, ordinals: Integers, generations: Integers) -> tuple[Integers, Integers]:
        """The last move of each ordinal up to a generation, and the ordinal's number; -1 for none."""
        if not len(self._known):
            nothing = np.full(len(ordinals), -1, np.int64)
            return nothing, nothing
        group = np.minimum(self._known.searchsorted(ordinals), len(self._known) - 1)
        known = self._known[group] == ordinals
        wanted = group * self._width + np.clip(generations, 0, self._width - 1)
        last = self._keys.searchsorted(wanted, "right") - 1
        return np.where(known & (last >= self._first[group]), last, -1), np.where(known, group, -1)

    def _published(self, moves: Integers) -> tuple[Flags, Lanes]:
        """Whether something was published after each move, and its hash; -1 is before the first."""
        if not len(self._moves.ordinals):
            return np.zeros(len(moves), np.bool_), np.zeros((len(moves), 2), np.uint64)
        return (moves >= 0) & self._moves.present[moves], self._moves.hashes[moves]

    def _unlike(self, was: tuple[Flags, Lanes], ordinals: Integers, sizes: Integers, sums: Lanes) -> Flags:
        """Where what the history says was read does not have the signature that was recorded."""
        present, hashes = was
        mixed = mix(self._uid, self._edge.parameter, ordinals, hashes)
        mixed[~present] = 0
        ends = np.cumsum(sizes)
        totals = prefix_sums(mixed)
        return (totals[ends] - totals[ends - sizes] != sums).any(axis=1)


def _published_now(view: UpstreamView, ordinals: Integers) -> tuple[Flags, Lanes]:
    if not len(view.ordinals):
        return np.zeros(len(ordinals), np.bool_), np.zeros((len(ordinals), 2), np.uint64)
    places = np.minimum(view.ordinals.searchsorted(ordinals), len(view.ordinals) - 1)
    return members(ordinals, view.ordinals), view.hashes[places]


def _differs(one: tuple[Flags, Lanes], other: tuple[Flags, Lanes]) -> Flags:
    both = one[0] & other[0]
    return (one[0] != other[0]) | (both & (one[1] != other[1]).any(axis=1))


def _any(owners: Integers, count: int) -> Flags:
    found = np.zeros(count, np.bool_)
    found[owners] = True
    return found
