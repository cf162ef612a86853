"""A set of partitions as a value: ordinals in a compressed bitmap."""

from __future__ import annotations

from array import array
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap64, FrozenBitMap64

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, repr=False)
class PartitionSet:
    """An immutable set of partition ordinals (non-negative 64-bit integers).

    >>> odd = PartitionSet.from_ordinals([1, 3, 5, 6])
    >>> odd & PartitionSet.from_range(3, 6), len(odd), 5 in odd
    (PartitionSet([3, 5]), 4, True)
    >>> odd.ranges()
    [(1, 1), (3, 3), (5, 6)]
    """

    _bits: BitMap64

    @classmethod
    def empty(cls) -> Self:
        """The set without members."""
        return cls(BitMap64())

    @classmethod
    def from_range(cls, first: int, stop: int) -> Self:
        """The ordinals from ``first`` up to, but not including, ``stop``; empty when ``stop <= first``."""
        bits = BitMap64()
        if first < stop:
            bits.add_range(first, stop)
        return cls(bits)

    @classmethod
    def from_ordinals(cls, ordinals: Iterable[int] | Ints) -> Self:
        """The given ordinals, in any order, duplicates allowed. Raises ValueError for a negative one."""
        values: Ints = np.asarray(ordinals if isinstance(ordinals, np.ndarray) else list(ordinals), np.int64)
        if values.size and int(values.min()) < 0:
            raise ValueError(f"ordinals are not negative, but {int(values.min())} is")
        return cls(BitMap64(array("Q", np.ascontiguousarray(values, np.uint64).tobytes())))

    @classmethod
    def from_ascending(cls, ordinals: Ints) -> Self:
        """The given ordinals, which ascend without duplicates: neighbours cost nothing, however many they are.

        >>> len(PartitionSet.from_ascending(np.array([4, 5, 6])))
        3
        """
        if ordinals.size and int(ordinals[-1]) - int(ordinals[0]) == ordinals.size - 1:
            return cls.from_range(int(ordinals[0]), int(ordinals[-1]) + 1)
        return cls.from_ordinals(ordinals)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The set that :meth:`to_text` wrote. Raises ValueError for any other text."""
        return cls(BitMap64.deserialize(b64decode(text, validate=True)))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The set that :meth:`to_bytes` wrote. Raises ValueError for anything else."""
        return cls(BitMap64.deserialize(data))

    def __or__(self, other: PartitionSet) -> PartitionSet:
        return PartitionSet(self._bits | other._bits)

    def __and__(self, other: PartitionSet) -> PartitionSet:
        return PartitionSet(self._bits & other._bits)

    def __sub__(self, other: PartitionSet) -> PartitionSet:
        return PartitionSet(self._bits - other._bits)

    def __contains__(self, ordinal: int) -> bool:
        return ordinal >= 0 and ordinal in self._bits

    def __len__(self) -> int:
        return len(self._bits)

    def __bool__(self) -> bool:
        return bool(self._bits)

    def __iter__(self) -> Iterator[int]:
        return iter(self._bits)

    def __hash__(self) -> int:
        return hash(FrozenBitMap64(self._bits))

    def __repr__(self) -> str:
        count = len(self)
        if count <= 8:
            return f"PartitionSet({list(self)})"
        return f"PartitionSet({count} ordinals from {self.min()} to {self.max()})"

    def array(self) -> Ints:
        """The ordinals, ascending."""
        size = len(self)
        if size and self.max() - self.min() == size - 1:
            return np.arange(self.min(), self.max() + 1)
        return np.frombuffer(self._bits.to_array(), np.int64)

    def ranges(self) -> list[tuple[int, int]]:
        """The runs of neighbouring ordinals as (first, last), both included."""
        ordinals = self.array()
        if not ordinals.size:
            return []
        breaks = np.flatnonzero(np.diff(ordinals) != 1)
        firsts = ordinals[np.concatenate(([0], breaks + 1))]
        lasts = ordinals[np.concatenate((breaks, [ordinals.size - 1]))]
        return list(zip(firsts.tolist(), lasts.tolist(), strict=True))

    def to_text(self) -> str:
        """The set in the portable Roaring format, base64: short where ordinals are neighbours.

        >>> PartitionSet.from_text(PartitionSet.from_range(0, 10**6).to_text()) == PartitionSet.from_range(0, 10**6)
        True
        """
        return b64encode(self.to_bytes()).decode("ascii")

    def to_bytes(self) -> bytes:
        """The set in the portable Roaring format: short where ordinals are neighbours."""
        bits = self._bits.copy()
        bits.run_optimize()
        return bits.serialize()

    def min(self) -> int:
        """The smallest ordinal. Raises ValueError when the set is empty."""
        return self._bits.min()

    def max(self) -> int:
        """The largest ordinal. Raises ValueError when the set is empty."""
        return self._bits.max()

    def isdisjoint(self, other: PartitionSet) -> bool:
        """Whether no ordinal is in both."""
        return self._bits.isdisjoint(other._bits)

    def issubset(self, other: PartitionSet) -> bool:
        """Whether every ordinal is also in ``other``."""
        return self._bits.issubset(other._bits)
