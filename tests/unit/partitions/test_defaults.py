from __future__ import annotations

from collections.abc import Sequence

import pytest

from assetflow.partitions import (
    AllPartitions,
    DailyPartitions,
    HourlyPartitions,
    Identity,
    LastN,
    MonthlyPartitions,
    MultiPartitions,
    PartitionMapping,
    StaticMapping,
    StaticPartitions,
    TimeWindow,
    WeeklyPartitions,
)
from assetflow.partitions.defaults import backward_problem, default_mapping, mapping_problem
from assetflow.partitions.definitions import PartitionsDefinition
from assetflow.partitions.mappings import EdgeMapping, WholeUpstream

DAYS = DailyPartitions("2013-01-01")
LETTERS = StaticPartitions(["a", "b"])


class Listed(PartitionMapping):
    def upstream_keys(self, partition_keys: Sequence[str], upstream: PartitionsDefinition) -> list[list[str]]:
        return [[key] for key in partition_keys]


@pytest.mark.parametrize(
    ("down", "up", "mapping"),
    [
        (None, None, WholeUpstream()),
        (DAYS, None, WholeUpstream()),
        (None, DAYS, AllPartitions()),
        (None, LETTERS, AllPartitions()),
        (DAYS, DailyPartitions("2013"), Identity()),
        (LETTERS, StaticPartitions(("a", "b")), Identity()),
        (LETTERS, StaticPartitions(["b", "a"]), Identity()),
        (DAYS, DailyPartitions("2014-01-01"), TimeWindow()),
        (DAYS, DailyPartitions("2013-01-01", timezone="Europe/Berlin"), TimeWindow()),
        (DAYS, HourlyPartitions("2013-01-01"), TimeWindow()),
        (HourlyPartitions("2013-01-01"), MonthlyPartitions("2013-01"), TimeWindow()),
        (LETTERS, StaticPartitions(["a"]), None),
        (LETTERS, DAYS, None),
        (DAYS, LETTERS, None),
    ],
)
def test_default_mapping(
    down: PartitionsDefinition | None, up: PartitionsDefinition | None, mapping: EdgeMapping | None
) -> None:
    assert default_mapping(down, up) == mapping
    assert mapping is None or mapping_problem(mapping, down, up) is None


def test_definitions_with_problems_still_get_an_answer() -> None:
    broken = DailyPartitions("?", timezone="X")
    assert default_mapping(broken, DAYS) == TimeWindow()
    assert default_mapping(StaticPartitions([]), DAYS) is None
    assert mapping_problem(Identity(), broken, DAYS)


@pytest.mark.parametrize(
    ("mapping", "down", "up"),
    [
        (Identity(), None, None),
        (Identity(), StaticPartitions(["a"]), LETTERS),
        (Identity(), DAYS, DailyPartitions("2014-01-01", end="2015-01-01")),
        (TimeWindow(-7, -1), DAYS, DAYS),
        (TimeWindow(1, 0), DAYS, HourlyPartitions("2013-01-01")),
        (LastN(1), None, DAYS),
        (LastN(12), LETTERS, DAYS),
        (AllPartitions(), DAYS, LETTERS),
        (AllPartitions(), DAYS, None),
    ],
)
def test_mappings_that_fit(
    mapping: EdgeMapping, down: PartitionsDefinition | None, up: PartitionsDefinition | None
) -> None:
    assert mapping_problem(mapping, down, up) is None


@pytest.mark.parametrize(
    ("mapping", "down", "up", "problem"),
    [
        (
            Identity(),
            DAYS,
            MonthlyPartitions("2013-01"),
            (
                "Identity needs the same grain and time zone on both sides: the asset has daily from 2013-01-01, UTC, "
                "its upstream monthly from 2013-01, UTC; use TimeWindow()"
            ),
        ),
        (
            Identity(),
            WeeklyPartitions("2013-01-07"),
            WeeklyPartitions("2013-01-07", week_start="sunday"),
            (
                "Identity needs the same grain and time zone on both sides: the asset has weekly (monday) from "
                "2013-01-07, UTC, its upstream weekly (sunday) from 2013-01-07, UTC; use TimeWindow()"
            ),
        ),
        (
            Identity(),
            DAYS,
            LETTERS,
            (
                "Identity needs the same kind of partitions on both sides: the asset has daily from 2013-01-01, UTC, "
                "its upstream 2 keys: a, b"
            ),
        ),
        (
            Identity(),
            None,
            DAYS,
            (
                "Identity needs the same partitions on both sides: the asset has no partitions, "
                "its upstream daily from 2013-01-01, UTC"
            ),
        ),
        (
            Identity(),
            StaticPartitions(["a", "c", "d"]),
            LETTERS,
            ("Identity needs the asset's keys in its upstream, which lacks 'c', 'd': add them, or use AllPartitions()"),
        ),
        (
            TimeWindow(),
            DAYS,
            LETTERS,
            (
                "TimeWindow needs time partitions on both sides: the asset has daily from 2013-01-01, UTC, "
                "its upstream 2 keys: a, b"
            ),
        ),
        (
            TimeWindow(),
            None,
            DAYS,
            (
                "TimeWindow needs time partitions on both sides: the asset has no partitions, "
                "its upstream daily from 2013-01-01, UTC"
            ),
        ),
        (
            TimeWindow(start_offset="-1"),  # type: ignore[arg-type]
            DAYS,
            DAYS,
            "TimeWindow: start_offset is '-1'; write how many upstream windows, as a whole number",
        ),
        (
            TimeWindow(0, -1),
            DAYS,
            DAYS,
            "TimeWindow reads nothing with start_offset 0, end_offset -1: start_offset must not be the larger one",
        ),
        (LastN(0), None, DAYS, "LastN(0): n counts partitions; write a whole number from 1 on"),
        (LastN(True), None, DAYS, "LastN(True): n counts partitions; write a whole number from 1 on"),
        (
            LastN(3),
            DAYS,
            LETTERS,
            "LastN needs an upstream with time partitions, but it has 2 keys: a, b: use AllPartitions()",
        ),
        (
            LastN(3),
            DAYS,
            None,
            "LastN needs an upstream with time partitions, but it has no partitions: leave the mapping out",
        ),
        (
            StaticMapping({"a": ["x"]}),
            DAYS,
            LETTERS,
            (
                f"StaticMapping needs lists of keys on both sides: the asset has {DAYS.describe()}, "
                "its upstream 2 keys: a, b"
            ),
        ),
        (
            StaticMapping({"a": ["b", "B"]}),
            LETTERS,
            LETTERS,
            "StaticMapping: the asset has no key 'B': 2 keys: a, b",
        ),
        (
            StaticMapping({"c": ["a"]}),
            LETTERS,
            LETTERS,
            "StaticMapping: the upstream has no key 'c': 2 keys: a, b",
        ),
        (
            StaticMapping({"a": "b"}),
            LETTERS,
            LETTERS,
            "StaticMapping: 'a' has 'b'; write a list of the asset's keys",
        ),
        (
            StaticMapping({"a": 5}),  # type: ignore[dict-item]
            LETTERS,
            LETTERS,
            "StaticMapping: 'a' has 5; write a list of the asset's keys",
        ),
        (
            StaticMapping(["a"]),  # type: ignore[arg-type]
            LETTERS,
            LETTERS,
            "StaticMapping(['a']): write {upstream key: [downstream keys]}",
        ),
        (Listed(), LETTERS, None, "Listed needs an upstream with partitions: leave the mapping out"),
        (Listed(), None, LETTERS, "Listed needs partitions to map, but the asset has none: use AllPartitions()"),
        (WholeUpstream(), DAYS, LETTERS, "the upstream has partitions (2 keys: a, b): use AllPartitions()"),
    ],
)
def test_mappings_that_do_not_fit_say_what_to_do(
    mapping: EdgeMapping, down: PartitionsDefinition | None, up: PartitionsDefinition | None, problem: str
) -> None:
    assert mapping_problem(mapping, down, up) == problem


def test_a_static_mapping_of_known_keys_fits_whichever_it_leaves_out() -> None:
    assert mapping_problem(StaticMapping({"b": ("a",)}), LETTERS, LETTERS) is None
    assert mapping_problem(StaticMapping({}), LETTERS, LETTERS) is None


ONLY_EARLIER = "and only earlier ones can be read"
USE_TIME_WINDOW = "use TimeWindow(-1, -1) for the one before"


@pytest.mark.parametrize(
    ("mapping", "definition"),
    [
        (TimeWindow(-1, -1), DAYS),
        (TimeWindow(-7, -2), DAYS),
        (Listed(), DAYS),
        (Listed(), LETTERS),
        (StaticMapping({"a": ["b"]}), LETTERS),
    ],
)
def test_an_asset_may_read_its_earlier_partitions(mapping: EdgeMapping, definition: PartitionsDefinition) -> None:
    assert backward_problem(mapping, definition) is None


@pytest.mark.parametrize(
    ("mapping", "definition", "problem"),
    [
        (TimeWindow(), DAYS, f"TimeWindow(0, 0) reads the partition itself, {ONLY_EARLIER}: use TimeWindow(-1, -1)"),
        (
            TimeWindow(-6, 0),
            DAYS,
            f"TimeWindow(-6, 0) reads the partition itself, {ONLY_EARLIER}: use TimeWindow(-6, -1)",
        ),
        (
            TimeWindow(1, 2),
            DAYS,
            f"TimeWindow(1, 2) reads partitions that come later, {ONLY_EARLIER}: use TimeWindow(-1, -1)",
        ),
        (
            TimeWindow(-1, -1, allow_nonexistent=False),
            DAYS,
            "with allow_nonexistent=False the first partition waits for ever, and all others for it",
        ),
        (LastN(3), DAYS, f"LastN(3) reads the partition itself, {ONLY_EARLIER}: use TimeWindow(-3, -1)"),
        (
            Identity(),
            DAYS,
            f"Identity reads more than earlier partitions, and only those can be read: {USE_TIME_WINDOW}",
        ),
        (
            AllPartitions(),
            DAYS,
            f"AllPartitions reads more than earlier partitions, and only those can be read: {USE_TIME_WINDOW}",
        ),
        (
            AllPartitions(),
            MultiPartitions({"day": DAYS, "letter": LETTERS}),
            (
                "AllPartitions reads more than earlier partitions, and only those can be read: "
                "use a PartitionMapping of your own"
            ),
        ),
        (None, DAYS, f"the asset reads itself, so state which of its earlier partitions it reads: {USE_TIME_WINDOW}"),
        (
            None,
            LETTERS,
            (
                "the asset reads itself, so state which of its earlier partitions it reads: "
                "use StaticMapping({key: [keys declared after it]}), or a PartitionMapping of your own"
            ),
        ),
        (
            None,
            None,
            "an asset without partitions cannot read itself: give it partitions, so that each can read earlier ones",
        ),
        (
            StaticMapping({"b": ["a"]}),
            LETTERS,
            "StaticMapping: 'a' reads 'b', which is declared after it, and only keys declared before it can be read",
        ),
        (
            StaticMapping({"a": ["b", "a"]}),
            LETTERS,
            "StaticMapping: 'a' reads itself, and only keys declared before it can be read",
        ),
    ],
)
def test_it_reads_nothing_but_earlier_ones(
    mapping: EdgeMapping | None, definition: PartitionsDefinition | None, problem: str
) -> None:
    assert backward_problem(mapping, definition) == problem
