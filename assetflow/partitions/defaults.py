"""Which mapping an edge has when none is stated, and whether a stated one fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from assetflow.keys import nearest_names
from assetflow.partitions.bounds import is_whole_number
from assetflow.partitions.cron_partitions import CronPartitions, windows_signature
from assetflow.partitions.definitions import PartitionsDefinition, StaticPartitions, TimePartitions
from assetflow.partitions.keyed import PartitionMapping, StaticMapping
from assetflow.partitions.mappings import (
    AllPartitions,
    EdgeMapping,
    Identity,
    LastN,
    TimeWindow,
    WholeUpstream,
)
from assetflow.partitions.multi_partitions import MultiPartitions


def default_mapping(down: PartitionsDefinition | None, up: PartitionsDefinition | None) -> EdgeMapping | None:
    """The mapping from a downstream's partitions to its upstream's, or None when it has to be stated.

    >>> from assetflow.partitions.definitions import DailyPartitions, MonthlyPartitions
    >>> default_mapping(MonthlyPartitions("2013-01"), DailyPartitions("2013-01-01"))
    TimeWindow(start_offset=0, end_offset=0, allow_nonexistent=True)
    """
    if up is None:
        return WholeUpstream()
    if down is None:
        return AllPartitions()
    if isinstance(down, MultiPartitions) or isinstance(up, MultiPartitions):
        return Identity() if down.signature() == up.signature() else None
    if isinstance(down, StaticPartitions) or isinstance(up, StaticPartitions):
        both = isinstance(down, StaticPartitions) and isinstance(up, StaticPartitions)
        return Identity() if both and set(down.signature()) == set(up.signature()) else None
    same_grain = down.grain == up.grain
    return Identity() if down == up or (same_grain and down.signature() == up.signature()) else TimeWindow()


def mapping_problem(
    mapping: EdgeMapping, down: PartitionsDefinition | None, up: PartitionsDefinition | None
) -> str | None:
    """Why ``mapping`` does not fit between these partitions, and what to do; None when it does."""
    match mapping:
        case Identity():
            return _identity_problem(down, up)
        case TimeWindow():
            return _time_window_problem(mapping, down, up)
        case LastN():
            if not is_whole_number(mapping.n) or mapping.n < 1:
                return f"LastN({mapping.n!r}): n counts partitions; write a whole number from 1 on"
            if up is None or isinstance(up, StaticPartitions | MultiPartitions):
                instead = "leave the mapping out" if up is None else "use AllPartitions()"
                return f"LastN needs an upstream with time partitions, but it has {_named(up)}: {instead}"
            return None
        case StaticMapping():
            return _static_problem(mapping, down, up)
        case PartitionMapping() if up is None:
            return f"{type(mapping).__name__} needs an upstream with partitions: leave the mapping out"
        case PartitionMapping() if down is None:
            return f"{type(mapping).__name__} needs partitions to map, but the asset has none: use AllPartitions()"
        case WholeUpstream() if up is not None:
            return f"the upstream has partitions ({up.describe()}): use AllPartitions()"
        case _:
            return None


def backward_problem(mapping: EdgeMapping | None, definition: PartitionsDefinition | None) -> str | None:
    """Why an asset with these partitions may not read itself through ``mapping``; None when it may.

    It may read what comes before: an earlier window, a key that is declared before. What a mapping of a user's own
    gives is seen when a plan is made. None for ``mapping``: none is stated.

    >>> from assetflow.partitions.definitions import DailyPartitions
    >>> backward_problem(TimeWindow(-1, -1), DailyPartitions("2024-01-01")) is None
    True
    >>> backward_problem(TimeWindow(-1, 0), DailyPartitions("2024-01-01"))
    'TimeWindow(-1, 0) reads the partition itself, and only earlier ones can be read: use TimeWindow(-1, -1)'
    """
    if definition is None:
        return "an asset without partitions cannot read itself: give it partitions, so that each can read earlier ones"
    match mapping:
        case None:
            return f"the asset reads itself, so state which of its earlier partitions it reads: {_earlier(definition)}"
        case TimeWindow(first, last, allow_nonexistent):
            if last >= 0:
                shown, use = f"TimeWindow({first}, {last})", f"TimeWindow({min(first, -1)}, -1)"
                read = "the partition itself" if last == 0 else "partitions that come later"
                return f"{shown} reads {read}, and only earlier ones can be read: use {use}"
            if not allow_nonexistent:
                return "with allow_nonexistent=False the first partition waits for ever, and all others for it"
            return None
        case LastN(n):
            return f"LastN({n}) reads the partition itself, and only earlier ones can be read: use TimeWindow({-n}, -1)"
        case StaticMapping():
            return _unordered_problem(mapping, definition)
        case PartitionMapping():
            return None
        case _:
            name = type(mapping).__name__
            return f"{name} reads more than earlier partitions, and only those can be read: {_earlier(definition)}"


def _earlier(definition: PartitionsDefinition) -> str:
    """Mappings by which partitions can read earlier ones of the same definition."""
    if isinstance(definition, TimePartitions):
        return "use TimeWindow(-1, -1) for the one before"
    if isinstance(definition, StaticPartitions):
        return "use StaticMapping({key: [keys declared after it]}), or a PartitionMapping of your own"
    return "use a PartitionMapping of your own"


def _unordered_problem(mapping: StaticMapping, definition: PartitionsDefinition) -> str | None:
    keys = definition.keys if isinstance(definition, StaticPartitions) else ()
    place = {key: place for place, key in enumerate(keys)}
    for key, readers in mapping.keys.items():
        for reader in readers:
            if place[key] >= place[reader]:
                read = "itself" if key == reader else f"{key!r}, which is declared after it"
                return f"StaticMapping: {reader!r} reads {read}, and only keys declared before it can be read"
    return None


def _identity_problem(down: PartitionsDefinition | None, up: PartitionsDefinition | None) -> str | None:
    if down is None or up is None:
        return None if down is up else f"Identity needs the same partitions on both sides: {_sides(down, up)}"
    if isinstance(down, MultiPartitions) or isinstance(up, MultiPartitions):
        if down.signature() == up.signature():
            return None
        return f"Identity needs the same partitions on both sides: {_sides(down, up)}; use AllPartitions()"
    if isinstance(down, StaticPartitions) and isinstance(up, StaticPartitions):
        known = set(up.keys)
        absent = [key for key in down.keys if key not in known]
        if not absent:
            return None
        shown = ", ".join(map(repr, absent[:3])) + (", ..." if len(absent) > 3 else "")
        return f"Identity needs the asset's keys in its upstream, which lacks {shown}: add them, or use AllPartitions()"
    if isinstance(down, StaticPartitions) or isinstance(up, StaticPartitions):
        return f"Identity needs the same kind of partitions on both sides: {_sides(down, up)}"
    if _same_windows(down, up):
        return None
    if isinstance(down, CronPartitions) and isinstance(up, CronPartitions):
        return f"Identity needs the same ticks on both sides: {_sides(down, up)}; use TimeWindow()"
    return f"Identity needs the same grain and time zone on both sides: {_sides(down, up)}; use TimeWindow()"


def _time_window_problem(
    mapping: TimeWindow, down: PartitionsDefinition | None, up: PartitionsDefinition | None
) -> str | None:
    if not isinstance(down, TimePartitions) or not isinstance(up, TimePartitions):
        return f"TimeWindow needs time partitions on both sides: {_sides(down, up)}"
    for name, value in (("start_offset", mapping.start_offset), ("end_offset", mapping.end_offset)):
        if not is_whole_number(value):
            return f"TimeWindow: {name} is {value!r}; write how many upstream windows, as a whole number"
    if _same_windows(down, up) and mapping.start_offset > mapping.end_offset:
        offsets = f"start_offset {mapping.start_offset}, end_offset {mapping.end_offset}"
        return f"TimeWindow reads nothing with {offsets}: start_offset must not be the larger one"
    return None


def _static_problem(
    mapping: StaticMapping, down: PartitionsDefinition | None, up: PartitionsDefinition | None
) -> str | None:
    if not isinstance(down, StaticPartitions) or not isinstance(up, StaticPartitions):
        return f"StaticMapping needs lists of keys on both sides: {_sides(down, up)}"
    pairs = cast("object", mapping.keys)
    if not isinstance(pairs, Mapping):
        return f"StaticMapping({pairs!r}): write {{upstream key: [downstream keys]}}"
    known_up, known_down = set(up.keys), set(down.keys)
    for key, readers in cast("Mapping[object, object]", pairs).items():
        if key not in known_up:
            return _unknown_key(key, "upstream", up)
        if isinstance(readers, str) or not isinstance(readers, Sequence):
            return f"StaticMapping: {key!r} has {readers!r}; write a list of the asset's keys"
        for reader in cast("Sequence[object]", readers):
            if reader not in known_down:
                return _unknown_key(reader, "asset", down)
    return None


def _unknown_key(key: object, side: str, definition: StaticPartitions) -> str:
    near = nearest_names(str(key), definition.keys) or definition.describe()
    return f"StaticMapping: the {side} has no key {key!r}: {near}"


def _same_windows(down: TimePartitions, up: TimePartitions) -> bool:
    """Whether the windows are the same, whatever the bounds; those of a definition with problems are nobody's."""
    if isinstance(down, CronPartitions) and isinstance(up, CronPartitions):
        return not down.problems() and not up.problems() and windows_signature(down) == windows_signature(up)
    if isinstance(down, CronPartitions) or isinstance(up, CronPartitions):
        return False
    return (down.grain, down.timezone, down.week_start) == (up.grain, up.timezone, up.week_start)


def _sides(down: PartitionsDefinition | None, up: PartitionsDefinition | None) -> str:
    return f"the asset has {_named(down)}, its upstream {_named(up)}"


def _named(definition: PartitionsDefinition | None) -> str:
    return "no partitions" if definition is None else definition.describe()
