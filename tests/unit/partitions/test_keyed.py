from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from assetflow.partitions import DailyPartitions, MonthlyPartitions, PartitionMapping, StaticMapping, StaticPartitions
from assetflow.partitions.definitions import PartitionsDefinition
from assetflow.partitions.dictionary import KeyDictionary
from assetflow.partitions.keyed import KeyedMapping
from assetflow.partitions.sets import PartitionSet
from assetflow.partitions.spaces import bind
from assetflow.partitions.spans import Spans

CITIES = StaticPartitions(["berlin", "paris", "rome", "oslo"])
REGIONS = StaticPartitions(["europe", "south", "nowhere"])
DAYS = DailyPartitions("2024-01-01")
MONTHS = MonthlyPartitions("2024-01")
KEYS = KeyDictionary().extended(["rome", "europe", "berlin", "nowhere", "paris", "south", "oslo"])
NOW = datetime(2024, 2, 10, tzinfo=UTC)


class Edge:
    """An edge between two definitions at one time; partitions are named by their keys."""

    def __init__(self, mapping: KeyedMapping, down: PartitionsDefinition, up: PartitionsDefinition) -> None:
        self.mapping, self.down, self.up = mapping, bind(down, KEYS), bind(up, KEYS)
        self.existing_down, self.existing_up = self.down.existing(NOW), self.up.existing(NOW)

    def spans(self, *keys: str) -> Spans:
        return self.mapping.spans(self.down, self.down.ordinals(keys), self.up, self.existing_up.array())

    def reads(self, *keys: str) -> list[list[str | None]]:
        spans, existing = self.spans(*keys), self.existing_up.array()
        return [sorted(self.up.keys(existing[spans.positions(row)]), key=str) for row in range(len(keys))]

    def readers(self, *keys: str) -> list[str | None]:
        read = PartitionSet.from_ordinals(self.up.ordinals(keys))
        found = self.mapping.downstream(read, self.down, self.up, self.existing_down, self.existing_up)
        return self.down.keys(self.down.ordered(found.array()))

    def expects(self, *keys: str) -> list[bool]:
        return self.mapping.expected(self.down, self.down.ordinals(keys), self.up, NOW).tolist()

    def awaits(self, *keys: str) -> list[str]:
        asked = PartitionSet.from_ordinals(self.down.ordinals(keys))
        return self.up.describe(self.mapping.awaited(asked, self.down, self.up, NOW))

    def problems(self, *keys: str) -> list[str]:
        return sorted(set(self.spans(*keys).problems.values()))


class Mine(PartitionMapping):
    """Gives what a function gives for all keys."""

    def __init__(self, given: Callable[[Sequence[str]], Any]) -> None:
        self.given = given

    def upstream_keys(self, partition_keys: Sequence[str], upstream: PartitionsDefinition) -> Any:
        return self.given(partition_keys)


def each(given: Callable[[str], Any]) -> Mine:
    return Mine(lambda keys: [given(key) for key in keys])


STATIC = StaticMapping({"oslo": ["europe"], "rome": ["south", "europe", "south"], "paris": []})


def test_a_static_mapping_reads_every_key_that_leads_to_a_partition_once() -> None:
    edge = Edge(STATIC, REGIONS, CITIES)
    assert edge.reads("europe", "south", "nowhere") == [["oslo", "rome"], ["rome"], []]
    assert edge.reads("south") == [["rome"]]
    assert edge.reads() == []
    spans = edge.spans("europe")
    assert spans.gather is not None
    assert np.all(np.diff(spans.gather) > 0)


def test_a_static_mapping_in_the_other_direction() -> None:
    edge = Edge(STATIC, REGIONS, CITIES)
    assert edge.readers("rome") == ["europe", "south"]
    assert edge.readers("oslo", "berlin") == ["europe"]
    assert edge.readers("berlin", "paris") == []
    whole = edge.mapping.upstream(edge.existing_down, edge.down, edge.up, edge.existing_up)
    assert sorted(edge.up.describe(whole)) == ["rome...oslo"]


def test_a_static_mapping_waits_for_nothing_that_cannot_exist() -> None:
    edge = Edge(STATIC, REGIONS, CITIES)
    assert edge.expects("europe", "nowhere") == [True, True]
    assert edge.awaits("europe") == []
    ordinals = edge.existing_down.array()
    assert not edge.mapping.nonexistent(edge.down, ordinals, edge.up).any()


@pytest.mark.bench
def test_a_static_mapping_of_many_keys_is_quick() -> None:
    size = 100_000
    ups, downs = [f"u{n}" for n in range(size)], [f"d{n}" for n in range(size)]
    keys = KeyDictionary().extended([*ups, *downs])
    up, down = bind(StaticPartitions(ups), keys), bind(StaticPartitions(downs), keys)
    mapping = StaticMapping({key: [downs[n], downs[n * 7 % size]] for n, key in enumerate(ups)})
    existing_up, existing_down = up.existing(NOW), down.existing(NOW)
    started = time.perf_counter()
    spans = mapping.spans(down, existing_down.array(), up, existing_up.array())
    assert time.perf_counter() - started < 1
    assert int((spans.hi - spans.lo).sum()) == sum(len({n, n * 7 % size}) for n in range(size))


def test_a_mapping_of_ones_own_is_asked_for_all_partitions_at_once() -> None:
    calls: list[Sequence[str]] = []

    def first_days(keys: Sequence[str]) -> list[list[str]]:
        calls.append(keys)
        return [[f"{key}-03", f"{key}-01"] for key in keys]

    edge = Edge(Mine(first_days), MONTHS, DAYS)
    assert edge.reads("2024-01") == [["2024-01-01", "2024-01-03"]]
    assert calls == [("2024-01",)]
    assert edge.readers("2024-01-03") == ["2024-01"]
    assert edge.readers("2024-01-02") == []


def test_a_mapping_of_ones_own_is_given_the_upstreams_definition() -> None:
    class Starting(PartitionMapping):
        def upstream_keys(self, partition_keys: Sequence[str], upstream: PartitionsDefinition) -> list[list[str]]:
            assert isinstance(upstream, StaticPartitions)
            return [[key for key in upstream.keys if key[0] == reader[0]] for reader in partition_keys]

    assert Edge(Starting(), StaticPartitions(["paris", "south"]), CITIES).reads("paris", "south") == [["paris"], []]


def test_what_does_not_exist_yet_is_waited_for() -> None:
    edge = Edge(each(lambda key: ["2024-02-09", "2024-02-10"] if key == "europe" else ["2024-01-01"]), REGIONS, DAYS)
    assert edge.reads("europe", "south") == [["2024-02-09"], ["2024-01-01"]]
    assert edge.expects("europe", "south") == [False, True]
    assert edge.awaits("europe", "south") == ["2024-02-10"]


def test_only_partitions_that_make_a_mapping_raise_have_the_problem() -> None:
    def country(key: str) -> list[str]:
        return {"europe": ["oslo", "rome"], "south": ["rome"]}[key]  # raises for nowhere

    edge = Edge(each(country), REGIONS, CITIES)
    assert edge.reads("europe", "nowhere", "south") == [["oslo", "rome"], [], ["rome"]]
    spans = edge.spans("europe", "nowhere", "south")
    assert list(spans.problems) == [1]
    assert spans.broken is not None
    assert spans.broken.tolist() == [False, True, False]
    line = country.__code__.co_firstlineno + 1
    assert edge.problems("nowhere") == [f"Mine.upstream_keys raised KeyError: 'nowhere' ({__file__}:{line})"]


def test_a_mapping_that_raises_for_everything_is_not_asked_for_each_of_many_partitions() -> None:
    calls: list[int] = []

    def broken(keys: Sequence[str]) -> list[list[str]]:
        calls.append(len(keys))
        raise RuntimeError

    down = DailyPartitions("1900-01-01", end="2024-01-01")
    edge = Edge(Mine(broken), down, DAYS)
    ordinals = edge.existing_down.array()
    spans = edge.mapping.spans(edge.down, ordinals, edge.up, edge.existing_up.array())
    assert len(spans.problems) == len(ordinals) > 40_000
    assert len(calls) < 200
    assert {text.partition(" (")[0] for text in spans.problems.values()} == {"Mine.upstream_keys raised RuntimeError"}


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (lambda keys: None, "gave None, where a list with one list of keys for each partition is due"),
        (lambda keys: "rome", "gave 'rome', where a list with one list of keys for each partition is due"),
        (lambda keys: {"europe": ["rome"]}, "gave {'europe': ['rome']}, where a list with one list of keys"),
        (lambda keys: [["rome"]] * 3, "gave 3 lists of keys for 1 partitions"),
        (lambda keys: [7], "gave 7, which is no list of keys"),
        (lambda keys: ["rme"], "gave a key that the upstream does not have: there is no partition 'rme': 4 keys: "),
        (lambda keys: [[1]], "gave [1], which is no list of keys"),
        (lambda keys: [["rme"]], "gave a key that the upstream does not have: there is no partition 'rme': 4 keys: "),
        (lambda keys: [["x" * 200, 1]], "gave ['xxx"),
    ],
)
def test_what_cannot_be_used_is_told_with_the_line_of_the_method(given: Any, problem: str) -> None:
    edge = Edge(Mine(given), REGIONS, CITIES)
    assert edge.reads("europe") == [[]]
    [found] = edge.problems("europe")
    assert found.startswith(f"Mine.upstream_keys {problem}")
    assert found.endswith(f"({__file__}:{Mine.upstream_keys.__code__.co_firstlineno})")


def test_one_key_needs_no_list_around_it() -> None:
    edge = Edge(Mine(lambda keys: ["rome" if key == "europe" else ["lima"] for key in keys]), REGIONS, CITIES)
    assert edge.reads("europe") == [["rome"]]
    assert edge.problems("europe") == []


def test_whatever_an_error_says_is_one_short_line() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise ValueError

    def problem(error: BaseException) -> str:
        def broken(keys: Sequence[str]) -> list[list[str]]:
            raise error

        [found] = Edge(Mine(broken), REGIONS, CITIES).problems("europe")
        return found.removeprefix("Mine.upstream_keys raised ").rpartition(" (")[0]

    assert problem(ValueError("one\ntwo \udcff")) == "ValueError: one two \\udcff"
    assert problem(ValueError("x" * 5000)) == f"ValueError: {'x' * 197}..."
    assert problem(Mute()) == "Mute: (its text cannot be had: str() raised ValueError)"
    assert problem(SystemExit(2)) == "SystemExit: 2"
    with pytest.raises(KeyboardInterrupt):
        problem(KeyboardInterrupt())


def test_a_key_outside_the_bounds_is_told_with_the_bounds() -> None:
    edge = Edge(each(lambda key: ["2023-12-31"]), REGIONS, DAYS)
    [problem] = edge.problems("europe")
    assert "there is no partition '2023-12-31': partitions begin with 2024-01-01" in problem
