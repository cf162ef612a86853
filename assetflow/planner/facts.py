"""What is true of each partition by itself, before anything is known of steps upstream.

Everything here depends on the recorded state and the present code only, so that one set of facts serves plans of any
selection. Rows are the existing partitions of a computation, ascending by ordinal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from assetflow.graph import AssetGraph, Edge, Node
from assetflow.keys import AssetKey
from assetflow.partitions.spaces import PartitionSpace
from assetflow.partitions.spans import Spans
from assetflow.planner.decide import EdgeSignature
from assetflow.planner.offers import CheckFacts, Offers
from assetflow.planner.scans import OwnReads
from assetflow.planner.spaces import spaces_of
from assetflow.planner.spans import Flags, Integers
from assetflow.planner.state import AssetState, Codes, State

Bits = NDArray[np.uint16]

MISSING = 1
CODE = 2
SCHEMA = 4
INPUT = 8
FAILED = 16
CHECK_FAILED = 32
CHECK_DUE = 64
STALE_ROOTS = MISSING | CODE | SCHEMA | INPUT
"""The bits that make a partition due by itself."""


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """All that an assessment starts from, with the existing partitions of every computation."""

    graph: AssetGraph
    state: State
    codes: Codes
    now: datetime
    include_late: bool
    """Whether late data makes stale like any other."""
    spaces: Mapping[str, PartitionSpace]
    existing: Mapping[str, Integers]


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """The pointers of one asset; ``rows`` says at which row each is (None: one for every row)."""

    key: AssetKey
    pointers: AssetState
    rows: Integers | None
    versioned: Flags
    complete: bool
    failed: Flags | None = None
    """Rows whose last try failed under the present key."""
    checks: tuple[CheckFacts, ...] = ()

    @property
    def places(self) -> Integers | slice:
        """An index that scatters pointers to rows."""
        return slice(None) if self.rows is None else self.rows


@dataclass(frozen=True, slots=True, eq=False)
class Changed:
    """Pairs of a row and an upstream partition that is not what it read."""

    rows: Integers
    partitions: Integers

    def of(self, rows: Flags) -> Integers:
        """The upstream partitions of some rows; the same one may be there several times."""
        return self.partitions[rows[self.rows]]


@dataclass(frozen=True, slots=True, eq=False)
class EdgeFacts:
    """One edge: what each row would read now, and whether that is not what was recorded."""

    edge: Edge
    upstream: str
    """The upstream computation."""
    signature: EdgeSignature
    changed: Flags
    premature: Flags | None
    """Rows that have to wait because the mapping asks for windows that have not ended or cannot exist; None: no row."""
    late: Flags | None = None
    """Rows that read late data which is left out; None: no row."""
    told: tuple[Changed, ...] = ()
    """By output: what changed, where it had to be told which of it is late."""
    timely: Flags | None = None
    """Upstream rows that would be in time if they were published now; None: all of them."""

    @property
    def spans(self) -> Spans:
        """The upstream rows that each row spans."""
        return self.signature.existing


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """The facts of one computation; ``bits`` by row, ``seen`` all bits that any row has."""

    node: Node
    space: PartitionSpace
    ordinals: Integers
    outputs: tuple[Output, ...]
    edges: Sequence[EdgeFacts]
    bits: Bits
    seen: int
    offers: Offers | None
    own: OwnReads | None = None
    """What the rows read of each other; None for a computation that does not read itself."""
    settled: tuple[str, ...] | None = None
    """The upstream computations, where it is known that its one row is as it should be and all that it reads is there:
    thousands of those are gone over without a look at their edges. None: where that is not known."""

    @property
    def late(self) -> Flags | None:
        """Rows that leave late data out; None: no row."""
        if self.settled is not None:
            return None
        found = [edge.late for edge in self.edges if edge.late is not None]
        return np.logical_or.reduce(found) if found else None

    @property
    def own_edges(self) -> tuple[EdgeFacts, ...]:
        """The edges by which rows read each other."""
        return () if self.own is None else tuple([edge for edge in self.edges if edge.edge.own])

    def output(self, key: AssetKey) -> Output:
        """The pointers of one output."""
        return next(output for output in self.outputs if output.key == key)


def world_of(graph: AssetGraph, state: State, codes: Codes, now: datetime, *, include_late: bool = False) -> World:
    """Bind every definition and find out which partitions exist; ``now`` is an aware datetime."""
    spaces = spaces_of(graph, state.keys, state.dynamic)
    arrays: dict[int, Integers] = {}
    existing: dict[str, Integers] = {}
    for name, space in spaces.items():
        array = arrays.get(id(space))
        if array is None:
            array = arrays[id(space)] = space.existing(now).array()
        existing[name] = array
    return World(graph, state, codes, now, include_late, spaces, existing)
