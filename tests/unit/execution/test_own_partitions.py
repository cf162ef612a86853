"""Assets that read their own earlier partitions: built in order, each from what was just published."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import pytest

from assetflow import (
    NO_DATA,
    AssetContext,
    DailyPartitions,
    DimensionMapping,
    Input,
    MultiPartitions,
    PartitionMapping,
    StaticMapping,
    StaticPartitions,
    TimeWindow,
    asset,
    multi_asset,
)
from assetflow.definitions.inputs import Out

DAYS = DailyPartitions("2024-02-01", end="2024-02-06")
KEYS = [f"2024-02-0{day}" for day in range(1, 6)]
BEFORE = TimeWindow(-1, -1)
PAID: dict[str, Any] = {}
CALLED: list[str | None] = []


@pytest.fixture(autouse=True)
def paid() -> None:
    PAID.update(dict.fromkeys(KEYS, 1))
    CALLED.clear()


@asset(partitions=DAYS, code_version="1")
def payments(context: AssetContext) -> int:
    return PAID[context.partition_key]


@asset(partitions=DAYS, inputs={"balance": Input("balance", BEFORE)})
def balance(context: AssetContext, payments: int | None, balance: int | None) -> int:
    CALLED.append(context.partition_key)
    if payments is not None and payments < 0:
        raise ValueError("below nothing")
    return (balance or 0) + (payments or 0)


def counted(result: Any) -> dict[str, int]:
    return {outcome: number for outcome, number in result.counts.items() if number}


def balances(project: Any) -> list[object]:
    return [project.load("balance", key) for key in KEYS]


def pay(project: Any, key: str, amount: object) -> None:
    PAID[key] = amount
    project.materialize("payments", key, force=True)


def test_each_partition_is_made_from_the_one_that_was_just_published(opened: Any) -> None:
    with opened(payments, balance) as project:
        assert counted(project.materialize()) == {"materialized": 10}
        assert (CALLED, balances(project)) == (KEYS, [1, 2, 3, 4, 5])
        assert project.plan().steps == ()
        edges = {(each["from"], each["to"]) for each in project.catalog.lineage("balance", KEYS[1]).to_dict()["edges"]}
        assert ("balance@2024-02-01", "balance@2024-02-02") in edges


def test_a_correction_runs_through_what_comes_after_it(opened: Any) -> None:
    with opened(payments, balance) as project:
        project.materialize()
        pay(project, KEYS[2], 10)
        steps = [(step.certainty, step.partitions.ranges) for step in project.plan().steps]
        assert steps == [("will", ((KEYS[2], KEYS[2]),)), ("may", ((KEYS[3], KEYS[4]),))]
        last = project.why("balance", KEYS[4])
        assert (last.state, last.causes[0].root) == ("stale", ("payments",))
        assert last.causes[0].detail == "balance 2024-02-04 is stale, which began at payments"
        assert counted(project.materialize()) == {"materialized": 3}
        assert balances(project) == [1, 2, 12, 13, 14]


def test_a_partition_that_comes_out_the_same_ends_it(opened: Any) -> None:
    PAID[KEYS[2]] = 5
    with opened(payments, balance) as project:
        project.materialize()
        pay(project, KEYS[1], 3)
        pay(project, KEYS[2], 3)
        CALLED.clear()
        assert counted(project.materialize()) == {"materialized": 1, "unchanged": 3}
        assert KEYS[1:3] == CALLED


def test_a_failure_blocks_what_comes_after_it_and_nothing_else(opened: Any) -> None:
    PAID[KEYS[2]] = -1
    with opened(payments, balance) as project:
        result = project.materialize()
        assert counted(result) == {"materialized": 7, "failed": 1, "blocked": 2}
        assert [failure.partition for failure in result.failures] == [KEYS[2]]
        assert [project.why("balance", key).state for key in KEYS[1:4]] == ["up_to_date", "failed", "missing"]
        pay(project, KEYS[2], 5)
        assert counted(project.materialize()) == {"materialized": 3}


def test_an_interrupt_keeps_what_was_published(opened: Any) -> None:
    @asset(partitions=DAYS, inputs={"count": Input("count", BEFORE)})
    def count(context: AssetContext, count: int | None) -> int:
        if PAID[context.partition_key] == "stop":
            raise KeyboardInterrupt
        return (count or 0) + 1

    PAID[KEYS[3]] = "stop"
    with opened(count) as project:
        result = project.materialize()
        assert (result.status, counted(result)) == ("canceled", {"materialized": 3, "canceled": 2})
        PAID[KEYS[3]] = 1
        assert counted(project.materialize()) == {"materialized": 2}
        assert project.load("count", KEYS[4]) == 5


def test_what_reads_nothing_but_itself_has_a_beginning(opened: Any) -> None:
    @asset(partitions=DAYS, inputs={"rows": Input("rows", BEFORE)})
    def rows(context: AssetContext, rows: pd.DataFrame) -> pd.DataFrame:
        return pd.concat([rows, pd.DataFrame({"day": [context.partition_key]})])

    with opened(rows) as project:
        assert counted(project.materialize()) == {"materialized": 5}
        assert list(project.load("rows", KEYS[2])["day"]) == KEYS[:3]


def test_nothing_from_others_and_nothing_before_is_empty_and_what_there_was_is_carried_on(opened: Any) -> None:
    PAID.update({KEYS[0]: NO_DATA, KEYS[2]: NO_DATA})
    with opened(payments, balance) as project:
        project.materialize()
        assert KEYS[1:] == CALLED
        assert [project.load("balance", key) for key in KEYS[1:]] == [1, 1, 2, 3]
        assert project.status("balance").rows[0].partitions["empty"] == 1


def test_a_range_whose_predecessor_is_missing_waits_unless_what_it_needs_is_selected_too(opened: Any) -> None:
    with opened(payments, balance) as project:
        project.materialize("payments")
        plan = project.plan("balance", f"{KEYS[1]}...{KEYS[2]}")
        assert (plan.steps, plan.outside) == ((), ("balance",))
        assert [(entry.partitions.ranges, entry.lacking) for entry in plan.waiting] == [
            (((KEYS[1], KEYS[2]),), ("balance@2024-02-01",))
        ]
        assert counted(project.materialize("balance", KEYS[1])) == {"waiting": 1}
        assert counted(project.materialize("+balance", KEYS[1])) == {"materialized": 2}
        assert counted(project.materialize("balance+", KEYS[2])) == {"materialized": 3}


def test_force_goes_through_all_of_it_in_order(opened: Any) -> None:
    with opened(payments, balance) as project:
        project.materialize()
        CALLED.clear()
        assert counted(project.materialize("balance", force=True)) == {"unchanged": 5}
        assert CALLED == KEYS


def test_what_goes_back_is_reused_partition_by_partition(opened: Any) -> None:
    with opened(payments, balance) as project:
        project.materialize()
        pay(project, KEYS[1], 7)
        project.materialize()
        pay(project, KEYS[1], 1)
        CALLED.clear()
        assert counted(project.materialize()) == {"reused": 4}
        assert (CALLED, balances(project)) == ([], [1, 2, 3, 4, 5])


def test_a_rollback_takes_along_what_was_made_from_it(opened: Any) -> None:
    with opened(payments, balance) as project:
        project.materialize()
        pay(project, KEYS[1], 7)
        project.materialize()
        assert balances(project) == [1, 8, 9, 10, 11]
        first = project.versions("balance", KEYS[1])[-1]["version"]
        moved = project.rollback("balance", KEYS[1], to=first, with_downstream=True)
        assert [each["partition"] for each in moved["published"]] == KEYS[1:]
        assert balances(project) == [1, 2, 3, 4, 5]
        assert project.plan().steps == ()
        assert project.why("balance", KEYS[4]).held


def test_accepted_as_it_is_it_is_up_to_date(opened: Any) -> None:
    with opened(payments, balance) as project:
        project.materialize()
        pay(project, KEYS[1], 7)
        assert len(project.accept("balance", "paid in cash")["published"]) == 4
        assert project.plan().steps == ()


class DayBefore(PartitionMapping):
    """The day before, in the same region."""

    def upstream_keys(self, partition_keys: Sequence[str], upstream: Any) -> list[list[str]]:
        days = list(dict.fromkeys(key.split("|")[0] for key in KEYS))
        found: list[list[str]] = []
        for key in partition_keys:
            day, region = key.split("|")
            place = days.index(day)
            found.append([f"{days[place - 1]}|{region}"] if place else [])
        return found


@pytest.mark.parametrize("order", [("day", "region"), ("region", "day")])
def test_several_dimensions_read_along_time_by_a_mapping_of_ones_own(opened: Any, order: tuple[str, str]) -> None:
    dimensions: dict[str, Any] = {"day": DAYS, "region": StaticPartitions(["south", "north"])}
    cells = MultiPartitions({name: dimensions[name] for name in order})

    class Turned(DayBefore):
        def upstream_keys(self, partition_keys: Sequence[str], upstream: Any) -> list[list[str]]:
            def turned(key: str) -> str:
                return key if order[0] == "day" else "|".join(reversed(key.split("|")))

            found = DayBefore.upstream_keys(self, [turned(key) for key in partition_keys], upstream)
            return [[turned(key) for key in keys] for keys in found]

    @asset(partitions=cells, inputs={"count": Input("count", Turned())}, code_version="1")
    def count(count: dict[str, int]) -> int:
        return 1 + sum(count.values())

    with opened(count) as project:
        assert counted(project.materialize()) == {"materialized": 10}
        key = "2024-02-05|north" if order[0] == "day" else "north|2024-02-05"
        assert project.load("count", key) == 5


def test_a_mapping_that_gives_what_does_not_come_before_is_a_problem_of_that_partition(opened: Any) -> None:
    class Wrong(PartitionMapping):
        def upstream_keys(self, partition_keys: Sequence[str], upstream: Any) -> list[list[str]]:
            return [[key] if key == KEYS[1] else [] for key in partition_keys]

    @asset(partitions=DAYS, deps=[Input("count", Wrong())], code_version="1")
    def count() -> int:
        return 1

    with opened(count) as project:
        assert counted(project.materialize()) == {"materialized": 4, "waiting": 1}
        found = project.why("count", KEYS[1])
        line = Wrong.upstream_keys.__code__.co_firstlineno
        assert found.state == "waiting"
        assert found.causes[0].detail == (
            "waits for count; count@2024-02-02: the mapping to count: Wrong.upstream_keys gave '2024-02-02' for "
            f"'2024-02-02': of its own partitions an asset reads only those that come before ({__file__}:{line})"
        )


def test_keys_read_keys_that_are_declared_before_them(opened: Any) -> None:
    steps = StaticPartitions(["raw", "clean", "rich"])

    @asset(
        partitions=steps,
        inputs={"text": Input("text", StaticMapping({"raw": ["clean"], "clean": ["rich"]}))},
        code_version="1",
    )
    def text(context: AssetContext, text: dict[str, str]) -> str:
        return "".join(text.values()) + context.partition_key[0]

    with opened(text) as project:
        project.materialize()
        assert project.load("text", "rich") == "rcr"


def test_an_output_reads_the_earlier_partitions_of_another(opened: Any) -> None:
    @multi_asset(
        outs={"total": Out(), "seen": Out()},
        partitions=DAYS,
        inputs={"before": Input("total", TimeWindow(-2, -1))},
        code_version="1",
    )
    def both(before: dict[str, int]) -> tuple[int, int]:
        return 1 + sum(before.values()), len(before)

    with opened(both) as project:
        assert counted(project.materialize()) == {"materialized": 10}
        assert [project.load("total", key) for key in KEYS] == [1, 2, 4, 7, 12]
        assert [project.load("seen", key) for key in KEYS] == [0, 1, 2, 2, 2]


@pytest.mark.parametrize("order", [("day", "region"), ("region", "day")])
def test_along_one_of_several_dimensions(opened: Any, order: tuple[str, str]) -> None:
    definitions = {"day": DAYS, "region": StaticPartitions(["south", "north"])}
    cells = MultiPartitions({name: definitions[name] for name in order})
    before = DimensionMapping({"day": ("day", BEFORE), "region": "region"})

    @asset(partitions=cells, inputs={"stock": Input("stock", before)}, code_version="1")
    def stock(context: AssetContext, stock: int | None) -> int:
        return (stock or (10 if "north" in (context.partition_key or "") else 0)) + 1

    def key(day: str, region: str) -> str:
        return "|".join({"day": day, "region": region}[name] for name in order)

    with opened(stock) as project:
        assert counted(project.materialize()) == {"materialized": 10}
        found = [[project.load("stock", key(day, region)) for day in KEYS] for region in ("north", "south")]
        assert found == [[11, 12, 13, 14, 15], [1, 2, 3, 4, 5]]
        assert project.plan().steps == ()
