"""Rows in bulk: the database puts each column of an answer into one text, so that nothing is done by row in Python."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assetflow.planner.state import Integers
from assetflow.store.connection import Connection, on_postgres

_MANY = 256
"""With more parts of a column than this, making each apart takes longer than the whole column is worth."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of equal length: numbers as arrays, octets joined."""

    count: int
    numbers: tuple[Integers, ...]
    octets: tuple[bytes, ...]


class Growing:
    """A column to which pages are added. What is not filled yet takes no memory, as nobody has touched it."""

    __slots__ = ("_buffer", "size")

    def __init__(self, kind: type[np.generic], *shape: int) -> None:
        self.size = 0
        self._buffer: NDArray[Any] = np.empty((0, *shape), kind)

    def add(self, page: NDArray[Any]) -> None:
        """Append a page."""
        stop = self.size + len(page)
        if stop > len(self._buffer):
            larger = np.empty((max(stop, 2 * len(self._buffer)), *page.shape[1:]), self._buffer.dtype)
            larger[: self.size] = self.values
            self._buffer = larger
        self._buffer[self.size : stop] = page
        self.size = stop

    @property
    def values(self) -> NDArray[Any]:
        """All that was added."""
        return self._buffer[: self.size]


class Runs:
    """A column in which the same number mostly stands many times in a row: each of them once, and where it begins."""

    __slots__ = ("_starts", "_values", "size")

    def __init__(self) -> None:
        self.size = 0
        self._starts, self._values = Growing(np.int64), Growing(np.int64)

    def add(self, page: Integers) -> None:
        """Append a page."""
        starts = np.concatenate((np.zeros(1, np.int64), np.flatnonzero(page[1:] != page[:-1]) + 1))
        if self.size and len(page) and self._values.values[-1] == page[0]:
            starts = starts[1:]
        if len(page):
            self._starts.add(starts + self.size)
            self._values.add(page[starts])
        self.size += len(page)

    @property
    def starts(self) -> Integers:
        """Where each run begins."""
        return self._starts.values

    @property
    def values(self) -> Integers:
        """The number of each run."""
        return self._values.values

    def at(self, rows: Integers) -> Integers:
        """Which run each of the rows is in."""
        return self.starts.searchsorted(rows, "right") - 1

    def parts(self, bounds: Integers, values: NDArray[Any] | None = None) -> Iterator[NDArray[Any]]:
        """The rows from each of the ascending bounds to the next; ``values`` may say something else of each run.

        One value takes no memory, however often it stands there.
        """
        values = self.values if values is None else values
        limits: list[int] = bounds.tolist()
        if len(bounds) > _MANY:
            whole = self._spread(values, 0, self.size)
            yield from (whole[first:last] for first, last in pairwise(limits))
            return
        for first, last in pairwise(limits):
            begin, end = self.at(np.array([first, last - 1])).tolist()
            if begin == end:
                yield np.broadcast_to(values[begin], (last - first,))
            else:
                yield self._spread(values, first, last)

    def _spread(self, values: NDArray[Any], first: int, last: int) -> NDArray[Any]:
        begin, end = self.at(np.array([first, last - 1])).tolist()
        bounds = np.concatenate(([first], self.starts[begin + 1 : end + 1], [last]))
        return np.repeat(values[begin : end + 1], np.diff(bounds))


def gathered(
    connection: Connection,
    query: str,
    values: Sequence[object] | Mapping[str, object],
    *,
    numbers: Sequence[str],
    octets: Sequence[str] = (),
) -> Columns:
    """The named columns of a query, in the order of its rows; no number in them may be NULL.

    (Measured with 1,051,200 pointers: 0.65 s, and 3.6 s for ``fetchall`` and a column by column.)
    """
    postgres = on_postgres(connection)
    if postgres is not None:
        count, *found = postgres.gathered(query, values, numbers, octets)
        if not count:
            return Columns(0, (np.empty(0, np.int64),) * len(numbers), (b"",) * len(octets))
        return Columns(count, tuple(found[: len(numbers)]), tuple([joined or b"" for joined in found[len(numbers) :]]))
    # SQLite joins in the order of the subquery's rows, and joins octets as they are when they are called text.
    texts = [f"group_concat({name})" for name in numbers]
    blobs = [f"CAST(group_concat({name}, '') AS BLOB)" for name in octets]
    statement = f"SELECT count(*), {', '.join([*texts, *blobs])} FROM ({query})"
    count, *found = connection.execute(statement, values).fetchone()
    if not count:
        return Columns(0, (np.empty(0, np.int64),) * len(numbers), (b"",) * len(octets))
    parsed = [np.fromstring(text, np.int64, sep=",") for text in found[: len(numbers)]]
    return Columns(count, tuple(parsed), tuple([joined or b"" for joined in found[len(numbers) :]]))
