"""Mappings between several dimensions against a model that goes through combinations of keys one by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from assetflow.partitions import (
    AllPartitions,
    DailyPartitions,
    DimensionMapping,
    Identity,
    LastN,
    MonthlyPartitions,
    MultiPartitions,
    StaticMapping,
    StaticPartitions,
    TimeWindow,
    WeeklyPartitions,
)
from assetflow.partitions.defaults import mapping_problem, settled_mapping
from assetflow.partitions.definitions import DimensionDefinition, PartitionsDefinition, TimePartitions
from assetflow.partitions.dictionary import KeyDictionary
from assetflow.partitions.dimension_mapping import DimensionName
from assetflow.partitions.mappings import EdgeMapping
from assetflow.partitions.products import AxisRead, distinct, product_spans
from assetflow.partitions.sets import PartitionSet
from assetflow.partitions.spaces import PartitionSpace, bind
from assetflow.partitions.spans import Spans
from tests.property.oracle import Listed

KEYS = KeyDictionary().extended("dbcae")
LONG_AFTER = datetime(2100, 1, 1, tzinfo=UTC)
FIRST = datetime(2023, 12, 20, tzinfo=UTC)

letters = st.lists(st.sampled_from("abcde"), min_size=1, max_size=4, unique=True)


@st.composite
def times(draw: st.DrawFn) -> TimePartitions:
    day = (FIRST + timedelta(days=draw(st.integers(0, 12)))).date()
    match draw(st.sampled_from("dwm")):
        case "d":
            return DailyPartitions(day, day + timedelta(days=draw(st.integers(1, 6))))
        case "w":
            return WeeklyPartitions(day, day + timedelta(days=draw(st.integers(14, 30))))
        case _:
            return MonthlyPartitions("2023-12", draw(st.sampled_from(["2024-01", "2024-03"])))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[DimensionDefinition, DimensionDefinition, EdgeMapping | None]:
    """Two dimensions and a mapping that fits between them; None: the default."""
    if draw(st.booleans()):
        stated: st.SearchStrategy[EdgeMapping | None] = st.one_of(
            st.none(),
            st.builds(TimeWindow, st.integers(-2, 1), st.integers(-1, 2), st.booleans()),
            st.builds(LastN, st.integers(1, 3)),
            st.just(AllPartitions()),
        )
        down, up, mapping = draw(times()), draw(times()), draw(stated)
        return down, up, None if mapping_problem(mapping or AllPartitions(), down, up) else mapping
    here, there = draw(letters), draw(letters)
    down, up = StaticPartitions(here), StaticPartitions(there)
    some_here, some_there = (st.lists(st.sampled_from(each), max_size=4, unique=True) for each in (here, there))
    match draw(st.sampled_from("islp")):
        case "i":
            return down, StaticPartitions([*dict.fromkeys([*there, *here])]), Identity()
        case "s":
            return down, up, StaticMapping(draw(st.dictionaries(st.sampled_from(there), some_here)))
        case "l":
            table = draw(st.dictionaries(st.sampled_from(here), some_there))
            return down, up, Listed(table, frozenset(draw(some_here)[:1]))
        case _:
            return down, StaticPartitions(draw(st.permutations(here))), None


@st.composite
def edges(draw: st.DrawFn) -> tuple[DimensionMapping, PartitionsDefinition, PartitionsDefinition]:
    joined = draw(st.lists(pairs(), min_size=1, max_size=2))
    ours: dict[Any, DimensionDefinition] = {f"a{n}": down for n, (down, _, _) in enumerate(joined)}
    theirs: dict[Any, DimensionDefinition] = {f"b{n}": up for n, (_, up, _) in enumerate(joined)}
    for name, side in (("x", ours), ("y", theirs)):
        if draw(st.booleans()):
            months = st.just(MonthlyPartitions("2023-12", "2024-02"))
            another = draw(st.one_of(months, st.builds(StaticPartitions, letters)))
            # Two dimensions of days leave no bits for many another.
            if not MultiPartitions({**side, name: another}).problems():
                side[name] = another
    said = {f"a{n}": f"b{n}" if each is None else (f"b{n}", each) for n, (_, _, each) in enumerate(joined)}
    down, up = (MultiPartitions(dict(draw(st.permutations(list(side.items()))))) for side in (ours, theirs))
    given_pairs: dict[Any, Any] = dict(draw(st.permutations(list(said.items()))))
    if len(theirs) == 1 and draw(st.booleans()):
        each = joined[0][2]
        return DimensionMapping({"a0": None if each is None else (None, each)}), down, theirs["b0"]
    if len(ours) == 1 and draw(st.booleans()):
        return DimensionMapping({None: given_pairs["a0"]}), ours["a0"], up
    return DimensionMapping(given_pairs), down, up


def dimensions(space: PartitionSpace, ordinal: int) -> dict[DimensionName, str]:
    """The keys of one partition, by dimension."""
    key = str(space.key(ordinal))
    if not isinstance(space.definition, MultiPartitions):
        return {None: key}
    return dict(zip(space.definition.names, key.split("|"), strict=True))


def single(definition: PartitionsDefinition, name: DimensionName) -> PartitionSpace:
    return bind(dict(definition.pairs)[str(name)] if isinstance(definition, MultiPartitions) else definition, KEYS)


def joined_keys(space: PartitionSpace, sides: dict[DimensionName, set[str]]) -> PartitionSet:
    """The partitions with these keys in each dimension."""
    names = space.definition.names if isinstance(space.definition, MultiPartitions) else (None,)
    texts = ["|".join(keys) for keys in product(*(sorted(sides[name]) for name in names))]
    ordinals = space.ordinals(texts)
    assert (ordinals >= 0).all(), "it reads keys outside the definition"
    return PartitionSet.from_ordinals(ordinals)


def keys_of(space: PartitionSpace, partitions: PartitionSet) -> set[str]:
    return {str(key) for key in space.keys(partitions.array())}


@given(edges(), st.integers(0, 60), st.data())
@settings(max_examples=150)
def test_a_combination_reads_what_each_dimension_reads(
    edge: tuple[DimensionMapping, PartitionsDefinition, PartitionsDefinition], days: int, data: st.DataObject
) -> None:
    stated, down_definition, up_definition = edge
    assert mapping_problem(stated, down_definition, up_definition) is None
    mapping = settled_mapping(stated, down_definition, up_definition)
    assert isinstance(mapping, DimensionMapping)
    down, up = bind(down_definition, KEYS), bind(up_definition, KEYS)
    now = FIRST + timedelta(days=days)
    rows, existing_up = down.existing(LONG_AFTER).array(), up.existing(now)
    expected = mapping.expected(down, rows, up, now)
    spans = mapping.spans(down, rows, up, existing_up.array())

    read: dict[int, PartitionSet] = {}
    for row, ordinal in enumerate(rows.tolist()):
        own = dimensions(down, ordinal)
        names = up_definition.names if isinstance(up_definition, MultiPartitions) else (None,)
        sides: dict[DimensionName, set[str]] = {}
        to_come: dict[DimensionName, set[str]] = {}
        refused = False
        ready = True
        asking = True
        for name in names:
            space = single(up_definition, name)
            sides[name] = keys_of(space, space.existing(now))
            to_come[name] = set()
        for here, there, each in mapping.pairs:
            assert each is not None
            ours, theirs = single(down_definition, here), single(up_definition, there)
            one = PartitionSet.from_ordinals([ours.ordinal(own[here])])
            sides[there] = keys_of(theirs, each.upstream(one, ours, theirs, theirs.existing(now)))
            to_come[there] = keys_of(theirs, each.awaited(one, ours, theirs, now))
            refused |= isinstance(each, Listed) and own[here] in each.refused
            ready &= bool(each.expected(ours, one.array(), theirs, now)[0])
            asking &= bool(each.asking(ours, one.array(), theirs)[0])
        one = PartitionSet.from_ordinals([ordinal])
        wanted = joined_keys(up, sides)
        read[ordinal] = wanted
        assert mapping.upstream(one, down, up, existing_up) == wanted
        assert existing_up.array()[spans.positions(row)].tolist() == wanted.array().tolist()
        assert (row in spans.problems) == refused
        assert expected[row] == (ready or not asking)
        everything = joined_keys(up, {name: sides[name] | to_come[name] for name in names})
        assert mapping.awaited(one, down, up, now) == everything - existing_up

    existing_down = down.existing(LONG_AFTER)
    some = data.draw(st.sets(st.sampled_from(rows.tolist()), max_size=5))
    image = mapping.upstream(PartitionSet.from_ordinals(some), down, up, existing_up)
    assert image == PartitionSet.from_ordinals([each for ordinal in some for each in read[ordinal]])
    back = mapping.downstream(image, down, up, existing_down, existing_up)
    assert back == PartitionSet.from_ordinals([o for o, wanted in read.items() if not wanted.isdisjoint(image)])
    assert {ordinal for ordinal in some if read[ordinal]} <= set(back)

    # Where not all combinations are given, what is given is read.
    fewer = PartitionSet.from_ordinals(data.draw(st.sets(st.sampled_from([0, *existing_up])))) & existing_up
    spans = mapping.spans(down, rows, up, fewer.array())
    if fewer:
        for row, ordinal in enumerate(rows.tolist()):
            kept = set(fewer.array()[spans.positions(row)].tolist())
            assert kept <= set(read[ordinal] & fewer)
            windows = [isinstance(each, LastN) for _, _, each in mapping.pairs]
            assert any(windows) or kept == set(read[ordinal] & fewer)


@st.composite
def axis_reads(draw: st.DrawFn, size: int, rows: int) -> AxisRead:
    count = draw(st.integers(1, 4))
    gather = np.array(draw(st.lists(st.integers(0, size - 1), max_size=5, unique=True)), np.int64)
    gathers = draw(st.booleans())
    bound = len(gather) if gathers else size
    runs = [sorted(draw(st.lists(st.integers(0, bound), min_size=2, max_size=2))) for _ in range(count)]
    lo, hi = np.array(runs, np.int64).T
    choice = np.array(draw(st.lists(st.integers(0, count - 1), min_size=rows, max_size=rows)), np.int64)
    return AxisRead(choice, Spans(lo, hi, gather=gather if gathers else None))


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.integers(1, 5), st.data())
@settings(max_examples=300)
def test_boxes_hold_every_combination_of_what_is_read(sizes: list[int], rows: int, data: st.DataObject) -> None:
    axes = data.draw(st.sets(st.sampled_from(range(len(sizes)))))
    reads = {axis: data.draw(axis_reads(sizes[axis], rows)) for axis in axes}
    spans = product_spans(sizes, reads, rows)
    combinations = list(product(*map(range, sizes)))
    for row in range(rows):
        sides = [set(range(size)) for size in sizes]
        for axis, read in reads.items():
            positions = np.arange(sizes[axis])[read.spans.positions(int(read.choice[row]))]
            sides[axis] = set(positions.tolist())
        found = np.arange(len(combinations))[spans.positions(row)].tolist()
        assert [combinations[place] for place in found] == sorted(product(*sides))


@given(st.lists(st.integers(0, 10**12)), st.lists(st.integers(5, 60)))
def test_distinct_values_and_their_places(wide: list[int], narrow: list[int]) -> None:
    for values in (np.array(wide, np.int64), np.array(narrow, np.int64)):
        found, places = distinct(values)
        assert found.tolist() == sorted(set(values.tolist()))
        assert found[places].tolist() == values.tolist()
