"""Rows in bulk: the database puts each column of an answer into one text, so that nothing is done by row in Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from assetflow.planner.state import Integers
from assetflow.store.connection import Connection


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of equal length: numbers as arrays, octets joined."""

    count: int
    numbers: tuple[Integers, ...]
    octets: tuple[bytes, ...]


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
    # SQLite joins in the order of the subquery's rows, and joins octets as they are when they are called text.
    texts = [f"group_concat({name})" for name in numbers]
    blobs = [f"CAST(group_concat({name}, '') AS BLOB)" for name in octets]
    statement = f"SELECT count(*), {', '.join([*texts, *blobs])} FROM ({query})"
    count, *found = connection.execute(statement, values).fetchone()
    if not count:
        return Columns(0, (np.empty(0, np.int64),) * len(numbers), (b"",) * len(octets))
    parsed = [np.fromstring(text, np.int64, sep=",") for text in found[: len(numbers)]]
    return Columns(count, tuple(parsed), tuple([joined or b"" for joined in found[len(numbers) :]]))
