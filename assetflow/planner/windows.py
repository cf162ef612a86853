"""How far the windows of an asset are published: those of time partitions, or of the one dimension that is of time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from assetflow.keys import AssetKey
from assetflow.partitions.definitions import MultiPartitions, PartitionsDefinition, TimePartitions
from assetflow.partitions.multi_space import MultiSpace
from assetflow.partitions.time_space import TimeSpace
from assetflow.planner.facts import Facts
from assetflow.planner.spans import Flags, Integers


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """The windows that a computation's rows lie in, ascending; ``places`` by row (None: one row for each window)."""

    space: TimeSpace
    ordinals: Integers
    places: Integers | None = None

    def where_all(self, flags: Flags) -> Flags:
        """By window: whether all of its rows are flagged."""
        if self.places is None:
            return flags
        found = np.ones(len(self.ordinals), np.bool_)
        found[self.places[~flags]] = False
        return found

    def before(self, window: int) -> Flags:
        """By row: whether its window is one of the first ones, as many as ``window`` says."""
        places = np.arange(len(self.ordinals)) if self.places is None else self.places
        return places < window

    def at(self, window: int) -> Flags:
        """By row: whether that is its window."""
        return self.before(window + 1) & ~self.before(window)

    def first_missing(self, facts: Facts, key: AssetKey) -> int:
        """The window up to which everything is published: every partition that lies in one of those before it."""
        published = self.where_all(facts.output(key).versioned)
        return len(published) if published.all() else int((~published).argmax())

    def reached(self, facts: Facts, key: AssetKey) -> datetime | None:
        """The watermark, or the begin of the first window where something is not published; None: none has ended."""
        if not len(self.ordinals):
            return None
        window = self.first_missing(facts, key)
        begins, ends = self.space.boundaries(self.ordinals[max(window - 1, 0)][None])
        return datetime.fromtimestamp(int((ends if window else begins)[0]), UTC)

    def complete(self, facts: Facts, key: AssetKey) -> bool:
        """Whether every window is published that there will ever be."""
        if self.first_missing(facts, key) < len(self.ordinals) or not len(self.ordinals):
            return False
        return not self.space.has(self.space.shift(self.ordinals[-1:], 1))[0]


def has_windows(definition: PartitionsDefinition | None) -> bool:
    """Whether the partitions lie in windows: those of time, and of several dimensions of which one is of time."""
    if isinstance(definition, MultiPartitions):
        return sum(isinstance(each, TimePartitions) for _, each in definition.pairs) == 1
    return isinstance(definition, TimePartitions)


def windows_of(facts: Facts) -> Windows | None:
    """The windows of a computation; None where partitions do not lie in windows."""
    space = facts.space
    if isinstance(space, TimeSpace):
        return Windows(space, facts.ordinals)
    if not isinstance(space, MultiSpace) or (timed := space.timed()) is None:
        return None
    index, of_time = timed
    parts = space.parts(facts.ordinals)[index]
    if not len(parts):
        return Windows(of_time, parts, parts)
    first = int(parts.min())
    if int(parts.max()) - first > _SPARSE * len(parts):
        ordinals, places = np.unique(parts, return_inverse=True)
        return Windows(of_time, ordinals, places)
    present = np.zeros(int(parts.max()) - first + 1, np.bool_)
    present[parts - first] = True
    return Windows(of_time, present.nonzero()[0] + first, (np.cumsum(present) - 1)[parts - first])


_SPARSE = 4
"""Ordinals that lie further apart are sorted instead of marked."""
