"""How steps follow from facts: one pass over the graph, each computation after its upstreams.

The same pass serves two questions: what a full plan would do (which decides the states), and what a plan of selected
partitions does (where only upstream partitions with a step of their own make a partition stale).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from assetflow.keys import AssetKey
from assetflow.partitions.spans import any_within
from assetflow.planner.facts import (
    CHECK_DUE,
    CHECK_FAILED,
    CODE,
    FAILED,
    INPUT,
    MISSING,
    SCHEMA,
    STALE_ROOTS,
    EdgeFacts,
    Facts,
)
from assetflow.planner.plan import Certainty
from assetflow.planner.publish_groups import grouped, held_back
from assetflow.planner.scans import OwnReads, carried, settled
from assetflow.planner.spans import Flags

NO_STEP, CHECK, CANDIDATE, REUSE, MAY, WILL = range(6)
CERTAINTIES: Mapping[Certainty, tuple[int, ...]] = {
    "will": (WILL,),
    "may": (MAY,),
    "reuse": (REUSE,),
    "check": (CHECK, CANDIDATE),
}
"""What each kind of step is made of: ``CHECK`` looks at the current version, ``CANDIDATE`` at a quarantined one."""

Roots = tuple[tuple[frozenset[AssetKey], Flags], ...]
"""Which assets the causes began at, and at which rows."""

_MOST_ROOTS = 16
"""With more distinct sets of rows than this, the roots of all rows are taken together."""


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """What one computation does in a plan, by row. None stands for an array without a single flag.

    ``certainty`` holds ``CHECK`` to ``WILL``, or ``NO_STEP``; ``moves`` the rows whose step can publish; ``lacks`` the
    rows for which an upstream partition is missing and not made in this plan; ``pending`` by edge, the rows for which
    an upstream partition moves; ``roots`` where the causes of the moves began; ``held`` the rows that get no step only
    because another member of the publish group gets none.
    """

    certainty: NDArray[np.uint8] | None = None
    moves: Flags | None = None
    lacks: Flags | None = None
    pending: tuple[Flags | None, ...] = ()
    roots: Roots = ()
    held: Flags | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """What a plan is asked for: rows by computation (None: all of every computation), and how."""

    rows: Mapping[str, Flags] | None = None
    force: bool = False
    retry_failed: bool = True
    expired: Mapping[str, Flags] = field(default_factory=dict[str, Flags])
    """Rows by computation that are computed although nothing has changed."""


_NOTHING = Flow()


def flows_of(facts: Mapping[str, Facts], request: Request) -> dict[str, Flow]:
    """The flow of every computation in ``facts``, which come in the order of the graph."""
    flows: dict[str, Flow] = {}
    for members in grouped(facts):
        for name in members:
            own = facts[name].own
            if own is not None:
                # Its own rows are among its upstreams: which of them move is found first.
                flows[name] = Flow(moves=_own_moves(name, facts[name], own, facts, flows, request))
            flows[name] = _flow(name, facts, flows, request, None)
        held = _held(members, facts, flows, request) if len(members) > 1 else None
        if held is not None:
            for name in members:
                flows[name] = _flow(name, facts, flows, request, held)
    return flows


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    """Rows at which a publish group cannot be published whole; at those ``waiting``, because a member waits."""

    rows: Flags
    waiting: Flags


def _held(
    members: Sequence[str], facts: Mapping[str, Facts], flows: Mapping[str, Flow], request: Request
) -> _Held | None:
    wanted: list[Flags] = []
    for name in members:
        each = facts[name]
        due = (each.bits & (STALE_ROOTS | FAILED)) != 0
        due |= _any(flows[name].pending, len(due))
        if request.force:
            due = np.ones(len(due), np.bool_)
        wanted.append(due if request.rows is None else due & request.rows.get(name, False))
    held = held_back(wanted, [flows[name].moves for name in members])
    if held is None:
        return None
    return _Held(held, held & _any(tuple(flows[name].lacks for name in members), len(held)))


def _own_moves(
    name: str,
    facts: Facts,
    own: OwnReads,
    all_facts: Mapping[str, Facts],
    flows: dict[str, Flow],
    request: Request,
) -> Flags | None:
    """The rows that move, of a computation whose rows read each other."""
    chosen = None if request.rows is None else request.rows.get(name)
    if request.rows is not None and chosen is None:
        return None
    size = len(facts.ordinals)
    rows = np.ones(size, np.bool_) if chosen is None else chosen
    others = [edge for edge in facts.edges if not edge.edge.own]
    lacks = _lacks(others, all_facts, flows)
    lacks = _united(lacks, *(flags for edge in facts.own_edges for flags in (edge.premature, edge.spans.broken)))
    busy = busy_rows(facts, force=request.force)
    pending = _any(tuple(_pending(edge, flows[edge.upstream], busy) for edge in others), size)
    if lacks is not None:
        rows = rows & ~lacks
    expired = request.expired.get(name)
    still = _certainty(facts, rows, pending, request, expired) > CHECK
    moved = _certainty(facts, rows, np.ones(size, np.bool_), request, expired) > CHECK
    waits = np.zeros(size, np.bool_)
    absent = [
        None if edge.edge.missing == "allow" else unobtainable(facts, _NOTHING, edge.edge.upstream)
        for edge in facts.own_edges
    ]
    moves = settled(own, np.array([[still, moved], [waits, waits]]), absent)
    return moves if moves.any() else None


def unobtainable(facts: Facts, flow: Flow, key: AssetKey) -> Flags | None:
    """The rows of one asset that have no version and get none in the plan; None for no row."""
    output = facts.output(key)
    if output.complete:
        return None
    absent = ~output.versioned if flow.moves is None else ~output.versioned & ~flow.moves
    return absent if absent.any() else None


def _flow(
    name: str, all_facts: Mapping[str, Facts], flows: Mapping[str, Flow], request: Request, held: _Held | None
) -> Flow:
    facts = all_facts[name]
    if facts.node.kind == "source":
        return _NOTHING
    expired = request.expired.get(name)
    alone = expired is None and held is None and not request.force
    if facts.settled is not None and alone and all(flows[each] is _NOTHING for each in facts.settled):
        return _NOTHING
    if facts.settled is not None:
        # All that it reads is there, and what moves of that concerns its one row.
        lacks, pending = None, tuple([flows[each].moves for each in facts.settled])
    else:
        lacks = _lacks(facts.edges, all_facts, flows)
        busy = busy_rows(facts, force=request.force)
        pending = tuple([_pending(edge, flows[edge.upstream], busy) for edge in facts.edges])
    chosen = None if request.rows is None else request.rows.get(name)
    skipped = request.rows is not None and chosen is None
    idle = facts.seen == 0 and not request.force and expired is None and all(each is None for each in pending)
    if skipped or idle:
        return _NOTHING if lacks is None else Flow(lacks=lacks, pending=pending)

    rows = np.ones(len(facts.ordinals), np.bool_) if chosen is None else chosen
    any_pending = _any(pending, len(facts.ordinals))
    certainty = _certainty(facts, rows if lacks is None else rows & ~lacks, any_pending, request, expired)
    kept = None
    if held is not None:
        certainty[held.rows & (certainty > CHECK)] = NO_STEP
        kept = held.waiting if lacks is None else held.waiting & ~lacks
        lacks = held.waiting if lacks is None else lacks | held.waiting
    moves = certainty > CHECK
    if moves.any():
        roots = _roots(facts, moves, flows, expired, force=request.force)
        return Flow(certainty, moves, lacks, pending, roots, kept)
    return Flow(certainty if certainty.any() else None, None, lacks, pending, (), kept)


def _lacks(edges: Sequence[EdgeFacts], all_facts: Mapping[str, Facts], flows: Mapping[str, Flow]) -> Flags | None:
    lacks: Flags | None = None
    for edge in edges:
        found = None
        if edge.edge.missing == "wait":
            absent = unobtainable(all_facts[edge.upstream], flows[edge.upstream], edge.edge.upstream)
            found = None if absent is None else any_within(absent, edge.spans)
        lacks = _united(lacks, found, edge.premature, edge.spans.broken)
    return lacks if lacks is not None and lacks.any() else None


def _united(*flags: Flags | None) -> Flags | None:
    found = [each for each in flags if each is not None]
    return np.logical_or.reduce(found) if found else None


def _pending(edge: EdgeFacts, upstream: Flow, busy: Flags) -> Flags | None:
    if upstream.moves is None:
        return None
    pending = moved(edge, upstream.moves, busy)
    return pending if pending.any() else None


def busy_rows(facts: Facts, *, force: bool) -> Flags:
    """The rows that have a reason of their own to be computed, and then read late data like any other."""
    return (facts.bits & (STALE_ROOTS | FAILED)) != 0 if not force else np.ones(len(facts.bits), np.bool_)


def moved(edge: EdgeFacts, flags: Flags, busy: Flags) -> Flags:
    """By row: whether one of the upstream rows ``flags`` is read, in time unless the row is ``busy`` anyway."""
    if edge.timely is None:
        return any_within(flags, edge.spans)
    return (any_within(flags, edge.spans) & busy) | any_within(flags & edge.timely, edge.spans)


def _any(flags: tuple[Flags | None, ...], size: int) -> Flags:
    found = [each for each in flags if each is not None]
    return np.logical_or.reduce(found) if found else np.zeros(size, np.bool_)


def _certainty(facts: Facts, rows: Flags, pending: Flags, request: Request, expired: Flags | None) -> NDArray[np.uint8]:
    """Which step each of ``rows`` gets, given where a step upstream is pending."""
    bits = facts.bits
    if facts.seen == 0 and expired is None and not request.force:
        return np.multiply(rows & pending, MAY, dtype=np.uint8)
    due = (bits & STALE_ROOTS) != 0
    failed = (bits & FAILED) != 0
    certain = (bits & (MISSING | CODE | SCHEMA)) != 0
    certain |= (bits & INPUT != 0) & ~pending
    if expired is not None:
        certain |= expired
    computes = rows & (certain | due | pending | failed)
    if request.force:
        computes, certain = rows, rows
    if request.retry_failed:
        certain = certain | failed
    else:
        computes = computes & ~failed

    certainty = np.zeros(len(bits), np.uint8)
    certainty[computes] = MAY
    certainty[computes & certain] = WILL
    if facts.offers is not None and not request.force:
        settled = rows & due & ~pending
        if expired is not None:
            settled &= ~expired
        certainty[settled & facts.offers.checkable & ~failed] = CANDIDATE
        certainty[settled & facts.offers.reusable] = REUSE
    checks = CHECK_DUE | CHECK_FAILED if request.retry_failed else CHECK_DUE
    certainty[rows & (certainty == NO_STEP) & ((bits & checks) != 0)] = CHECK
    return certainty


def roots_through(edge: EdgeFacts, upstream: Flow, busy: Flags) -> Roots:
    """Where the causes of upstream moves began, at the rows that these make due."""
    return tuple((keys, moved(edge, flags, busy)) for keys, flags in upstream.roots)


def _roots(facts: Facts, moves: Flags, flows: Mapping[str, Flow], expired: Flags | None, *, force: bool) -> Roots:
    """Where the causes of the moves began; rows with a cause of their own pass on nothing inherited."""
    found: dict[frozenset[AssetKey], Flags] = {}
    bits = facts.bits
    own = moves if force else moves & ((bits & (MISSING | CODE | SCHEMA | FAILED)) != 0)
    if expired is not None:
        own = own | (moves & expired)
    _add(found, frozenset(facts.node.outputs), own)
    for edge in facts.edges if facts.settled is None else ():
        _add(found, frozenset((edge.edge.upstream,)), edge.changed & moves)
    passed_on = moves & ~own & ((bits & INPUT) == 0)
    if facts.settled is not None:
        for each in facts.settled:
            for keys, flags in flows[each].roots:
                _add(found, keys, flags & passed_on)
    elif passed_on.any():
        busy = busy_rows(facts, force=force)
        for edge in facts.edges:
            for keys, flags in roots_through(edge, flows[edge.upstream], busy):
                _add(found, keys, flags & passed_on)
        if facts.own is not None:
            found = {keys: carried(facts.own, flags, passed_on) for keys, flags in found.items()}
    if len(found) <= _MOST_ROOTS:
        return tuple(found.items())
    return ((frozenset[AssetKey]().union(*found), np.logical_or.reduce(list(found.values()))),)


def _add(found: dict[frozenset[AssetKey], Flags], keys: frozenset[AssetKey], flags: Flags) -> None:
    if flags.any():
        found[keys] = found[keys] | flags if keys in found else flags
