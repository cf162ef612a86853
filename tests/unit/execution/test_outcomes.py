"""What a run makes of every kind of outcome: counts, what is published, what the next plan says."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from assetflow import (
    NO_DATA,
    AssetContext,
    Batch,
    CheckResult,
    DailyPartitions,
    Definitions,
    Input,
    MonthlyPartitions,
    Out,
    Project,
    StaticPartitions,
    asset,
    asset_check,
    materialize,
    multi_asset,
    observable_source,
)

NOW = datetime(2024, 2, 10, tzinfo=UTC)
DAYS = DailyPartitions("2024-01-30", end="2024-02-03")
CALLS: list[str] = []  # a captured list would count for the code version, by its value
MONTHS = MonthlyPartitions("2024-01", end="2024-03")


def counted(result: Any) -> dict[str, int]:
    return {outcome: number for outcome, number in result.counts.items() if number}


def opened(tmp_path: Path, *declared: Any, **options: Any) -> Project:
    definitions = Definitions(
        assets=[each for each in declared if not hasattr(each, "__check__")], checks=options.pop("checks", [])
    )
    return Project(
        definitions, store=f"sqlite:///{tmp_path}/store.db", storage=tmp_path / "data", clock=lambda: NOW, **options
    )


def test_a_failure_blocks_only_what_needs_it() -> None:
    @asset
    def broken() -> int:
        raise ValueError("no network")

    @asset
    def below(broken: int) -> int:
        return broken

    @asset
    def further_below(below: int) -> int:
        return below

    @asset
    def elsewhere() -> int:
        return 1

    result = materialize([broken, below, further_below, elsewhere])

    assert result.status == "failed"
    assert counted(result) == {"failed": 1, "blocked": 2, "materialized": 1}
    (failure,) = result.failures
    assert failure.asset == "broken"
    assert failure.error["message"] == "broken raised ValueError: no network"
    assert "test_outcomes.py" in str(failure.error["location"])
    assert "execution" not in str(failure.error["traceback"]).replace("tests/unit/execution", "")


def test_a_failed_upstream_blocks_also_where_missing_is_allowed() -> None:
    @asset(partitions=DAYS)
    def daily(context: AssetContext) -> int:
        if context.partition_key == "2024-01-31":
            raise ValueError("gone")
        return 1

    @asset(inputs={"daily": Input(daily, missing="allow")})
    def total(daily: dict[str, int]) -> int:
        return sum(daily.values())

    result = materialize([daily, total], now=NOW)

    assert counted(result) == {"materialized": 3, "failed": 1, "blocked": 1}


def test_counts_sum_to_the_planned_partitions_and_what_waits() -> None:
    @observable_source(partitions=DAYS)
    def raw() -> dict[str, str]:
        return {"2024-01-30": "a", "2024-01-31": "b"}

    @asset(deps=[raw], partitions=DAYS)
    def daily() -> int:
        return 1

    result = materialize([raw, daily], now=NOW)

    assert counted(result) == {"materialized": 2, "waiting": 2}
    assert sum(result.counts.values()) == result.plan.totals["partitions"] + 2
    assert result.status == "success"


def test_nothing_to_do_has_no_run() -> None:
    @asset
    def one() -> int:
        return 1

    first = materialize([one])
    second = first.project.materialize()

    assert (second.status, second.run_id, counted(second)) == ("success", None, {})


def test_no_data_is_published_as_empty_and_skipped_by_loads() -> None:
    @asset(partitions=DAYS)
    def daily(context: AssetContext) -> pd.DataFrame:
        return NO_DATA if context.partition_key == "2024-02-01" else pd.DataFrame({"n": [1]})

    @asset
    def total(daily: pd.DataFrame) -> int:
        return len(daily)

    result = materialize([daily, total], now=NOW)

    assert result.value("total") == 3
    status = result.project.status(now=NOW).to_dict()["assets"]
    (row,) = [row for row in status if row["asset"] == "daily"]  # type: ignore[attr-defined]
    assert row["partitions"]["empty"] == 1
    assert row["watermark"] == "2024-02-03T00:00:00+00:00"


def test_a_function_whose_inputs_are_all_empty_is_not_called() -> None:
    calls: list[str] = []

    @asset
    def nothing() -> pd.DataFrame:
        return NO_DATA

    @asset
    def below(nothing: pd.DataFrame) -> pd.DataFrame:
        calls.append("below")
        return nothing

    result = materialize([nothing, below])

    assert calls == []
    assert counted(result) == {"materialized": 2}
    assert result.project.status().rows[1].partitions["empty"] == 1


def test_when_only_some_inputs_are_empty_they_arrive_without_rows_and_with_known_columns(tmp_path: Path) -> None:
    seen: list[list[str]] = []
    empty = {"now": False}

    @asset
    def sometimes() -> pd.DataFrame:
        return NO_DATA if empty["now"] else pd.DataFrame({"n": [1], "m": ["x"]})

    @asset
    def always() -> int:
        return 1

    @asset
    def below(sometimes: pd.DataFrame, always: int) -> int:
        seen.append([*sometimes.columns, str(len(sometimes))])
        return always

    with opened(tmp_path, sometimes, always, below) as project:
        project.materialize()
        empty["now"] = True
        project.materialize(force=True)

    assert seen == [["n", "m", "1"], ["n", "m", "0"]]


def test_outputs_of_a_multi_asset_are_published_together() -> None:
    @multi_asset(outs={"orders": Out(), "items": Out()})
    def shop() -> dict[str, object]:
        return {"orders": [1, 2], "items": {"a": 1}}

    @asset
    def both(orders: list[int], items: dict[str, int]) -> int:
        return len(orders) + len(items)

    result = materialize([shop, both])

    assert counted(result) == {"materialized": 3}
    assert result.plan.totals["partitions"] == 3
    assert result.value("both") == 3
    assert result.value("items") == {"a": 1}


def test_a_multi_asset_that_forgets_an_output_fails_whole() -> None:
    @multi_asset(outs={"orders": Out(), "items": Out()})
    def shop() -> dict[str, object]:
        return {"orders": 1}

    result = materialize([shop])

    assert counted(result) == {"failed": 2}
    assert result.failures[0].error["message"] == "shop: returned nothing for items"


def test_a_batch_is_one_call_and_one_version_for_each_partition() -> None:
    calls: list[tuple[str, ...]] = []

    @asset(partitions=DAYS, batch=Batch(max_partitions=3))
    def daily(context: AssetContext) -> dict[str, int]:
        calls.append(context.partition_keys)
        return {key: int(key[-2:]) for key in context.partition_keys}

    result = materialize([daily], now=NOW)

    assert calls == [("2024-01-30", "2024-01-31", "2024-02-01"), ("2024-02-02",)]
    assert counted(result) == {"materialized": 4}
    assert result.value("daily", "2024-02-02") == 2


def test_a_missing_key_in_a_batch_fails_its_own_partition_only() -> None:
    @asset(partitions=DAYS, batch=Batch(max_partitions=10))
    def daily(context: AssetContext) -> dict[str, int]:
        return {key: 1 for key in context.partition_keys if key != "2024-01-31"}

    result = materialize([daily], now=NOW)

    assert counted(result) == {"materialized": 3, "failed": 1}
    assert result.failures[0].partition == "2024-01-31"
    assert "returned nothing for this partition" in str(result.failures[0].error["message"])


def test_an_extra_key_in_a_batch_fails_the_step() -> None:
    @asset(partitions=DAYS, batch=Batch(max_partitions=10))
    def daily(context: AssetContext) -> dict[str, int]:
        return dict.fromkeys([*context.partition_keys, "1999-01-01"], 1)

    result = materialize([daily], now=NOW)

    assert counted(result) == {"failed": 4}
    assert "1999-01-01" in str(result.failures[0].error["message"])


def test_tables_loaded_in_a_batch_carry_the_downstream_key() -> None:
    @asset(partitions=DAYS)
    def daily(context: AssetContext) -> pd.DataFrame:
        return pd.DataFrame({"day": [context.partition_key]})

    @asset(partitions=MONTHS, batch=Batch(max_partitions=2))
    def monthly(daily: pd.DataFrame) -> pd.DataFrame:
        counts = daily.groupby("_partition", as_index=False).agg(days=("day", "count"))
        return counts.rename(columns={"_partition": "partition"})

    result = materialize([daily, monthly], now=datetime(2024, 3, 5, tzinfo=UTC))

    assert result.value("monthly", "2024-01").to_dict("list") == {"days": [2]}  # type: ignore[attr-defined]
    assert result.value("monthly", "2024-02").to_dict("list") == {"days": [2]}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "returned None"),
        ("text", "returned a str, but its annotation says int"),
        ((n for n in range(3)), "which can be read only once"),
    ],
)
def test_what_cannot_be_published_is_refused(value: object, said: str) -> None:
    @asset
    def number() -> int:
        return value  # type: ignore[return-value]

    result = materialize([number])

    assert counted(result) == {"failed": 1}
    assert said in str(result.failures[0].error["message"])


def test_sys_exit_in_an_asset_is_a_failure() -> None:
    @asset
    def leaves() -> int:
        raise SystemExit(3)

    @asset
    def stays() -> int:
        return 1

    result = materialize([leaves, stays])

    assert counted(result) == {"failed": 1, "materialized": 1}


def test_a_check_that_raises_has_not_passed(tmp_path: Path) -> None:
    @asset
    def number() -> int:
        return 1

    @asset_check(asset=number, blocking=True)
    def divides(number: int) -> bool:
        return number / 0 > 1

    with opened(tmp_path, number, checks=[divides]) as project:
        result = project.materialize()

    assert counted(result) == {"quarantined": 1}
    assert "ZeroDivisionError" in str(result.failures[0].error["message"])


def test_a_check_that_does_not_block_lets_the_version_through(tmp_path: Path) -> None:
    @asset
    def number() -> int:
        return 1

    @asset_check(asset=number)
    def is_large(number: int) -> CheckResult:
        return CheckResult(passed=number > 10, metadata={"number": number})

    with opened(tmp_path, number, checks=[is_large]) as project:
        result = project.materialize()
        rows = project.catalog.query("select check_name, passed, blocking from checks").to_pylist()

    assert counted(result) == {"materialized": 1}
    assert rows == [{"check_name": "is_large", "passed": False, "blocking": False}]


def test_a_new_check_runs_on_what_is_published_without_building_it(tmp_path: Path) -> None:
    CALLS.clear()

    @asset
    def number() -> int:
        CALLS.append("number")
        return 1

    with opened(tmp_path, number) as project:
        project.materialize()

    @asset_check(asset=number, blocking=True)
    def is_large(number: int) -> bool:
        return number > 10

    with opened(tmp_path, number, checks=[is_large]) as project:
        plan = project.plan()
        result = project.materialize()
        state = project.why("number").state
        value = project.load("number")

    assert [step.certainty for step in plan.steps] == ["check"]
    assert CALLS == ["number"]
    assert counted(result) == {"quarantined": 1}
    assert (state, value) == ("failed", 1)


def test_an_effect_has_no_value_and_can_be_depended_on() -> None:
    @asset
    def effect() -> None:
        return None

    @asset(deps=[effect])
    def below() -> int:
        return 1

    result = materialize([effect, below])

    assert counted(result) == {"materialized": 2}


def test_static_partitions_read_all_and_one(tmp_path: Path) -> None:
    airports = StaticPartitions(["EWR", "JFK", "LGA"])

    @asset(partitions=airports)
    def flights(context: AssetContext) -> int:
        return len(context.partition_key)

    @asset
    def total(flights: dict[str, int]) -> int:
        return sum(flights.values())

    with opened(tmp_path, flights, total) as project:
        project.materialize("flights", "JFK")
        waits = project.plan("total")
        project.materialize()
        value = project.load("total")
        by_key = project.load("flights", as_type=dict[str, int])

    assert [entry.computation for entry in waits.waiting] == []
    assert value == 9
    assert by_key == {"EWR": 3, "JFK": 3, "LGA": 3}


def test_metadata_is_kept_with_the_version(tmp_path: Path) -> None:
    @asset
    def number(context: AssetContext) -> int:
        context.add_metadata(source="meter 7")
        return 1

    with opened(tmp_path, number) as project:
        project.materialize()
        uid = project.setting.uids[project.graph.require("number")]
        (record,) = project.store.reader.versions_of(uid)

    assert record.metadata == {"source": "meter 7"}


def test_each_empty_input_arrives_with_the_columns_of_its_own_asset(tmp_path: Path) -> None:
    arrived: dict[str, list[str]] = {}

    @asset(partitions=DAYS)
    def orders(context: AssetContext) -> pd.DataFrame:
        return NO_DATA if context.partition_key == "2024-01-31" else pd.DataFrame({"amount": [1]})

    @asset(partitions=DAYS)
    def visits(context: AssetContext) -> pd.DataFrame:
        return NO_DATA if context.partition_key == "2024-02-01" else pd.DataFrame({"page": ["a"]})

    @asset(partitions=DAYS, code_version="1")
    def daily(context: AssetContext, orders: pd.DataFrame, visits: pd.DataFrame) -> int:
        arrived[context.partition_key] = [*orders.columns, *visits.columns]
        return len(orders)

    with opened(tmp_path, orders, visits, daily) as project:
        assert counted(project.materialize()) == {"materialized": 12}
    assert all(columns == ["amount", "page"] for columns in arrived.values())
    assert len(arrived) == 4
