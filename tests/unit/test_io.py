from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from assetflow.errors import DataMissing, InputError, OutputError
from assetflow.io import (
    StoredPartition,
    arrow_table,
    concat_tables,
    duckdb_connection,
    native_library,
    table_as,
    table_types,
)
from assetflow.keys import AssetKey, VersionId

TABLE = pa.table({"n": [1, 2]})


@pytest.mark.parametrize(
    "value",
    [
        pd.DataFrame({"n": [1, 2]}),
        TABLE,
        TABLE.to_batches()[0],
        TABLE.to_reader(),
        ds.dataset(TABLE),
        duckdb.sql("select unnest([1, 2]) as n"),
    ],
)
def test_every_table_becomes_arrow(value: object) -> None:
    assert isinstance(value, table_types())
    table = arrow_table(value, "orders")
    assert table.column("n").to_pylist() == [1, 2]
    assert native_library(table) == ("pandas" if isinstance(value, pd.DataFrame) else "arrow")


def test_values_that_are_no_tables_are_told_apart() -> None:
    assert not isinstance([{"n": 1}], table_types())
    with pytest.raises(OutputError, match="orders: a value of type list is not a table"):
        arrow_table([1], "orders")


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame({3: [1]}), "the column name 3 is of type int; column names are text"),
        (
            pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])),
            "the column name ('a', 'b') is of type tuple; column names are text",
        ),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "the column name 'a' occurs more than once"),
        (pd.DataFrame({"a": [1]}, index=pd.Index([1], name="a")), "the index name 'a' is also a column"),
        (pd.DataFrame({"a": [1]}, index=pd.Index([1], name=5)), "the index name 5 is not text"),
        (pd.DataFrame({"a": [1, "x", {}]}), "the table has cells that no column type holds: "),
        (pd.DataFrame({"a": [2**70, 1.5, "x"]}), "the table has cells that no column type holds: "),
    ],
)
def test_frames_that_no_table_can_hold_are_refused(frame: pd.DataFrame, message: str) -> None:
    with pytest.raises(OutputError) as caught:
        arrow_table(frame, "orders@a")
    assert caught.value.message.startswith(f"orders@a: {message}")
    assert caught.value.hint


def test_an_arrow_table_with_a_repeated_name_is_refused() -> None:
    with pytest.raises(OutputError, match="orders: the column name 'n' occurs more than once"):
        arrow_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["n", "n"]), "orders")


def test_of_an_index_only_the_named_levels_stay() -> None:
    index = pd.MultiIndex.from_arrays([[1, 2], [3, 4]], names=["kept", None])
    frame = pd.DataFrame({"n": [5, 6]}, index=index)
    back = table_as(arrow_table(frame, "orders"), pd.DataFrame, "orders")
    pd.testing.assert_frame_equal(back, pd.DataFrame({"n": [5, 6]}, index=pd.Index([1, 2], name="kept")))
    assert list(frame.index.names) == ["kept", None]


@pytest.mark.parametrize(
    "column",
    [
        pd.array([1, None], dtype="Int64"),
        pd.Categorical(["a", None]),
        pd.to_datetime(["2024-01-01T00:00", None]).tz_localize("America/New_York"),
        pd.to_timedelta(["1h", None]),
        np.array([1.5, np.nan]),
        pd.array(["a", None], dtype="str"),
        [True, False],
    ],
)
def test_pandas_types_come_back(column: Any) -> None:
    frame = pd.DataFrame({"x": column})
    pd.testing.assert_frame_equal(table_as(arrow_table(frame, "orders"), object, "orders"), frame)


def test_tables_of_one_connection_join() -> None:
    connection = duckdb_connection()
    left, right = (table_as(TABLE, duckdb.DuckDBPyRelation, "t", connection=connection) for _ in range(2))
    assert sorted(left.set_alias("l").join(right.set_alias("r"), "n").project("n").fetchall()) == [(1,), (2,)]


def test_concatenation_keeps_the_last_partitions_library() -> None:
    frames = [arrow_table(pd.DataFrame({"n": [1]}), "t"), arrow_table(TABLE, "t")]
    assert native_library(concat_tables(frames, "t")) == "arrow"
    assert native_library(concat_tables(frames[::-1], "t")) == "pandas"


def test_a_table_does_not_arrive_as_anything_else() -> None:
    with pytest.raises(InputError, match="orders: a stored table cannot arrive as dict"):
        table_as(TABLE, dict, "orders")


def test_a_version_without_its_one_file_is_missing() -> None:
    stored = StoredPartition(AssetKey("orders"), "a@b", VersionId(4))
    with pytest.raises(DataMissing, match="orders@a%40b: version 4 records 0 files instead of one") as caught:
        stored.file()
    assert caught.value.hint == "rebuild it: assetflow materialize --select orders --force"
