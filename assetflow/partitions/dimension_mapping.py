"""The mapping between partitions of several dimensions: dimension by dimension."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

import numpy as np

from assetflow.partitions.mappings import EdgeMapping
from assetflow.partitions.multi_space import MultiSpace
from assetflow.partitions.products import AxisRead, distinct, product_spans
from assetflow.partitions.sets import Bools, Ints, PartitionSet
from assetflow.partitions.spaces import PartitionSpace
from assetflow.partitions.spans import Spans, covered

DimensionName = str | None
"""A dimension; None stands for the partitions of an asset that has no dimensions."""

_Joined = DimensionName | tuple[DimensionName, EdgeMapping]


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """Two dimensions that are joined, at their places in declared order, and the rows by what they have in it."""

    down_space: PartitionSpace
    up_place: int
    up_space: PartitionSpace
    mapping: EdgeMapping
    values: Ints
    choice: Ints


@dataclass(frozen=True, slots=True)
class DimensionMapping(EdgeMapping):
    """Joins dimensions of the asset with those of its upstream: ``{dimension of the asset: that of its upstream}``.

    A dimension of the upstream that is not named is read whole; one of the asset that is not named makes no difference.
    Two dimensions are joined by the default mapping between them, or by one that is stated: ``("day", LastN(7))``. The
    partitions of an asset without dimensions are named None.

    >>> DimensionMapping({"region": "region", "month": "day"}).pairs
    (('region', 'region', None), ('month', 'day', None))
    """

    # Mappings cannot be hashed; the pairs say the same.
    dimensions: Mapping[str, _Joined] | Mapping[None, _Joined] | Mapping[DimensionName, _Joined] = field(compare=False)
    pairs: tuple[tuple[DimensionName, DimensionName, EdgeMapping | None], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        given = cast("object", self.dimensions)
        pairs = cast("Mapping[object, object]", given).items() if isinstance(given, Mapping) else ()
        object.__setattr__(self, "pairs", tuple((down, *_stated(up)) for down, up in pairs))

    @property
    def strict(self) -> bool:
        return any(each is not None and each.strict for _, _, each in self.pairs)

    def spans(self, down: PartitionSpace, ordinals: Ints, up: PartitionSpace, existing_up: Ints) -> Spans:
        axes = _axes(up, existing_up)
        reads: dict[int, AxisRead] = {}
        for pair in self._joined(down, ordinals, up):
            spans = pair.mapping.spans(pair.down_space, pair.values, pair.up_space, axes[pair.up_place])
            reads[pair.up_place] = AxisRead(pair.choice, spans)
        found = product_spans([axis.size for axis in axes], reads, ordinals.size)
        if existing_up.size == np.prod([axis.size for axis in axes], dtype=np.int64):
            return found
        return _kept(found, _combinations(up, axes), existing_up)

    def expected(self, down: PartitionSpace, ordinals: Ints, up: PartitionSpace, now: datetime) -> Bools:
        expected = np.ones(ordinals.size, np.bool_)
        for pair in self._joined(down, ordinals, up):
            expected &= pair.mapping.expected(pair.down_space, pair.values, pair.up_space, now)[pair.choice]
        return expected | ~self.asking(down, ordinals, up)

    def awaited(
        self, partitions: PartitionSet, down: PartitionSpace, up: PartitionSpace, now: datetime
    ) -> PartitionSet:
        ordinals = partitions.array()
        existing = [each.existing(now) for each in _spaces(up)]
        asked = list(existing)
        for pair in self._joined(down, ordinals, up):
            values = PartitionSet.from_ordinals(pair.values)
            asked[pair.up_place] |= pair.mapping.awaited(values, pair.down_space, pair.up_space, now)
        possible = _combinations(up, [each.array() for each in asked])
        reached = covered(np.ones(ordinals.size, np.bool_), self.spans(down, ordinals, up, possible), possible.size)
        known = _combinations(up, [each.array() for each in existing])
        return PartitionSet.from_ordinals(possible[reached]) - PartitionSet.from_ordinals(known)

    def nonexistent(self, down: PartitionSpace, ordinals: Ints, up: PartitionSpace) -> Bools:
        found = np.zeros(ordinals.size, np.bool_)
        for pair in self._joined(down, ordinals, up):
            found |= pair.mapping.nonexistent(pair.down_space, pair.values, pair.up_space)[pair.choice]
        return found

    def asking(self, down: PartitionSpace, ordinals: Ints, up: PartitionSpace) -> Bools:
        asking = np.ones(ordinals.size, np.bool_)
        for pair in self._joined(down, ordinals, up):
            asking &= pair.mapping.asking(pair.down_space, pair.values, pair.up_space)[pair.choice]
        return asking

    def _joined(self, down: PartitionSpace, ordinals: Ints, up: PartitionSpace) -> list[_Pair]:
        down_names, down_spaces = _names(down), _spaces(down)
        up_names, up_spaces = _names(up), _spaces(up)
        parts = down.parts(ordinals) if isinstance(down, MultiSpace) else [ordinals]
        joined: list[_Pair] = []
        for down_name, up_name, mapping in self.pairs:
            assert mapping is not None, "a mapping that was not settled"
            here, there = down_names.index(down_name), up_names.index(up_name)
            values, choice = distinct(parts[here])
            joined.append(_Pair(down_spaces[here], there, up_spaces[there], mapping, values, choice))
        return joined


def _stated(up: object) -> tuple[DimensionName, EdgeMapping | None]:
    pair = cast("tuple[object, ...]", up) if isinstance(up, tuple) else ()
    if len(pair) != 2:
        return cast("DimensionName", up), None
    return cast("DimensionName", pair[0]), cast("EdgeMapping | None", pair[1])


def _names(space: PartitionSpace) -> tuple[DimensionName, ...]:
    return space.definition.names if isinstance(space, MultiSpace) else (None,)


def _spaces(space: PartitionSpace) -> tuple[PartitionSpace, ...]:
    return space.spaces if isinstance(space, MultiSpace) else (space,)


def _axes(space: PartitionSpace, existing: Ints) -> list[Ints]:
    """What occurs in each dimension."""
    parts = space.parts(existing) if isinstance(space, MultiSpace) else [existing]
    return [distinct(part)[0] for part in parts]


def _combinations(space: PartitionSpace, axes: list[Ints]) -> Ints:
    return space.combined(axes) if isinstance(space, MultiSpace) else axes[0]


def _kept(spans: Spans, outer: Ints, inner: Ints) -> Spans:
    """The spans over ``inner``, an ascending subset of the ascending ``outer`` that ``spans`` point into."""
    read = outer if spans.gather is None else outer[spans.gather]
    places = np.minimum(np.searchsorted(inner, read), max(inner.size - 1, 0))
    there = inner[places] == read if inner.size else np.zeros(read.size, np.bool_)
    counts = np.zeros(read.size + 1, np.int64)
    np.cumsum(there, out=counts[1:])
    return Spans(counts[spans.lo], counts[spans.hi], gather=places[there], problems=spans.problems)
