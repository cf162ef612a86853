"""CONTRACT, ``batch=``: several partitions in one call, each its own version."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from assetflow import (
    NO_DATA,
    AssetContext,
    AssetflowError,
    Batch,
    DailyPartitions,
    Definitions,
    Input,
    MonthlyPartitions,
    Out,
    Project,
    StaticPartitions,
    TimeWindow,
    asset,
    asset_check,
    materialize,
    multi_asset,
)

NOW = datetime(2024, 2, 10, tzinfo=UTC)
DAYS = DailyPartitions("2024-01-30", end="2024-02-03")
KEYS = ["2024-01-30", "2024-01-31", "2024-02-01", "2024-02-02"]


def errors(result: Any) -> dict[str | None, str]:
    return {failure.partition: str(failure.error["message"]) for failure in result.failures}


def test_a_call_gets_at_most_n_partitions_in_order() -> None:
    calls: list[tuple[str, ...]] = []

    @asset(partitions=DAYS, batch=Batch(max_partitions=3), code_version="1")
    def daily(context: AssetContext) -> dict[str, int]:
        calls.append(tuple(context.partition_keys))
        return dict.fromkeys(context.partition_keys, 1)

    assert materialize([daily], now=NOW).counts["materialized"] == 4
    assert calls == [tuple(KEYS[:3]), tuple(KEYS[3:])]


@pytest.mark.parametrize("column", ["partition", "day"])
@pytest.mark.parametrize("kind", ["pandas", "arrow"])
def test_one_table_is_split_by_its_column_which_is_not_published(column: str, kind: str) -> None:
    @asset(partitions=DAYS, batch=Batch(max_partitions=10, column=column), code_version="1")
    def daily(context: AssetContext) -> Any:
        keys = [*context.partition_keys, context.partition_keys[0]]
        frame = pd.DataFrame({column: keys, "n": range(len(keys))})
        return frame if kind == "pandas" else pa.Table.from_pandas(frame, preserve_index=False)

    result = materialize([daily], now=NOW)

    assert result.status == "success", result.failures
    assert result.project.load("daily", "2024-01-30", as_type=pa.Table).to_pydict() == {"n": [0, 4]}  # type: ignore[attr-defined]
    assert result.project.load("daily", "2024-02-02", as_type=pa.Table).to_pydict() == {"n": [3]}  # type: ignore[attr-defined]


def test_a_table_without_the_column_fails_the_step() -> None:
    @asset(partitions=DAYS, batch=Batch(max_partitions=10))
    def daily() -> pd.DataFrame:
        return pd.DataFrame({"n": [1]})

    result = materialize([daily], now=NOW)

    assert result.counts["failed"] == 4
    assert all("partition" in said for said in errors(result).values())


def test_loaded_tables_carry_the_downstream_key_and_rows_repeat_where_windows_overlap() -> None:
    @asset(partitions=DAYS)
    def daily(context: AssetContext) -> pd.DataFrame:
        return pd.DataFrame({"n": [context.partition_start.day]})

    @asset(partitions=DAYS, inputs={"window": Input(daily, mapping=TimeWindow(-1, 0))}, batch=Batch(max_partitions=10))
    def rolling(window: pd.DataFrame) -> pd.DataFrame:
        window["partition"] = window["_partition"]
        return window

    result = materialize([daily, rolling], now=NOW)

    assert result.status == "success", result.failures
    assert [result.value("rolling", key).to_dict("list") for key in KEYS] == [  # type: ignore[attr-defined]
        {"n": [30]},
        {"n": [30, 31]},
        {"n": [31, 1]},
        {"n": [1, 2]},
    ]


def test_a_batch_of_one_still_carries_the_key() -> None:
    @asset(partitions=DAYS)
    def daily() -> pd.DataFrame:
        return pd.DataFrame({"n": [1]})

    @asset(partitions=DAYS, batch=Batch(max_partitions=1))
    def down(context: AssetContext, daily: pd.DataFrame) -> dict[str, pd.DataFrame]:
        assert daily["_partition"].tolist() == list(context.partition_keys)
        return {context.partition_key: daily}

    result = materialize([daily, down], now=NOW)

    assert result.counts["materialized"] == 8
    assert list(result.value("down", KEYS[0]).columns) == ["n"]  # type: ignore[attr-defined,call-overload]


def test_the_column_may_be_of_true_keys_that_have_to_be_escaped_elsewhere() -> None:
    hell = StaticPartitions(["a@b", "a|b", "...", "%40"])

    @asset(partitions=hell, batch=Batch(max_partitions=10))
    def lettered(context: AssetContext) -> pd.DataFrame:
        return pd.DataFrame({"partition": context.partition_keys, "n": [1, 2, 3, 4]})

    result = materialize([lettered])

    assert result.status == "success", result.failures
    assert [result.value("lettered", key)["n"].item() for key in hell.keys] == [1, 2, 3, 4]  # type: ignore[index]


def test_a_missing_key_fails_its_own_partition_and_extra_keys_the_step() -> None:
    @asset(partitions=DAYS, batch=Batch(max_partitions=10), code_version="1")
    def lacking(context: AssetContext) -> dict[str, int]:
        return dict.fromkeys(KEYS[1:], 1)

    @asset(partitions=DAYS, batch=Batch(max_partitions=10), code_version="1")
    def beyond(context: AssetContext) -> dict[str, int]:
        return dict.fromkeys([*KEYS, "2030-01-01"], 1)

    one, two = materialize([lacking], now=NOW), materialize([beyond], now=NOW)

    assert (one.counts["materialized"], one.counts["failed"], list(errors(one))) == (3, 1, [KEYS[0]])
    assert (two.counts["materialized"], two.counts["failed"]) == (0, 4)
    assert all("2030-01-01" in said for said in errors(two).values())


def test_a_table_without_rows_of_a_key_lacks_that_key() -> None:
    @asset(partitions=DAYS, batch=Batch(max_partitions=10), code_version="1")
    def daily() -> pd.DataFrame:
        return pd.DataFrame({"partition": KEYS[:3], "n": [1, 2, 3]})

    result = materialize([daily], now=NOW)

    assert (result.counts["materialized"], list(errors(result))) == (3, [KEYS[3]])


def test_no_data_of_one_key_and_of_the_whole_batch() -> None:
    @asset(partitions=DAYS, batch=Batch(max_partitions=10), code_version="1")
    def some() -> dict[str, Any]:
        return {**dict.fromkeys(KEYS, 1), KEYS[1]: NO_DATA}

    @asset(partitions=DAYS, batch=Batch(max_partitions=10), code_version="1")
    def none() -> dict[str, int]:
        return NO_DATA

    result = materialize([some, none], now=NOW)
    counts = {row["asset"]: row["partitions"]["empty"] for row in result.project.status(now=NOW).to_dict()["assets"]}  # type: ignore[attr-defined]

    assert result.status == "success", result.failures
    assert counts == {"some": 1, "none": 4}


def test_a_failed_check_fails_its_own_partition_only() -> None:
    @asset(partitions=DAYS, batch=Batch(max_partitions=10))
    def daily(context: AssetContext) -> dict[str, int]:
        return {key: int(key[-2:]) for key in context.partition_keys}

    @asset_check(asset=daily, blocking=True)
    def small(daily: int) -> bool:
        return daily < 31

    result = materialize([daily, small], now=NOW)

    assert (result.counts["materialized"], result.counts["quarantined"]) == (3, 1)
    assert list(errors(result)) == ["2024-01-31"]


def test_if_the_call_raises_all_of_it_fail_and_other_batches_go_on() -> None:
    @asset(partitions=DAYS, batch=Batch(max_partitions=2))
    def daily(context: AssetContext) -> dict[str, int]:
        if "2024-01-31" in context.partition_keys:
            raise ValueError("broken file")
        return dict.fromkeys(context.partition_keys, 1)

    result = materialize([daily], now=NOW)

    assert (result.counts["materialized"], result.counts["failed"]) == (2, 2)
    assert list(errors(result)) == KEYS[:2]
    assert all("broken file" in said for said in errors(result).values())


def test_partitions_of_a_batch_are_versions_of_their_own_in_one_commit() -> None:
    @asset(partitions=DAYS, batch=Batch(max_partitions=10))
    def daily(context: AssetContext) -> dict[str, pd.DataFrame]:
        return {key: pd.DataFrame({"n": [key]}) for key in context.partition_keys}

    result = materialize([daily], now=NOW)
    rows = result.project.catalog.query("select distinct version, location from versions").to_pylist()

    assert len({row["version"] for row in rows}) == len({row["location"] for row in rows}) == 4
    found = result.project.storage.root / "daily" / "_current.json"
    import json

    assert len({entry["generation"] for entry in json.loads(found.read_text())["partitions"]}) == 1


def test_unchanged_partitions_of_a_batch_stay() -> None:
    last = [1]

    @asset(partitions=DAYS, batch=Batch(max_partitions=10), code_version="1")
    def daily(context: AssetContext) -> dict[str, int]:
        return {key: last[0] if key == KEYS[-1] else 0 for key in context.partition_keys}

    with Project([daily], clock=lambda: NOW) as project:
        project.materialize()
        last[0] = 2
        again = project.materialize(force=True)
    assert (again.counts["unchanged"], again.counts["materialized"]) == (3, 1)


def test_coarser_downstreams_in_a_batch() -> None:
    @asset(partitions=DAYS)
    def daily(context: AssetContext) -> pd.DataFrame:
        return pd.DataFrame({"n": [1]})

    @asset(partitions=MonthlyPartitions("2024-01", end="2024-03"), batch=Batch(max_partitions=5))
    def monthly(daily: pd.DataFrame) -> pd.DataFrame:
        found = daily.groupby("_partition", as_index=False).agg(n=("n", "sum"))
        return found.rename(columns={"_partition": "partition"})

    result = materialize([daily, monthly], now=datetime(2024, 3, 5, tzinfo=UTC))

    assert [result.value("monthly", key)["n"].item() for key in ("2024-01", "2024-02")] == [2, 2]  # type: ignore[index]


def test_a_batch_of_a_multi_asset() -> None:
    @multi_asset(outs={"a": Out(), "b": Out()}, partitions=DAYS, batch=Batch(max_partitions=10))
    def both(context: AssetContext) -> dict[str, Any]:
        keys = context.partition_keys
        return {"a": dict.fromkeys(keys, 1), "b": pd.DataFrame({"partition": keys, "n": range(len(keys))})}

    result = materialize([both], now=NOW)

    assert result.counts["materialized"] == 8, result.failures
    assert result.value("a", KEYS[2]) == 1
    assert result.value("b", KEYS[2])["n"].item() == 2  # type: ignore[index]


@pytest.mark.parametrize("size", [0, -1, True, "3"])
def test_a_batch_that_holds_nothing_is_refused(size: Any) -> None:
    @asset(partitions=DAYS, batch=Batch(max_partitions=size))
    def daily() -> dict[str, int]:
        return {}

    with pytest.raises(AssetflowError, match="daily") as caught:
        Project(Definitions(assets=[daily]))
    assert caught.value.exit_code == 2


def test_a_batch_without_partitions_is_refused() -> None:
    @asset(batch=Batch(max_partitions=2))
    def whole() -> dict[str, int]:
        return {}

    with pytest.raises(AssetflowError, match="batch"):
        Project(Definitions(assets=[whole]))
