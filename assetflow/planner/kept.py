"""What a long-lived planner keeps of pointers: columns aligned with the rows of their computation, changed in place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assetflow.planner.spans import Flags, Integers, members
from assetflow.planner.state import AssetState, InputColumn

_BLOCK = 4096
_VERIFIED = "verified"
_COLUMNS = tuple(each.name for each in fields(AssetState) if each.name not in ("ordinals", "inputs"))

Array = NDArray[Any]


class Column:
    """An array that grows at its end, a new item costing the same however long it is."""

    __slots__ = ("_buffer", "_size")

    def __init__(self, values: Array) -> None:
        self._size = 0
        # Room that is not used costs next to nothing: nobody has touched its pages.
        self._buffer = np.empty((_room(len(values)), *values.shape[1:]), values.dtype)
        self.grow(values)

    @property
    def values(self) -> Array:
        """The items; writing to them changes the column, growing it leaves the array behind."""
        return self._buffer[: self._size]

    def grow(self, values: Array) -> None:
        """Append items."""
        stop = self._size + len(values)
        if stop > len(self._buffer):
            larger = np.empty((_room(stop), *values.shape[1:]), values.dtype)
            larger[: self._size] = self.values
            self._buffer = larger
        self._buffer[self._size : stop] = values
        self._size = stop


def at_rows(values: Array, rows: Integers) -> Array:
    """The values at ascending rows, which may not be written to: where the rows are neighbours it is a view."""
    return values[_index(rows)]


def _index(rows: Integers) -> slice | Integers:
    if len(rows) and int(rows[-1]) - int(rows[0]) == len(rows) - 1:
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows


def _room(size: int) -> int:
    return size + (size >> 2) + 16


class KeptPointers:
    """The pointers of one asset by row of its computation; what is in rows without a version means nothing.

    With ``verified``, when the data of each was last found by computing, as in :attr:`State.verified`.
    """

    __slots__ = ("_columns", "_latest", "_present", "_sums", "_versioned")

    def __init__(self, state: AssetState, verified: Integers | None, existing: Integers) -> None:
        inside = members(state.ordinals, existing)
        rows = existing.searchsorted(state.ordinals[inside])
        whole = len(rows) == len(existing) == len(inside)
        values = {name: getattr(state, name) for name in _COLUMNS}
        values |= {} if verified is None else {_VERIFIED: verified}
        self._columns = {
            name: Column(_spread(each, inside, rows, existing, whole=whole)) for name, each in values.items()
        }
        self._sums: dict[str, Column] = {}
        self._present: dict[str, Column] = {}
        for parameter, column in state.inputs.items():
            self._sums[parameter] = Column(_spread(column.sums, inside, rows, existing, whole=whole))
            self._present[parameter] = Column(_spread(column.present, inside, rows, existing, whole=whole))
        versioned = np.zeros(len(existing), np.bool_)
        versioned[rows] = True
        self._versioned = Column(versioned)
        self._latest = _maxima(self._columns["generation"].values)

    @property
    def versioned(self) -> Flags:
        """The rows that have a version."""
        return self._versioned.values

    @property
    def hashes(self) -> Array:
        """The data hash by row."""
        return self._columns["hashes"].values

    @property
    def generation(self) -> Integers:
        """The generation by row."""
        return self._columns["generation"].values

    @property
    def empty(self) -> Flags:
        """The rows that were published as having no data."""
        return self._columns["empty"].values

    def at(self, rows: Integers, ordinals: Integers) -> AssetState:
        """The pointers of ascending ``rows``, whose partitions are ``ordinals``; they hold until the rows change."""
        there = at_rows(self.versioned, rows)
        if not there.all():
            rows, ordinals = rows[there], ordinals[there]
        index = _index(rows)
        columns = {name: self._columns[name].values[index] for name in _COLUMNS}
        inputs = {
            parameter: InputColumn(sums.values[index], self._present[parameter].values[index])
            for parameter, sums in self._sums.items()
        }
        return AssetState(ordinals=ordinals, inputs=inputs, **columns)

    def verified(self) -> Integers | None:
        """When the data of each version was last found by computing; None where nobody asked."""
        return self._columns[_VERIFIED].values[self.versioned] if _VERIFIED in self._columns else None

    def verify(self, at: int) -> None:
        """All data was found to be right at one moment."""
        self._columns[_VERIFIED].values[:] = at

    def verified_at(self, rows: Integers) -> Integers:
        """Those times at the rows that have a version."""
        return self._columns[_VERIFIED].values[rows[self.versioned[rows]]]

    def put(self, rows: Integers, partitions: Integers, pointers: AssetState, verified: Integers | None) -> None:
        """Replace the pointers of ``rows``, whose ``partitions`` ascend; what ``pointers`` lack has none any more."""
        there = members(partitions, pointers.ordinals)
        self.versioned[rows] = there
        if not there.all():
            self.empty[rows[~there]] = False
        places, rows = pointers.ordinals.searchsorted(partitions[there]), rows[there]
        for name in _COLUMNS:
            self._columns[name].values[rows] = getattr(pointers, name)[places]
        if verified is not None and _VERIFIED in self._columns:
            self._columns[_VERIFIED].values[rows] = verified[places]
        for parameter in pointers.inputs.keys() - self._sums.keys():
            count = len(self.versioned)
            self._sums[parameter] = Column(np.zeros((count, 2), np.uint64))
            self._present[parameter] = Column(np.zeros(count, np.bool_))
        for parameter, present in self._present.items():
            column = pointers.inputs.get(parameter)
            present.values[rows] = False if column is None else column.present[places]
            if column is not None:
                self._sums[parameter].values[rows] = column.sums[places]
        for block in np.unique(rows // _BLOCK).tolist():
            self._latest[block] = self.generation[block * _BLOCK : (block + 1) * _BLOCK].max()

    def grow(self, count: int) -> None:
        """Add rows without a version at the end."""
        columns = (*self._columns.values(), *self._sums.values(), *self._present.values(), self._versioned)
        for column in columns:
            column.grow(np.zeros((count, *column.values.shape[1:]), column.values.dtype))
        first = len(self._latest) - 1 if len(self._latest) else 0
        self._latest = np.concatenate((self._latest[:first], _maxima(self.generation[first * _BLOCK :])))

    def newer(self, first: int, stop: int, generation: int) -> Integers:
        """The rows in ``[first, stop)`` with a version that was published after ``generation``."""
        if stop - first <= 2 * _BLOCK:
            rows = np.arange(first, stop)
        else:
            blocks = np.flatnonzero(self._latest[first // _BLOCK : (stop - 1) // _BLOCK + 1] > generation)
            rows = ((blocks + first // _BLOCK)[:, None] * _BLOCK + np.arange(_BLOCK)).ravel()
            rows = rows[(rows >= first) & (rows < stop)]
        return rows[(self.generation[rows] > generation) & self.versioned[rows]]


def taken(state: AssetState, places: Integers) -> AssetState:
    """The pointers at some places."""
    columns = {name: getattr(state, name)[places] for name in ("ordinals", *_COLUMNS)}
    inputs = {name: InputColumn(column.sums[places], column.present[places]) for name, column in state.inputs.items()}
    return AssetState(inputs=inputs, **columns)


def merged(first: AssetState, second: AssetState) -> tuple[AssetState, Integers]:
    """The pointers of both, which have no partition in common, and which place of one after the other each has had."""
    order = np.argsort(np.concatenate((first.ordinals, second.ordinals)), kind="stable")
    columns = {
        name: np.concatenate((getattr(first, name), getattr(second, name)))[order] for name in ("ordinals", *_COLUMNS)
    }
    inputs: dict[str, InputColumn] = {}
    for parameter in dict.fromkeys((*first.inputs, *second.inputs)):
        sides = [_column(state, parameter) for state in (first, second)]
        inputs[parameter] = InputColumn(
            np.concatenate([each.sums for each in sides])[order],
            np.concatenate([each.present for each in sides])[order],
        )
    return AssetState(inputs=inputs, **columns), order


def _column(state: AssetState, parameter: str) -> InputColumn:
    count = len(state.ordinals)
    known = state.inputs.get(parameter)
    return known or InputColumn(np.zeros((count, 2), np.uint64), np.zeros(count, np.bool_))


def _spread(values: Array, inside: Flags, rows: Integers, existing: Integers, *, whole: bool) -> Array:
    """The values by row; zero where there is none."""
    if whole:
        return values
    spread = np.zeros((len(existing), *values.shape[1:]), values.dtype)
    spread[rows] = values[inside]
    return spread


def _maxima(values: Integers) -> Integers:
    """The greatest of each block."""
    return np.maximum.reduceat(values, np.arange(0, len(values), _BLOCK)) if len(values) else values.copy()


def intervals(lo: Integers, hi: Integers) -> Iterator[tuple[int, int]]:
    """Half-open runs, joined where they touch, in ascending order; empty ones are left out.

    >>> list(intervals(np.array([4, 0, 6]), np.array([6, 2, 6])))
    [(0, 2), (4, 6)]
    """
    filled = lo < hi
    if not filled.any():
        return
    order = np.argsort(lo[filled], kind="stable")
    lo, hi = lo[filled][order], np.maximum.accumulate(hi[filled][order])
    breaks = np.flatnonzero(lo[1:] > hi[:-1])
    firsts = lo[np.concatenate(([0], breaks + 1))]
    lasts = hi[np.concatenate((breaks, [len(hi) - 1]))]
    yield from zip(firsts.tolist(), lasts.tolist(), strict=True)
