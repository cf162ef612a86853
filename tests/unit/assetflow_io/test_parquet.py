from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from assetflow_io.parquet import ParquetIOManager

from assetflow.errors import DataMissing, DataUnreadable, InputError, OutputError
from assetflow.io import InputContext
from tests.contract.io_manager_contract import Shelf, load

PARQUET = ParquetIOManager()
FRAME = pd.DataFrame({"n": [1, 2], "text": ["a", None], "at": pd.to_datetime(["2024-01-01", None])})


def test_one_zstd_file_with_its_rows_counted(shelf: Shelf) -> None:
    stored = shelf.put(PARQUET, FRAME)
    assert stored.row_count == 2
    assert stored.file().path.name == "data.parquet"
    assert pq.ParquetFile(stored.file().path).metadata.row_group(0).column(0).compression == "ZSTD"


@pytest.mark.parametrize("expected", [pd.DataFrame, pa.Table, ds.Dataset, duckdb.DuckDBPyRelation])
@pytest.mark.parametrize("count", [1, 3])
def test_every_type_holds_the_rows_of_one_partition_or_many(shelf: Shelf, expected: type, count: int) -> None:
    stored = [shelf.put(PARQUET, pa.table({"n": [part]}), f"p{part}") for part in range(count)]
    loaded = load(PARQUET, *stored, expected=expected)
    assert isinstance(loaded, expected)
    if isinstance(loaded, duckdb.DuckDBPyRelation):
        rows = [row[0] for row in loaded.fetchall()]
    else:
        table = loaded.to_table() if isinstance(loaded, ds.Dataset) else loaded
        rows = list(pd.Series(table["n"].to_pylist() if isinstance(table, pa.Table) else table["n"]))
    assert rows == list(range(count))


def test_as_stored_is_pandas_for_pandas_and_arrow_for_the_rest(shelf: Shelf) -> None:
    assert isinstance(load(PARQUET, shelf.put(PARQUET, FRAME)), pd.DataFrame)
    assert isinstance(load(PARQUET, shelf.put(PARQUET, pa.table({"n": [1]}))), pa.Table)
    assert isinstance(load(PARQUET, shelf.put(PARQUET, duckdb.sql("select 1 as n"))), pa.Table)
    assert isinstance(load(PARQUET, shelf.put(PARQUET, pa.table({"n": [1]}).to_reader())), pa.Table)


def test_a_reader_is_written_batch_by_batch(shelf: Shelf) -> None:
    batches = pa.table({"n": range(10)}).to_batches(max_chunksize=3)
    stored = shelf.put(PARQUET, pa.RecordBatchReader.from_batches(batches[0].schema, iter(batches)))
    assert stored.row_count == 10
    assert load(PARQUET, stored, expected=pa.Table).column("n").to_pylist() == list(range(10))


def test_a_named_index_comes_back_and_an_unnamed_one_does_not(shelf: Shelf) -> None:
    named = FRAME.set_index("n")
    stored = [shelf.put(PARQUET, named, key) for key in "ab"]
    pd.testing.assert_frame_equal(load(PARQUET, stored[0]), named)
    pd.testing.assert_frame_equal(load(PARQUET, *stored), pd.concat([named, named]))
    pd.testing.assert_frame_equal(load(PARQUET, shelf.put(PARQUET, FRAME[1:])), FRAME[1:].reset_index(drop=True))


def test_a_named_index_stays_when_columns_are_asked_for(shelf: Shelf) -> None:
    stored = shelf.put(PARQUET, FRAME.set_index("n"))
    loaded = PARQUET.load(InputContext((stored,), ("text",)), pd.DataFrame)
    pd.testing.assert_frame_equal(loaded, FRAME.set_index("n")[["text"]])


def test_categories_of_several_partitions_are_united(shelf: Shelf) -> None:
    frames = [pd.DataFrame({"c": pd.Categorical(values)}) for values in (["a", "b"], ["z"])]
    stored = [shelf.put(PARQUET, frame) for frame in frames]
    assert load(PARQUET, *stored)["c"].tolist() == ["a", "b", "z"]
    mixed = shelf.put(PARQUET, pd.DataFrame({"c": ["q"]}))
    assert load(PARQUET, *stored, mixed)["c"].tolist() == ["a", "b", "z", "q"]


@pytest.mark.parametrize("expected", [pa.Table, ds.Dataset])
def test_types_of_several_partitions_widen(shelf: Shelf, expected: type) -> None:
    parts = [
        pa.table({"x": pa.array([None], pa.null())}),
        pa.table({"x": [2]}),
        pa.table({"x": [1.5], "late": ["new"]}),
    ]
    loaded = load(PARQUET, *(shelf.put(PARQUET, part) for part in parts), expected=expected)
    table = loaded.to_table() if isinstance(loaded, ds.Dataset) else loaded
    assert table.to_pydict() == {"x": [None, 2.0, 1.5], "late": [None, None, "new"]}


@pytest.mark.parametrize("expected", [pa.Table, ds.Dataset])
def test_types_that_do_not_fit_together_are_refused(shelf: Shelf, expected: type) -> None:
    stored = [shelf.put(PARQUET, pa.table({"x": values})) for values in ([1], ["text"])]
    with pytest.raises(InputError, match="raw/orders: the columns of its partitions do not fit together") as caught:
        load(PARQUET, *stored, expected=expected)
    assert caught.value.hint == "declare a schema for that asset, or rebuild its old partitions with --force"


@pytest.mark.parametrize("expected", [pd.DataFrame, pa.Table, ds.Dataset])
def test_folder_names_never_become_columns(tmp_path: Path, expected: type) -> None:
    shelf = Shelf(tmp_path / "day=1")
    loaded = load(PARQUET, shelf.put(PARQUET, pa.table({"n": [1]}), "hour=2"), expected=expected)
    names = (
        loaded.schema.names
        if isinstance(loaded, ds.Dataset)
        else list(pd.DataFrame(loaded.to_pandas() if isinstance(loaded, pa.Table) else loaded))
    )
    assert names == ["n"]


def test_only_the_columns_asked_for_are_read(shelf: Shelf) -> None:
    stored = shelf.put(PARQUET, FRAME)
    assert PARQUET.load(InputContext((stored,), ("text",)), pa.Table).column_names == ["text"]


def test_a_relation_outlives_its_loading_and_is_read_by_plain_sql(shelf: Shelf) -> None:
    relation = load(PARQUET, shelf.put(PARQUET, FRAME), expected=duckdb.DuckDBPyRelation)
    assert relation.aggregate("sum(n)").fetchall() == [(3,)]
    assert duckdb.sql("select sum(n) from relation").fetchall() == [(3,)]


def test_the_mark_of_the_library_is_not_shown_to_users(shelf: Shelf) -> None:
    stored = shelf.put(PARQUET, pa.table({"n": [1]}, metadata={"mine": "yes"}))
    assert load(PARQUET, stored, expected=pa.Table).schema.metadata == {b"mine": b"yes"}
    assert load(PARQUET, stored, expected=ds.Dataset).schema.metadata == {b"mine": b"yes"}


@pytest.mark.parametrize("expected", [pd.DataFrame, ds.Dataset, duckdb.DuckDBPyRelation])
@pytest.mark.parametrize("content", [b"", b"no parquet at all", None])
def test_a_broken_file_names_asset_partition_version_and_file(
    shelf: Shelf, expected: type, content: bytes | None
) -> None:
    stored = shelf.put(PARQUET, FRAME)
    path = stored.file().path
    path.write_bytes(path.read_bytes()[:-20] if content is None else content)
    with pytest.raises(DataUnreadable) as caught:
        load(PARQUET, stored, expected=expected)
    assert f"raw/orders@2024-01-01: the file {path} of version 1 cannot be read: " in caught.value.message
    assert caught.value.hint == "rebuild it: assetflow materialize --select raw/orders --force"


@pytest.mark.parametrize("expected", [pd.DataFrame, ds.Dataset, duckdb.DuckDBPyRelation])
def test_a_lost_file_is_missing_at_once_also_for_lazy_types(shelf: Shelf, expected: type) -> None:
    stored = shelf.put(PARQUET, FRAME)
    stored.file().path.unlink()
    with pytest.raises(DataMissing, match=f"version 1 has lost its file {stored.file().path}"):
        load(PARQUET, stored, expected=expected)


def test_a_type_that_parquet_lacks_is_refused(shelf: Shelf) -> None:
    table = pa.table({"x": pa.array([None], pa.month_day_nano_interval())})
    with pytest.raises(
        OutputError, match="raw/orders@2024-01-01: the table cannot be written as parquet: Unhandled"
    ) as e:
        shelf.put(PARQUET, table)
    assert e.value.hint == "convert that column to another type, or use io_manager='pickle'"


def test_a_value_that_is_no_table_is_refused(shelf: Shelf) -> None:
    with pytest.raises(OutputError, match="raw/orders@2024-01-01: a value of type dict is not a table"):
        shelf.put(PARQUET, {"a": 1})


def test_it_cannot_arrive_as_something_else(shelf: Shelf) -> None:
    with pytest.raises(InputError, match="raw/orders: a stored table cannot arrive as dict") as caught:
        load(PARQUET, shelf.put(PARQUET, FRAME), expected=dict)
    assert caught.value.hint == "annotate pd.DataFrame, pa.Table, pa.dataset.Dataset or duckdb.DuckDBPyRelation"


def test_importing_it_imports_neither_pandas_nor_duckdb() -> None:
    costly = ("pandas", "duckdb", "pyarrow.dataset")
    code = f"import sys, assetflow_io.parquet; print([name for name in {costly} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": ":".join(sys.path)}
    )
    assert done.stdout.strip() == "[]"
