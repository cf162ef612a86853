"""Which mapping an edge has when none is stated, and whether a stated one fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from assetflow.keys import nearest_names
from assetflow.partitions.bounds import is_whole_number, windows_of
from assetflow.partitions.cron_partitions import CronPartitions, windows_signature
from assetflow.partitions.definitions import (
    DimensionDefinition,
    PartitionsDefinition,
    StaticPartitions,
    TimePartitions,
)
from assetflow.partitions.dictionary import key_problem
from assetflow.partitions.dimension_mapping import DimensionMapping, DimensionName
from assetflow.partitions.dynamic_partitions import DynamicPartitions
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

KeyLists = StaticPartitions | DynamicPartitions


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
    if isinstance(down, DynamicPartitions) or isinstance(up, DynamicPartitions):
        return Identity() if down == up else None
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
            if up is None or isinstance(up, StaticPartitions | DynamicPartitions | MultiPartitions):
                instead = "leave the mapping out" if up is None else "use AllPartitions()"
                return f"LastN needs an upstream with time partitions, but it has {_named(up)}: {instead}"
            return None
        case StaticMapping():
            return _static_problem(mapping, down, up)
        case DimensionMapping():
            return _dimension_problem(mapping, down, up)
        case PartitionMapping() if up is None:
            return f"{type(mapping).__name__} needs an upstream with partitions: leave the mapping out"
        case PartitionMapping() if down is None:
            return f"{type(mapping).__name__} needs partitions to map, but the asset has none: use AllPartitions()"
        case WholeUpstream() if up is not None:
            return f"the upstream has partitions ({up.describe()}): use AllPartitions()"
        case _:
            return None


def settled_mapping(
    mapping: EdgeMapping, down: PartitionsDefinition | None, up: PartitionsDefinition | None
) -> EdgeMapping:
    """A mapping that fits, with the mappings between dimensions that it leaves open."""
    if not isinstance(mapping, DimensionMapping):
        return mapping
    ours, theirs = _dimensions(down), _dimensions(up)
    return DimensionMapping(
        {a: (b, each or _between(ours[a], theirs[b]) or Identity()) for a, b, each in mapping.pairs}
    )


def joinable_dimensions(
    down: PartitionsDefinition | None, up: PartitionsDefinition | None
) -> dict[DimensionName, DimensionName]:
    """What a DimensionMapping may join without more being said: dimensions of the same name, or with the only one.

    >>> from assetflow.partitions.definitions import DailyPartitions
    >>> days = DailyPartitions("2024-01-01")
    >>> joinable_dimensions(days, MultiPartitions({"day": days, "region": StaticPartitions(["north"])}))
    {None: 'day'}
    """
    if not isinstance(down, MultiPartitions) and not isinstance(up, MultiPartitions):
        return {}
    joined: dict[DimensionName, DimensionName] = {}
    theirs = _dimensions(up)
    for name, definition in _dimensions(down).items():
        fitting = [other for other in theirs if None in (name, other) or name == other]
        fitting = [each for each in fitting if each not in joined.values() and _between(definition, theirs[each])]
        if fitting:
            joined[name] = fitting[0]
    return joined


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
        case DimensionMapping() if _reads_earlier(mapping, definition):
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


def _reads_earlier(mapping: DimensionMapping, definition: PartitionsDefinition) -> bool:
    """Whether every dimension is read at the same key or at earlier ones, and one of them at earlier ones only."""
    ours = _dimensions(definition)
    if {a for a, _, _ in mapping.pairs} != set(ours) or any(a != b for a, b, _ in mapping.pairs):
        return False
    moved = [(a, each) for a, _, each in mapping.pairs if not isinstance(each, Identity | None)]
    return bool(moved) and all(backward_problem(each, ours[a]) is None for a, each in moved)


def _unordered_problem(mapping: StaticMapping, definition: PartitionsDefinition) -> str | None:
    if not isinstance(definition, StaticPartitions):
        return f"the order of the keys is not known here: {_earlier(definition)}"
    place = {key: place for place, key in enumerate(definition.keys)}
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
    if isinstance(down, DynamicPartitions) or isinstance(up, DynamicPartitions):
        if down == up:
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
    if not isinstance(down, KeyLists) or not isinstance(up, KeyLists):
        return f"StaticMapping needs lists of keys on both sides: {_sides(down, up)}"
    pairs = cast("object", mapping.keys)
    if not isinstance(pairs, Mapping):
        return f"StaticMapping({pairs!r}): write {{upstream key: [downstream keys]}}"
    known_up, known_down = _known_keys(up), _known_keys(down)
    for key, readers in cast("Mapping[object, object]", pairs).items():
        if problem := _strange_key(key, "upstream", up, known_up):
            return problem
        if isinstance(readers, str) or not isinstance(readers, Sequence):
            return f"StaticMapping: {key!r} has {readers!r}; write a list of the asset's keys"
        for reader in cast("Sequence[object]", readers):
            if problem := _strange_key(reader, "asset", down, known_down):
                return problem
    return None


def _dimension_problem(
    mapping: DimensionMapping, down: PartitionsDefinition | None, up: PartitionsDefinition | None
) -> str | None:
    if up is None:
        return "DimensionMapping needs an upstream with partitions: leave the mapping out"
    if down is None:
        return "DimensionMapping needs partitions to map, but the asset has none: use AllPartitions()"
    if not isinstance(cast("object", mapping.dimensions), Mapping):
        return f"DimensionMapping({mapping.dimensions!r}): write {{dimension of the asset: dimension of its upstream}}"
    if not isinstance(down, MultiPartitions) and not isinstance(up, MultiPartitions):
        return f"DimensionMapping needs dimensions on one side at least: {_sides(down, up)}"
    if not mapping.pairs:
        return "DimensionMapping joins no dimensions: use AllPartitions()"
    ours, theirs = _dimensions(down), _dimensions(up)
    taken: set[object] = set()
    for name, other, each in mapping.pairs:
        if name not in ours:
            return _unknown_dimension(name, "asset", ours)
        if not isinstance(cast("object", other), str | None) or other not in theirs:
            return _unknown_dimension(other, "upstream", theirs)
        if other in taken:
            return f"DimensionMapping joins {_of_dimension(other)} of the upstream twice: join it once"
        taken.add(other)
        problem = _pair_problem(each, ours[name], theirs[other])
        if problem:
            return f"DimensionMapping, {_of_dimension(name)} and {_of_dimension(other)} of the upstream: {problem}"
    return None


def _pair_problem(mapping: object, down: DimensionDefinition, up: DimensionDefinition) -> str | None:
    if mapping is None:
        if _between(down, up):
            return None
        return f"no mapping follows: {_sides(down, up)}; state one, as in {{'here': ('there', StaticMapping(...))}}"
    if not isinstance(mapping, EdgeMapping) or isinstance(mapping, DimensionMapping):
        return f"{mapping!r} is no mapping between two dimensions: write one such as TimeWindow()"
    return mapping_problem(mapping, down, up)


def _unknown_dimension(name: object, side: str, known: Mapping[DimensionName, DimensionDefinition]) -> str:
    if None in known:
        return f"DimensionMapping: the {side} has no dimensions, and so none called {name!r}: write None"
    names = [str(each) for each in known]
    near = nearest_names(str(name), names) or f"it has {', '.join(names)}"
    return f"DimensionMapping: the {side} has no dimension {name!r}: {near}"


def _of_dimension(name: object) -> str:
    return "the partitions" if name is None else f"dimension {name!r}"


def _dimensions(definition: PartitionsDefinition | None) -> dict[DimensionName, DimensionDefinition]:
    """The dimensions by name; without any, the definition itself by None."""
    if isinstance(definition, MultiPartitions):
        return dict(definition.pairs)
    return {} if definition is None else {None: definition}


def _between(down: DimensionDefinition, up: DimensionDefinition) -> EdgeMapping | None:
    """The default mapping between two dimensions. Same calendar, other bounds: from key to key, as between assets."""
    mapping = default_mapping(down, up)
    return Identity() if mapping == TimeWindow() and _identity_problem(down, up) is None else mapping


def _known_keys(definition: StaticPartitions | DynamicPartitions) -> frozenset[str]:
    return frozenset(definition.keys)


def _strange_key(
    key: object, side: str, definition: StaticPartitions | DynamicPartitions, known: frozenset[str]
) -> str | None:
    """Why a key cannot be one of the definition's; dynamic partitions may have any key one day."""
    if isinstance(definition, DynamicPartitions):
        problem = key_problem(key)
        return problem and f"StaticMapping: {problem}"
    if key in known:
        return None
    near = nearest_names(str(key), definition.keys) or definition.describe()
    return f"StaticMapping: the {side} has no key {key!r}: {near}"


def _same_windows(down: TimePartitions, up: TimePartitions) -> bool:
    """Whether the windows are the same, whatever the bounds; those of a definition with problems are nobody's."""
    if isinstance(down, CronPartitions) and isinstance(up, CronPartitions):
        return not down.problems() and not up.problems() and windows_signature(down) == windows_signature(up)
    if isinstance(down, CronPartitions) or isinstance(up, CronPartitions):
        return False
    return windows_of(down) == windows_of(up)


def _sides(down: PartitionsDefinition | None, up: PartitionsDefinition | None) -> str:
    return f"the asset has {_named(down)}, its upstream {_named(up)}"


def _named(definition: PartitionsDefinition | None) -> str:
    return "no partitions" if definition is None else definition.describe()
