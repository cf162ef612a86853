from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from assetflow_io.json_values import JsonIOManager
from assetflow_io.memory import MemoryIOManager
from assetflow_io.parquet import ParquetIOManager

from assetflow.catalog.datasets import PublishedData, asset_dataset
from assetflow.catalog.query import Tables, run_query
from assetflow.definitions.schema import Schema
from assetflow.errors import DataMissing, InvalidQuery
from assetflow.io import IOManager, OutputContext
from assetflow.keys import AssetKey, DataHash, VersionId
from assetflow.publish.folders import Storage
from assetflow.store.records import VersionRecord

ORDERS = AssetKey("raw/orders")
AWKWARD = ["../../etc/passwd", "x'; drop table t; --", 'quo"te', "a|b@c...d", "🙂" * 100, "%25 %40", "k" * 500]


class Shelf:
    """Versions written through an IO manager, as publishing would record them."""

    def __init__(self, root: Path, *managers: IOManager) -> None:
        self.storage = Storage(root)
        self.managers = {manager.name: manager for manager in managers or (ParquetIOManager(),)}
        self.versions: list[tuple[str | None, VersionRecord]] = []

    def put(self, key: str | None, value: object, manager: str = "parquet") -> VersionRecord:
        number = VersionId(len(self.versions) + 1)
        location = self.storage.location(ORDERS, f"p{number}", number)
        context = OutputContext(ORDERS, key, number, lambda: self.storage.create(location))
        staged = self.managers[manager].stage(context, value)
        files = self.storage.seal(location, asset=ORDERS, partition=key, version=number) if staged.files else ()
        now = datetime(2025, 1, 31, tzinfo=UTC)
        record = VersionRecord(
            number,
            ORDERS,
            1,
            number,
            "run",
            "published",
            now,
            DataHash("a1:" + "1" * 32),
            io_manager=manager,
            location=location if files else None,
            files=files,
            inline=staged.inline,
            schema=value.schema.serialize().to_pybytes() if isinstance(value, pa.Table) else None,
        )
        self.versions.append((key, record))
        return record

    def query(self, sql: str) -> object:
        data = PublishedData(ORDERS, any(key is not None for key, _ in self.versions), self.versions)
        given = Tables({}, {ORDERS: lambda: asset_dataset(data, self.managers, self.storage)})
        return run_query(sql, given).to_dict()["rows"]


def table(**columns: Sequence[object]) -> pa.Table:
    return pa.table({name: pa.array(values) for name, values in columns.items()})


def test_partitions_come_with_their_true_keys(tmp_path: Path):
    shelf = Shelf(tmp_path)
    for number, key in enumerate(AWKWARD):
        shelf.put(key, table(n=[number]))
    assert shelf.query('select partition, n from "data"."raw/orders" order by n') == [
        [key, number] for number, key in enumerate(AWKWARD)
    ]
    literal = AWKWARD[1].replace("'", "''")
    assert shelf.query(f'select n from "data"."raw/orders" where partition = \'{literal}\'') == [[1]]


def test_an_unpartitioned_asset_has_no_such_column(tmp_path: Path):
    shelf = Shelf(tmp_path)
    shelf.put(None, table(n=[1, 2]))
    assert shelf.query('select * from "data"."raw/orders"') == [[1], [2]]


def test_a_condition_on_the_key_opens_only_that_file(tmp_path: Path):
    shelf = Shelf(tmp_path)
    records = [shelf.put(key, table(n=[1])) for key in ("a", "b")]
    data = PublishedData(ORDERS, True, shelf.versions)
    dataset = asset_dataset(data, shelf.managers, shelf.storage)
    location = records[1].location
    assert location is not None
    (shelf.storage.folder(location) / "data.parquet").unlink()
    given = Tables({}, {"orders": lambda: dataset})
    assert run_query("select n from data.orders where partition = 'a'", given).to_dict()["rows"] == [[1]]


def test_columns_of_different_types_widen(tmp_path: Path):
    shelf = Shelf(tmp_path)
    shelf.put("a", table(n=[1], text=[None]))
    shelf.put("b", table(n=[0.5], text=["x"]))
    shelf.put("c", table(n=[2]))
    rows = shelf.query('select partition, n, text from "data"."raw/orders" order by 1')
    assert rows == [["a", 1.0, None], ["b", 0.5, "x"], ["c", 2.0, None]]


def test_the_key_hides_a_column_of_the_same_name(tmp_path: Path):
    shelf = Shelf(tmp_path)
    shelf.put("a", table(partition=["own"], n=[1]))
    assert shelf.query('select partition, n from "data"."raw/orders"') == [["a", 1]]


def test_several_formats_are_one_table(tmp_path: Path):
    shelf = Shelf(tmp_path, ParquetIOManager(), MemoryIOManager())
    shelf.put("a", table(n=[1]))
    shelf.put("b", table(n=[2], partition=["own"]), "memory")
    assert shelf.query('select partition, n from "data"."raw/orders" order by 1') == [["a", 1], ["b", 2]]


def test_plain_values_do_not_read_as_a_table(tmp_path: Path):
    shelf = Shelf(tmp_path, JsonIOManager())
    shelf.put("a", {"n": 1}, "json")
    with pytest.raises(InvalidQuery, match="raw/orders does not read as a table: it is stored as json") as caught:
        shelf.query('select * from "data"."raw/orders"')
    assert caught.value.hint == (
        "see it with `assetflow show raw/orders@a`, or in Python by project.load('raw/orders')"
    )


def test_a_lost_file_is_named(tmp_path: Path):
    shelf = Shelf(tmp_path)
    record = shelf.put("a", table(n=[1]))
    assert record.location is not None
    (shelf.storage.folder(record.location) / "data.parquet").unlink()
    with pytest.raises(DataMissing, match="raw/orders@a: version 1 has lost its file"):
        shelf.query('select * from "data"."raw/orders"')


def test_without_data_the_declared_columns_are_there(tmp_path: Path):
    class Order(Schema):
        n: int
        when: datetime | None

    shelf = Shelf(tmp_path)
    dataset = asset_dataset(PublishedData(ORDERS, True, (), schema=Order), shelf.managers, shelf.storage)
    assert dataset.schema.names == ["n", "when", "partition"]
    assert dataset.count_rows() == 0
    recorded = pa.schema([("n", pa.int64())]).serialize().to_pybytes()
    dataset = asset_dataset(PublishedData(ORDERS, False, (), last_schema=recorded), shelf.managers, shelf.storage)
    assert dataset.schema.names == ["n"]


def test_without_data_and_columns_nothing_is_there(tmp_path: Path):
    shelf = Shelf(tmp_path)
    with pytest.raises(InvalidQuery, match="raw/orders has published no table yet") as caught:
        asset_dataset(PublishedData(ORDERS, True, ()), shelf.managers, shelf.storage)
    assert caught.value.hint == "assetflow materialize --select raw/orders"
