"""CONTRACT, "Annotations": in which form a parameter gets what its upstream has published."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from assetflow import (
    AssetContext,
    DailyPartitions,
    Field,
    Input,
    Schema,
    asset,
    materialize,
)

NOW = datetime(2024, 2, 10, tzinfo=UTC)
DAYS = DailyPartitions("2024-01-30", end="2024-02-03")
ONE_DAY = DailyPartitions("2024-01-30", end="2024-01-31")


class Numbers(Schema):
    n: int
    text: str | None = Field(isin=["a", "b"])


def message(result: Any) -> str:
    (failure,) = result.failures
    return str(failure.error["message"])


@asset(partitions=DAYS)
def table(context: AssetContext) -> pd.DataFrame:
    return pd.DataFrame({"n": [context.partition_start.day], "day": [context.partition_key]})


@asset(partitions=ONE_DAY, name="table")
def table_of_one(context: AssetContext) -> pd.DataFrame:
    return pd.DataFrame({"n": [context.partition_start.day], "day": [context.partition_key]})


def reading(annotation: Any, see: Callable[[Any], Any]) -> Any:
    def reader(table: Any) -> Any:
        return see(table)

    reader.__annotations__["table"] = annotation
    return asset(code_version="1", name="reader")(reader)


KINDS: list[tuple[Any, type, Callable[[Any], list[int]]]] = [
    (pd.DataFrame, pd.DataFrame, lambda found: found["n"].tolist()),
    (pa.Table, pa.Table, lambda found: found["n"].to_pylist()),
    (ds.Dataset, ds.Dataset, lambda found: found.to_table()["n"].to_pylist()),
    (duckdb.DuckDBPyRelation, duckdb.DuckDBPyRelation, lambda found: [n for (n,) in found.project("n").fetchall()]),
    (dict[str, pd.DataFrame], dict, lambda found: [each["n"].item() for each in found.values()]),
    (dict[str, pa.Table], dict, lambda found: [each["n"][0].as_py() for each in found.values()]),
    (list[Path], list, lambda found: [pd.read_parquet(path)["n"].item() for path in found]),
]


@pytest.mark.parametrize(("annotation", "container", "values"), KINDS, ids=[str(kind[0]) for kind in KINDS])
@pytest.mark.parametrize(("upstream", "expected"), [(table, [30, 31, 1, 2]), (table_of_one, [30])])
def test_one_partition_or_many_the_container_is_the_same(
    annotation: Any, container: type, values: Callable[[Any], list[int]], upstream: Any, expected: list[int]
) -> None:
    def see(found: Any) -> list[int]:
        assert isinstance(found, container)
        return values(found)

    assert materialize([upstream, reading(annotation, see)], now=NOW).value("reader") == expected


def test_a_dict_has_the_true_keys_of_the_upstream() -> None:
    result = materialize([table, reading(dict[str, pd.DataFrame], list)], now=NOW)

    assert result.value("reader") == ["2024-01-30", "2024-01-31", "2024-02-01", "2024-02-02"]


def test_a_dict_arrives_by_identity_too() -> None:
    @asset(partitions=DAYS)
    def down(context: AssetContext, table: dict[str, pd.DataFrame]) -> bool:
        return list(table) == [context.partition_key]

    assert materialize([table, down], now=NOW).value("down", "2024-02-01") is True


def test_plain_values_arrive_one_by_one_and_several_by_key() -> None:
    @asset(partitions=DAYS)
    def number(context: AssetContext) -> int:
        return context.partition_start.day

    @asset(partitions=DAYS)
    def same(number: int) -> int:
        return number

    @asset
    def total(same: dict[str, int]) -> int:
        return sum(same.values())

    @asset
    def bad(same: int) -> int:
        return same

    assert materialize([number, same, total], now=NOW).value("total") == 64
    said = message(materialize([number, same, bad], now=NOW))
    assert "same" in said


def test_an_unpartitioned_dict_is_the_value_itself() -> None:
    @asset
    def settings() -> dict[str, int]:
        return {"a": 1}

    @asset(partitions=DAYS)
    def down(settings: dict[str, int]) -> int:
        return settings["a"]

    assert materialize([settings, down], now=NOW).value("down", "2024-01-31") == 1


def test_two_relations_join_by_method_and_by_sql() -> None:
    @asset
    def customers() -> pd.DataFrame:
        return pd.DataFrame({"n": [30, 2], "name": ["x", "y"]})

    @asset
    def by_method(table: duckdb.DuckDBPyRelation, customers: duckdb.DuckDBPyRelation) -> int:
        return len(table.join(customers, "n").fetchall())

    @asset
    def by_sql(table: duckdb.DuckDBPyRelation, customers: duckdb.DuckDBPyRelation) -> list[str]:
        rows = duckdb.sql('select name from "table" join customers using (n) order by name').fetchall()
        return [name for (name,) in rows]

    @asset
    def lazily(table: duckdb.DuckDBPyRelation, customers: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
        return table.join(customers, "n").order("n")

    result = materialize([table, customers, by_method, by_sql, lazily], now=NOW)

    assert (result.value("by_method"), result.value("by_sql")) == (2, ["x", "y"])
    assert result.project.load("lazily", as_type=pa.Table).to_pydict() == {  # type: ignore[attr-defined]
        "n": [2, 30],
        "day": ["2024-02-02", "2024-01-30"],
        "name": ["y", "x"],
    }


def test_relations_join_in_a_batch_too() -> None:
    from assetflow import Batch

    @asset(partitions=DAYS)
    def other(context: AssetContext) -> pd.DataFrame:
        return pd.DataFrame({"day": [context.partition_key], "m": [1]})

    @asset(partitions=DAYS, batch=Batch(max_partitions=3))
    def down(table: duckdb.DuckDBPyRelation, other: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
        return table.join(other, "_partition").project('_partition as "partition", n + m as s')

    result = materialize([table, other, down], now=NOW)

    assert result.status == "success", result.failures
    assert result.project.load("down", "2024-02-02", as_type=pa.Table).to_pydict() == {"s": [3]}  # type: ignore[attr-defined]


def test_a_dataset_and_an_arrow_table_may_be_returned() -> None:
    @asset
    def arrow() -> pa.Table:
        return pa.table({"n": [1]})

    @asset
    def lazy(arrow: ds.Dataset) -> ds.Dataset:
        return arrow

    @asset
    def down(lazy: pd.DataFrame) -> int:
        return int(lazy["n"].sum())

    assert materialize([arrow, lazy, down]).value("down") == 1


def test_columns_load_only_those() -> None:
    seen: list[list[str]] = []

    @asset(inputs={"table": Input(table, columns=["day"])}, code_version="1")
    def down(table: pd.DataFrame) -> int:
        seen.append(list(table.columns))
        return 1

    materialize([table, down], now=NOW)

    assert seen == [["day"]]


def test_an_annotated_schema_is_enforced_and_optional_types_are_read() -> None:
    @asset
    def good() -> Annotated[pd.DataFrame, Numbers] | None:
        return pd.DataFrame({"n": [1], "text": ["a"]})

    @asset
    def bad(good: pd.DataFrame | None) -> Annotated[pd.DataFrame, Numbers]:
        assert good is not None
        return pd.DataFrame({"n": [1], "text": ["z"]})

    result = materialize([good, bad])

    assert result.counts["materialized"] == 1
    assert "text" in message(result)
