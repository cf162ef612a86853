"""A partition definition bound to its ordinals: what everything behind the declarations works on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

import numpy as np

from assetflow.errors import DefinitionError, InvalidPartition
from assetflow.partitions.bounds import time_bounds, time_calendar
from assetflow.partitions.calendars import TimeGrain
from assetflow.partitions.cron_partitions import CronPartitions, cron_bounds, cron_calendar
from assetflow.partitions.definitions import DimensionDefinition, PartitionsDefinition, StaticPartitions
from assetflow.partitions.dictionary import KeyDictionary
from assetflow.partitions.dynamic_partitions import DynamicPartitions
from assetflow.partitions.dynamic_space import DynamicSpace
from assetflow.partitions.multi_partitions import WIDTHS, MultiPartitions
from assetflow.partitions.multi_space import MultiSpace
from assetflow.partitions.sets import Flags, Ints, PartitionSet
from assetflow.partitions.static_space import StaticSpace
from assetflow.partitions.time_space import TimeSpace

Grain = TimeGrain | Literal["cron", "static", "dynamic", "multi", "none"]


class PartitionSpace(Protocol):
    """The partitions of one definition, as ordinals.

    ``now`` is an aware datetime; windows are half-open. What only time has (windows, watermark, gaps) is None or empty
    in other spaces.
    """

    @property
    def definition(self) -> PartitionsDefinition | None: ...
    @property
    def grain(self) -> Grain: ...
    @property
    def time_based(self) -> bool: ...

    def existing(self, now: datetime) -> PartitionSet:
        """The partitions that exist by ``now``: of time partitions those whose window has ended."""
        ...

    def has(self, ordinals: Ints) -> Flags:
        """Which of these partitions the definition has; it may have been another one when they were recorded."""
        ...

    def key(self, ordinal: int) -> str | None:
        """The key of one partition; None for the one partition of an unpartitioned asset."""
        ...

    def keys(self, ordinals: Ints) -> list[str | None]:
        """The keys of many partitions."""
        ...

    def ordinal(self, key: str) -> int:
        """The partition with this key, whether or not it exists yet. Raises InvalidPartition."""
        ...

    def ordinals(self, keys: Sequence[str]) -> Ints:
        """The partitions with these keys, -1 where :meth:`ordinal` would raise."""
        ...

    def within(self, key: str) -> PartitionSet | None:
        """The partition with this key, or those inside a coarser time key; None when there is none.

        Raises InvalidPartition for an hour that occurs twice.
        """
        ...

    def between(self, first: str, last: str) -> PartitionSet | None:
        """The inclusive range between two keys, each as :meth:`within` takes it; None when there is none.

        Raises InvalidPartition when ``last`` is before ``first``.
        """
        ...

    def window(self, ordinal: int) -> tuple[datetime, datetime] | None:
        """Begin and end of a time partition, in the definition's time zone."""
        ...

    def windows(self, ordinals: Ints) -> tuple[Ints, Ints] | None:
        """Begins and ends of time partitions, as UTC seconds since 1970."""
        ...

    def watermark(self, done: PartitionSet, now: datetime) -> datetime | None:
        """The end of the unbroken run of ``done`` partitions from the first one on; None when that one is not done."""
        ...

    def gaps(self, done: PartitionSet, now: datetime) -> PartitionSet:
        """The existing time partitions that are not ``done`` although a later one is."""
        ...

    def ordered(self, ordinals: Ints) -> Ints:
        """The ordinals in the order that people expect: by time, or as the keys were declared."""
        ...

    def ranges_of_keys(self, partitions: PartitionSet) -> list[tuple[str, str]]:
        """The runs of neighbours in that order as (first key, last key), both included."""
        ...

    def first_ranges(self, partitions: PartitionSet, limit: int | None) -> tuple[list[tuple[str, str]], int]:
        """The first ``limit`` of those runs (None: all), and how many more there are."""
        ...

    def describe(self, partitions: PartitionSet, limit: int | None = None) -> list[str]:
        """Those runs as text, ``A...B`` or ``A``, escaped as in addresses; beyond ``limit`` only their number."""
        ...

    def path_component(self, ordinal: int) -> str:
        """The folder name of the partition; empty for the one partition of an unpartitioned asset."""
        ...


def ordinal_of(space: PartitionSpace, asset: str, key: str) -> int:
    """The partition of an asset with this key. Raises InvalidPartition, which names the asset."""
    try:
        return space.ordinal(key)
    except InvalidPartition as error:
        raise InvalidPartition(f"{asset}: {error.message}", hint=error.hint) from None


_NO_KEYS: Mapping[str, Ints] = {}


def bind(
    definition: PartitionsDefinition | None, keys: KeyDictionary, dynamic: Mapping[str, Ints] = _NO_KEYS
) -> PartitionSpace:
    """The space of a definition without problems; static keys must be in ``keys``. None: unpartitioned.

    ``dynamic`` has the ordinals of dynamic partitions by name, in the order of addition, whose keys must be in ``keys``
    too; a name that it lacks has none.

    Raises ValueError for a definition that has problems, KeyError for a key without an ordinal, and DefinitionError for
    a dimension's key whose ordinal is too large.

    >>> from assetflow.partitions.definitions import DailyPartitions
    >>> days = bind(DailyPartitions("2013-01-01", end="2014-01-01"), KeyDictionary())
    >>> days.describe(days.between("2013-01", "2013-02-02"))
    ['2013-01-01...2013-02-02']
    """
    if definition is None:
        return Unpartitioned()
    if isinstance(definition, MultiPartitions):
        if problems := definition.problems():
            raise ValueError(problems[0])
        return MultiSpace(definition, tuple(_fitting(_bound(each, keys, dynamic)) for _, each in definition.pairs))
    return _bound(definition, keys, dynamic)


def _fitting(space: TimeSpace | StaticSpace | DynamicSpace) -> TimeSpace | StaticSpace | DynamicSpace:
    if isinstance(space, TimeSpace):
        return space
    ordinals, most = space.declared if isinstance(space, StaticSpace) else space.present, 1 << WIDTHS[space.grain]
    if ordinals.size and int(ordinals.max()) >= most:
        raise DefinitionError(
            f"a dimension of {space.definition.describe()} does not fit: the store has more than {most - 1} keys",
            hint="keep assets with very many keys in a project of their own",
        )
    return space


def _bound(
    definition: DimensionDefinition, keys: KeyDictionary, dynamic: Mapping[str, Ints]
) -> TimeSpace | StaticSpace | DynamicSpace:
    if isinstance(definition, DynamicPartitions):
        if problems := definition.problems():
            raise ValueError(problems[0])
        return DynamicSpace(definition, dynamic.get(definition.name, np.empty(0, np.int64)), keys)
    if isinstance(definition, StaticPartitions):
        if problems := definition.problems():
            raise ValueError(problems[0])
        declared = keys.find(definition.keys)
        if not declared.all():
            raise KeyError(definition.keys[int(declared.argmin())])
        return StaticSpace(definition, declared)
    if isinstance(definition, CronPartitions):
        bounds = cron_bounds(definition)
        return TimeSpace(definition, cron_calendar(definition), bounds)
    return TimeSpace(definition, time_calendar(definition), time_bounds(definition))


@dataclass(frozen=True, slots=True)
class Unpartitioned:
    """The space of an asset without partitions: the single ordinal 0, whose key is None."""

    @property
    def definition(self) -> None:
        return None

    @property
    def grain(self) -> Literal["none"]:
        return "none"

    @property
    def time_based(self) -> bool:
        return False

    def existing(self, now: datetime) -> PartitionSet:
        return PartitionSet.from_range(0, 1)

    def has(self, ordinals: Ints) -> Flags:
        return ordinals == 0

    def key(self, ordinal: int) -> str | None:
        return None

    def keys(self, ordinals: Ints) -> list[str | None]:
        return [None] * ordinals.size

    def ordinal(self, key: str) -> int:
        raise InvalidPartition(f"there is no partition {key!r}: the asset is not partitioned", hint="name it without @")

    def ordinals(self, keys: Sequence[str]) -> Ints:
        return np.full(len(keys), -1, np.int64)

    def within(self, key: str) -> PartitionSet | None:
        return None

    def between(self, first: str, last: str) -> PartitionSet | None:
        return None

    def window(self, ordinal: int) -> tuple[datetime, datetime] | None:
        return None

    def windows(self, ordinals: Ints) -> tuple[Ints, Ints] | None:
        return None

    def watermark(self, done: PartitionSet, now: datetime) -> datetime | None:
        return None

    def gaps(self, done: PartitionSet, now: datetime) -> PartitionSet:
        return PartitionSet.empty()

    def ordered(self, ordinals: Ints) -> Ints:
        return ordinals

    def ranges_of_keys(self, partitions: PartitionSet) -> list[tuple[str, str]]:
        return []

    def first_ranges(self, partitions: PartitionSet, limit: int | None) -> tuple[list[tuple[str, str]], int]:
        return [], 0

    def describe(self, partitions: PartitionSet, limit: int | None = None) -> list[str]:
        return []

    def path_component(self, ordinal: int) -> str:
        return ""
