from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest

from assetflow.errors import DefinitionError, InvalidPartition, UsageError
from assetflow.partitions import (
    AllPartitions,
    DailyPartitions,
    DynamicPartitions,
    Identity,
    LastN,
    MultiPartitions,
    PartitionMapping,
    StaticMapping,
    StaticPartitions,
    TimeWindow,
)
from assetflow.partitions.defaults import default_mapping, mapping_problem
from assetflow.partitions.definitions import PartitionsDefinition, dynamic_names, static_keys
from assetflow.partitions.dictionary import KeyDictionary
from assetflow.partitions.dynamic_partitions import require_keys, require_set
from assetflow.partitions.dynamic_space import DynamicSpace
from assetflow.partitions.mappings import EdgeMapping
from assetflow.partitions.multi_space import MultiSpace
from assetflow.partitions.sets import Ints, PartitionSet
from assetflow.partitions.spaces import PartitionSpace, bind

CUSTOMERS = DynamicPartitions("customers")
OTHERS = DynamicPartitions("others")
DAYS = DailyPartitions("2024-01-01", end="2024-01-04")
LETTERS = StaticPartitions(["a", "b"])
KEYS = KeyDictionary().extended(["gone", "zoe", "acme", "Acme", "a|b", "bert", "../x"])
NOW = datetime(2024, 2, 1, tzinfo=UTC)


def present(*keys: str) -> dict[str, Ints]:
    return {"customers": np.array([KEYS.ordinal(key) for key in keys], np.int64)}


def customers(*keys: str) -> DynamicSpace:
    space = bind(CUSTOMERS, KEYS, present(*keys))
    assert isinstance(space, DynamicSpace)
    return space


SPACE = customers("acme", "zoe", "a|b", "Acme", "../x")


def test_what_exists_is_what_was_added() -> None:
    assert sorted(SPACE.existing(NOW)) == [2, 3, 4, 5, 7]
    assert SPACE.has(np.array([1, 2, 6, 99, -1])).tolist() == [False, True, False, False, False]
    assert (SPACE.grain, SPACE.time_based) == ("dynamic", False)
    assert (SPACE.window(3), SPACE.windows(np.array([3]))) == (None, None)
    assert SPACE.watermark(SPACE.existing(NOW), NOW) is None
    assert not SPACE.gaps(PartitionSet.from_ordinals([3]), NOW)


def test_keys_follow_the_order_of_addition() -> None:
    ordered = SPACE.ordered(np.array([2, 3, 4, 5, 7]))
    assert SPACE.keys(ordered) == ["acme", "zoe", "a|b", "Acme", "../x"]
    assert SPACE.places(np.array([3, 2, 7])).tolist() == [0, 1, 4]
    assert SPACE.ranges_of_keys(PartitionSet.from_ordinals([3, 2, 5, 4])) == [("acme", "Acme")]
    assert SPACE.describe(PartitionSet.from_ordinals([3, 5, 7])) == ["acme", "a|b", "../x".replace(".", "%2E")]
    with pytest.raises(KeyError):
        SPACE.places(np.array([1]))


def test_ranges_and_keys_are_found() -> None:
    between = SPACE.between("zoe", "Acme")
    assert between is not None
    assert sorted(between) == [2, 4, 5]
    assert SPACE.within("acme") == PartitionSet.from_ordinals([3])
    assert (SPACE.within("gone"), SPACE.within("never"), SPACE.between("acme", "never")) == (None, None, None)
    with pytest.raises(InvalidPartition, match="'acme' was added before 'zoe'") as caught:
        SPACE.between("zoe", "acme")
    assert caught.value.hint == "ranges follow the order in which keys were added"
    assert SPACE.ordinals(["zoe", "gone", "never"]).tolist() == [2, -1, -1]
    assert SPACE.recorded(["zoe", "gone", "never"]).tolist() == [2, 1, -1]


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("acne", "did you mean acme?"),
        ("?", "assetflow partitions list 'customers' shows them, partitions add adds one"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest(key: str, hint: str) -> None:
    with pytest.raises(InvalidPartition) as caught:
        SPACE.ordinal(key)
    assert caught.value.message == f"there is no partition {key!r}: the dynamic partitions 'customers' do not have it"
    assert caught.value.hint == hint


def test_a_removed_key_keeps_its_name() -> None:
    assert SPACE.key(1) == "gone"
    assert SPACE.keys(np.array([1, 3])) == ["gone", "acme"]
    assert SPACE.ordered(np.array([1, 2, 3])).tolist() == [3, 2, 1]
    assert SPACE.describe(PartitionSet.from_ordinals([1, 2, 3])) == ["acme...zoe", "gone"]


def test_a_set_may_be_empty() -> None:
    for space in (customers(), bind(CUSTOMERS, KEYS)):
        assert not space.existing(NOW)
        assert space.has(np.array([1])).tolist() == [False]
        assert space.ordinals(["acme"]).tolist() == [-1]
        assert space.ordered(np.empty(0, np.int64)).tolist() == []
        assert space.ranges_of_keys(PartitionSet.empty()) == []
        with pytest.raises(InvalidPartition, match="do not have it"):
            space.ordinal("acme")


def test_folders_depend_on_the_key_alone() -> None:
    """What differs in case only never shares a folder, whenever it is added."""
    folders = [customers(key).path_component(KEYS.ordinal(key)) for key in ("acme", "Acme", "a|b", "../x")]
    assert folders == [SPACE.path_component(KEYS.ordinal(key)) for key in ("acme", "Acme", "a|b", "../x")]
    assert folders[0] == "acme"
    assert folders[1].startswith("Acme~")
    assert len({folder.lower() for folder in folders}) == 4
    assert not any("/" in folder or "|" in folder for folder in folders)


def test_definitions_of_one_name_are_one() -> None:
    held = CUSTOMERS.holding(["acme"])
    assert held == CUSTOMERS == DynamicPartitions("customers") != OTHERS
    assert (held.keys, CUSTOMERS.keys) == (("acme",), ())
    assert held.signature() == CUSTOMERS.signature() == ("dynamic", "customers")
    assert hash(held) == hash(CUSTOMERS)
    assert dynamic_names(MultiPartitions({"day": DAYS, "customer": CUSTOMERS})) == ["customers"]
    assert (dynamic_names(None), dynamic_names(LETTERS), static_keys(CUSTOMERS)) == ([], [], [])


@pytest.mark.parametrize("name", ["", " x", "a\nb", 5, None, ["a"]])
def test_a_name_that_cannot_be_one_is_a_problem(name: object) -> None:
    definition = DynamicPartitions(name)  # type: ignore[arg-type]
    assert definition.problems() == [f"name {name!r} is no name for a set of keys: write a text such as 'customers'"]
    with pytest.raises(ValueError, match="is no name for a set of keys"):
        bind(definition, KEYS)


def test_a_dimension_may_be_dynamic() -> None:
    cells = MultiPartitions({"day": DAYS, "customer": CUSTOMERS})
    assert cells.problems() == []
    space = bind(cells, KEYS, present("zoe", "a|b"))
    ordinals = space.existing(NOW).array()
    assert space.keys(space.ordered(ordinals))[:3] == ["2024-01-01|zoe", "2024-01-01|a%7Cb", "2024-01-02|zoe"]
    more = bind(cells, KEYS, present("zoe", "a|b", "acme"))
    assert set(ordinals.tolist()) < set(more.existing(NOW).array().tolist())
    assert more.ordinal("2024-01-02|zoe") == space.ordinal("2024-01-02|zoe")
    assert more.describe(more.existing(NOW)) == ["2024-01-01|zoe...2024-01-03|acme"]
    with pytest.raises(InvalidPartition, match=r"dimension 'customer': there is no partition 'acme'"):
        space.ordinal("2024-01-02|acme")
    none = bind(cells, KEYS)
    assert not none.existing(NOW)
    assert none.watermark(PartitionSet.empty(), NOW) is None


def test_a_dimension_whose_ordinals_are_too_large_is_refused() -> None:
    keys = KeyDictionary({"late": 1 << 20})
    with pytest.raises(DefinitionError, match="does not fit: the store has more than 1048575 keys"):
        bind(MultiPartitions({"customer": CUSTOMERS}), keys, {"customers": np.array([1 << 20])})


@pytest.mark.parametrize(
    ("down", "up", "mapping"),
    [
        (CUSTOMERS, DynamicPartitions("customers"), Identity()),
        (CUSTOMERS, OTHERS, None),
        (CUSTOMERS, LETTERS, None),
        (DAYS, CUSTOMERS, None),
        (None, CUSTOMERS, AllPartitions()),
        (MultiPartitions({"c": CUSTOMERS}), MultiPartitions({"c": DynamicPartitions("customers")}), Identity()),
        (MultiPartitions({"c": CUSTOMERS}), MultiPartitions({"c": OTHERS}), None),
    ],
)
def test_default_mappings(
    down: PartitionsDefinition | None, up: PartitionsDefinition | None, mapping: EdgeMapping | None
) -> None:
    assert default_mapping(down, up) == mapping


@pytest.mark.parametrize(
    ("mapping", "down", "up", "problem"),
    [
        (Identity(), CUSTOMERS, CUSTOMERS, None),
        (AllPartitions(), DAYS, CUSTOMERS, None),
        (StaticMapping({"acme": ["a"]}), LETTERS, CUSTOMERS, None),
        (StaticMapping({"a": ["acme", "x"]}), CUSTOMERS, LETTERS, None),
        (
            Identity(),
            CUSTOMERS,
            OTHERS,
            (
                "Identity needs the same partitions on both sides: the asset has the dynamic partitions 'customers', "
                "its upstream the dynamic partitions 'others'; use AllPartitions()"
            ),
        ),
        (
            LastN(1),
            DAYS,
            CUSTOMERS,
            (
                "LastN needs an upstream with time partitions, but it has the dynamic partitions 'customers': "
                "use AllPartitions()"
            ),
        ),
        (
            TimeWindow(),
            DAYS,
            CUSTOMERS,
            (
                "TimeWindow needs time partitions on both sides: the asset has daily from 2024-01-01 until 2024-01-04, "
                "UTC, its upstream the dynamic partitions 'customers'"
            ),
        ),
        (
            StaticMapping({5: ["a"]}),  # type: ignore[dict-item]
            LETTERS,
            CUSTOMERS,
            "StaticMapping: the key 5 is no text: write '5'",
        ),
        (StaticMapping({"a": [""]}), CUSTOMERS, LETTERS, "StaticMapping: a key is empty: give it a name"),
        (
            StaticMapping({"x": ["acme"]}),
            CUSTOMERS,
            LETTERS,
            "StaticMapping: the upstream has no key 'x': 2 keys: a, b",
        ),
    ],
)
def test_mappings_fit_or_say_why_not(
    mapping: EdgeMapping, down: PartitionsDefinition, up: PartitionsDefinition, problem: str | None
) -> None:
    assert mapping_problem(mapping, down, up) == problem


def test_a_table_of_keys_waits_for_those_that_are_not_there() -> None:
    mapping = StaticMapping({"acme": ["a", "b"], "gone": ["b"], "never": ["b", "c"], "zoe": ["a"]})
    down, up = bind(StaticPartitions(["a", "b"]), KEYS.extended(["a", "b"])), SPACE
    existing = up.existing(NOW).array()
    ordinals = down.ordinals(["a", "b"])
    spans = mapping.spans(down, ordinals, up, existing)
    assert [up.keys(existing[spans.positions(row)]) for row in (0, 1)] == [["zoe", "acme"], ["acme"]]
    assert mapping.expected(down, ordinals, up, NOW).tolist() == [True, False]
    awaited = mapping.awaited(PartitionSet.from_ordinals(ordinals), down, up, NOW)
    assert up.describe(awaited) == ["gone"]
    assert mapping.strangers(down, up) == (["gone", "never"], ["c"])


class Seen(PartitionMapping):
    """Reads all the keys that it is shown, and keeps what it was shown."""

    def __init__(self, definitions: list[PartitionsDefinition]) -> None:
        self.definitions = definitions

    def upstream_keys(self, partition_keys: Sequence[str], upstream: PartitionsDefinition) -> list[Sequence[str]]:
        self.definitions.append(upstream)
        held = dict(upstream.pairs)["customer"] if isinstance(upstream, MultiPartitions) else upstream
        assert isinstance(held, DynamicPartitions)
        return [held.keys for _ in partition_keys]


@pytest.mark.parametrize("definition", [CUSTOMERS, MultiPartitions({"customer": CUSTOMERS})])
def test_a_mapping_of_your_own_is_shown_the_present_keys(definition: PartitionsDefinition) -> None:
    mapping, up = Seen([]), bind(definition, KEYS, present("zoe", "acme"))
    down: PartitionSpace = bind(DAYS, KEYS)
    images = mapping.images(down, down.existing(NOW).array()[:1], up)
    assert up.keys(up.ordered(images.ordinals)) == ["zoe", "acme"]
    (shown,) = mapping.definitions
    assert shown.signature() == definition.signature()
    assert isinstance(up, DynamicSpace | MultiSpace)


def test_names_and_keys_of_requests_are_checked() -> None:
    assert require_keys("customers", (key for key in ("b", "a", "b"))) == ["b", "a"]
    for keys, message, hint in (
        ("acme", "customers: keys is 'acme', not a list of keys", "write ['acme']"),
        (5, "customers: keys is 5, not a list of keys", "write a list of texts"),
        (["a", 5], "customers: the key 5 is no text: write '5'", None),
        (["a", ""], "customers: a key is empty: give it a name", None),
        (["\ud800"], "customers: the key '\\ud800' is no valid Unicode text: write it without lone surrogates", None),
    ):
        with pytest.raises(InvalidPartition) as caught:
            require_keys("customers", keys)
        assert (caught.value.message, caught.value.hint) == (message, hint)
    for name, known, hint in (
        ("custmers", ["customers"], "did you mean customers?"),
        ("x", ["customers", "files"], "declared are 'customers', 'files'"),
        ("x", [], "no asset declares any"),
    ):
        with pytest.raises(UsageError, match=f"there are no dynamic partitions '{name}'") as refused:
            require_set(name, known)
        assert refused.value.hint == hint


def test_a_million_keys_are_no_work_key_by_key() -> None:
    count = 1_000_000
    keys = KeyDictionary({f"k{number}": number for number in range(1, count + 1)})
    started = time.process_time()
    space = bind(CUSTOMERS, keys, {"customers": np.arange(1, count + 1)})
    existing = space.existing(NOW)
    assert space.ranges_of_keys(existing) == [("k1", f"k{count}")]
    assert time.process_time() - started < 1
