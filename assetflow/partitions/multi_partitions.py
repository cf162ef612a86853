"""Partitions of several dimensions: every combination of their keys."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from assetflow.partitions.definitions import DimensionDefinition

WIDTHS = {"month": 17, "week": 19, "static": 20, "dynamic": 20, "day": 22, "hour": 27, "cron": 33}
"""How many bits of an ordinal each kind of dimension takes: time up to the year 9999, a million keys."""

BITS = 63


@dataclass(frozen=True, slots=True)
class MultiPartitions:
    """One partition for each combination of the dimensions' partitions; its key is ``key1|key2``, in declared order.

    A dimension is any other definition. Inside a dimension's key ``|`` is written ``%7C``.

    >>> from assetflow import DailyPartitions, StaticPartitions
    >>> cells = MultiPartitions({"day": DailyPartitions("2024-01-01"), "region": StaticPartitions(["north", "south"])})
    >>> cells.describe()
    'day: daily from 2024-01-01, UTC; region: 2 keys: north, south'
    >>> MultiPartitions({}).problems()
    ['there is no dimension: write MultiPartitions({"day": DailyPartitions(...), "region": StaticPartitions(...)})']
    """

    # Mappings cannot be hashed; the pairs also tell the order of the dimensions.
    dimensions: Mapping[str, DimensionDefinition] = field(compare=False)
    pairs: tuple[tuple[str, DimensionDefinition], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        given = cast("object", self.dimensions)
        pairs = tuple(cast("Mapping[str, DimensionDefinition]", given).items()) if isinstance(given, Mapping) else ()
        object.__setattr__(self, "pairs", pairs)

    @property
    def names(self) -> tuple[str, ...]:
        """The dimensions in declared order."""
        return tuple(name for name, _ in self.pairs)

    def problems(self) -> list[str]:
        """What is wrong with this definition and what to do about it, one text per mistake."""
        if not self.pairs:
            example = '{"day": DailyPartitions(...), "region": StaticPartitions(...)}'
            return [f"there is no dimension: write MultiPartitions({example})"]
        problems: list[str] = []
        bits: list[int] = []
        for name, definition in cast("tuple[tuple[object, object], ...]", self.pairs):
            if not isinstance(name, str) or not name.isidentifier():
                problems.append(f"the dimension {name!r} has no name that can be used: write one such as 'region'")
            if isinstance(definition, MultiPartitions):
                problems.append(f"dimension {name!r} has dimensions itself: name them all in one MultiPartitions")
            elif not callable(getattr(definition, "problems", None)) or isinstance(definition, type):
                problems.append(f"dimension {name!r} is {definition!r}, no partition definition: write one")
            else:
                sound = cast("DimensionDefinition", definition)
                problems += [f"dimension {name!r}: {problem}" for problem in sound.problems()]
                bits.append(WIDTHS[sound.grain])
        if sum(bits) > BITS:
            each = ", ".join(f"{kind} {width}" for kind, width in WIDTHS.items())
            problems.append(f"the dimensions take {sum(bits)} of {BITS} bits ({each}): take fewer of them")
        return problems

    def describe(self) -> str:
        """One line for people."""
        return "; ".join(f"{name}: {definition.describe()}" for name, definition in self.pairs) or "no dimensions"

    def signature(self) -> tuple[Hashable, ...]:
        """A value that is equal for definitions with the same partitions, in every process."""
        if self.problems():
            return ("multi", "invalid", repr(self))
        return ("multi", *((name, definition.signature()) for name, definition in self.pairs))
