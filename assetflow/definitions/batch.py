"""``Batch``: several partitions in one call."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Batch:
    """One call gets up to ``max_partitions`` partitions (``context.partition_keys``).

    It returns ``dict[str, T]`` by partition key, or one table, split by its column ``column`` (then dropped).

    >>> Batch(max_partitions=24)
    Batch(max_partitions=24, column='partition')
    """

    max_partitions: int
    column: str = "partition"
