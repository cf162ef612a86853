from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from assetflow_io.json_values import JsonIOManager
from assetflow_io.memory import MemoryIOManager
from assetflow_io.parquet import ParquetIOManager
from assetflow_io.pickles import PickleIOManager

from assetflow.definitions.annotations import ANY, PATHS, Arrival
from assetflow.errors import InputError
from assetflow.io import IOManager, StoredPartition, duckdb_connection
from assetflow.publish.loading import load_batch_input, load_input
from assetflow.publish.schemas import schema_bytes
from tests.contract.io_manager_contract import Shelf

PANDAS = Arrival("one", "pandas", pd.DataFrame)
ARROW = Arrival("one", "arrow", pa.Table)
DATASET = Arrival("one", "dataset", ds.Dataset)
DUCKDB = Arrival("one", "duckdb", duckdb.DuckDBPyRelation)
TABLES = (PANDAS, ARROW, DATASET, DUCKDB)
KNOWN = schema_bytes(pa.schema([("n", pa.int64()), ("text", pa.string())]))


@dataclass(frozen=True)
class Part:
    key: str | None
    stored: StoredPartition | None
    io_manager: str | None


class World:
    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        managers = (ParquetIOManager(), JsonIOManager(), PickleIOManager(), MemoryIOManager())
        self.managers: dict[str, IOManager] = {manager.name: manager for manager in managers}

    def put(self, value: object, key: str | None = "a", manager: str | None = None) -> Part:
        name = manager or ("parquet" if isinstance(value, pd.DataFrame | pa.Table) else "json")
        stored = self._shelf.put(self.managers[name], value, key)
        return Part(key, stored, name)

    def load(self, arrival: Arrival, *parts: Part, **options: Any) -> Any:
        return load_input(arrival, parts, self.managers, **options)

    def batch(self, arrival: Arrival, parts: dict[str, list[Part]], **options: Any) -> Any:
        return load_batch_input(arrival, parts, self.managers, **options)


@pytest.fixture
def world(shelf: Shelf) -> World:
    return World(shelf)


def empty(key: str) -> Part:
    return Part(key, None, None)


def rows(table: Any) -> list[dict[str, Any]]:
    if isinstance(table, pd.DataFrame):
        return table.to_dict("records")
    if isinstance(table, ds.Dataset):
        table = table.to_table()
    if isinstance(table, duckdb.DuckDBPyRelation):
        table = table.to_arrow_table()
    return table.to_pylist()


def frame(*numbers: int) -> pd.DataFrame:
    return pd.DataFrame({"n": numbers})


def dict_of(arrival: Arrival) -> Arrival:
    return Arrival("dict", arrival.type, arrival.python)


@pytest.mark.parametrize("arrival", TABLES)
@pytest.mark.parametrize("count", [1, 2])
def test_the_container_is_the_same_for_one_partition_and_many(world: World, arrival: Arrival, count: int) -> None:
    loaded = world.load(arrival, *(world.put(frame(number), str(number)) for number in range(count)))
    assert isinstance(loaded, arrival.python)
    assert rows(loaded) == [{"n": number} for number in range(count)]


@pytest.mark.parametrize("arrival", TABLES)
def test_empty_partitions_are_skipped(world: World, arrival: Arrival) -> None:
    assert rows(world.load(arrival, empty("a"), world.put(frame(1), "b"), empty("c"))) == [{"n": 1}]


@pytest.mark.parametrize("arrival", TABLES)
@pytest.mark.parametrize("parts", [(), (empty("a"),)])
def test_where_nothing_is_left_a_table_has_the_known_columns(
    world: World, arrival: Arrival, parts: tuple[Part, ...]
) -> None:
    loaded = world.load(arrival, *parts, known_schema=KNOWN)
    assert isinstance(loaded, arrival.python)
    assert rows(loaded) == []
    assert list(loaded.schema.names if isinstance(loaded, ds.Dataset) else pd_columns(loaded)) == ["n", "text"]
    assert list(pd_columns(world.load(PANDAS, *parts, known_schema=KNOWN, columns=["text"]))) == ["text"]
    assert isinstance(world.load(PANDAS, *parts), pd.DataFrame)


def pd_columns(table: Any) -> Any:
    return table.column_names if isinstance(table, pa.Table) else table.columns


@pytest.mark.parametrize("parts", [(), (empty("a"),)])
def test_where_nothing_is_left_other_containers_are_empty(world: World, parts: tuple[Part, ...]) -> None:
    assert world.load(dict_of(PANDAS), *parts) == {}
    assert world.load(PATHS, *parts) == []
    assert world.load(Arrival("one", "value", int), *parts) is None
    assert world.load(ANY, *parts) is None
    assert isinstance(world.load(ANY, *parts, known_schema=KNOWN), pd.DataFrame)


def test_a_dict_has_the_true_keys_in_order_without_the_empty_ones(world: World) -> None:
    keys = ["b", "a|b", "../x"]
    loaded = world.load(dict_of(PANDAS), *(world.put(frame(1), key) for key in keys[:2]), empty(keys[2]))
    assert list(loaded) == ["b", "a|b"]
    assert all(isinstance(table, pd.DataFrame) for table in loaded.values())
    assert world.load(dict_of(Arrival("one", "value", int)), world.put(5, "a")) == {"a": 5}
    anything = world.load(dict_of(ANY), world.put(5, "a"), world.put(frame(1), "b"))
    assert (anything["a"], type(anything["b"])) == (5, pd.DataFrame)


def test_a_dict_of_an_unpartitioned_upstream_is_its_value(world: World) -> None:
    arrival = Arrival("dict", "value", int)
    assert world.load(arrival, world.put({"x": 1}, None)) == {"x": 1}
    with pytest.raises(InputError, match="raw/orders: holds a list, and the annotation says dict"):
        world.load(arrival, world.put([1], None))


def test_paths_are_those_of_the_files(world: World) -> None:
    parts = [world.put(frame(1), "a"), empty("b"), world.put(frame(2), "c")]
    loaded = world.load(PATHS, *parts)
    assert [path.parent.parent.name for path in loaded] == ["a", "c"]
    assert all(isinstance(path, Path) and path.is_file() for path in loaded)


def test_a_value_in_the_record_has_no_path(world: World) -> None:
    with pytest.raises(InputError, match="raw/orders@a: has no files; its value is kept in the version record"):
        world.load(PATHS, world.put(5))


def test_a_plain_value_arrives_as_it_is(world: World) -> None:
    assert world.load(Arrival("one", "value", float), world.put(5)) == 5
    assert world.load(ANY, world.put({"a": 1}, None)) == {"a": 1}
    assert world.load(ANY, world.put((1, 2), None, "pickle")) == (1, 2)


def test_a_plain_value_is_judged_by_its_annotation(world: World) -> None:
    with pytest.raises(InputError, match="raw/orders@a: holds a str, and the annotation says int") as caught:
        world.load(Arrival("one", "value", int), world.put("text"))
    assert caught.value.hint == "annotate the parameter with the type that the asset returns"


@pytest.mark.parametrize("count", [1, 2])
def test_several_plain_values_need_a_dict_however_many_there_are(world: World, count: int) -> None:
    parts = [world.put(number, str(number)) for number in range(count)]
    with pytest.raises(InputError, match="raw/orders: several of its partitions arrive, which int cannot hold") as e:
        world.load(Arrival("one", "value", int), *parts, many=True)
    assert e.value.hint == "annotate dict[str, int] to get them by partition key"
    assert world.load(ANY, *parts, many=True) == {str(number): number for number in range(count)}


def test_unannotated_tables_arrive_as_they_were_returned(world: World) -> None:
    assert isinstance(world.load(ANY, world.put(frame(1)), world.put(frame(2))), pd.DataFrame)
    assert isinstance(world.load(ANY, world.put(pa.table({"n": [1]}))), pa.Table)


@pytest.mark.parametrize("arrival", TABLES)
def test_tables_of_several_managers_are_put_together(world: World, arrival: Arrival) -> None:
    parts = [
        world.put(frame(number), str(number), manager)
        for number, manager in enumerate(("parquet", "parquet", "pickle", "memory", "pickle", "parquet"))
    ]
    loaded = world.load(arrival, *parts)
    assert isinstance(loaded, arrival.python)
    assert [row["n"] for row in rows(loaded)] == list(range(6))


@pytest.mark.parametrize("manager", ["pickle", "json"])
def test_a_value_does_not_arrive_as_a_table(world: World, manager: str) -> None:
    with pytest.raises(InputError, match="raw/orders@a: holds a dict, which cannot arrive as a table"):
        world.load(PANDAS, world.put({"n": 1}, manager=manager))


def test_a_table_does_not_arrive_as_a_value(world: World) -> None:
    with pytest.raises(InputError, match="raw/orders@a: holds a DataFrame, and the annotation says int"):
        world.load(Arrival("one", "value", int), world.put(frame(1)))


def test_a_manager_that_is_gone_is_named(world: World) -> None:
    part = world.put(5)
    with pytest.raises(InputError, match=re.escape("raw/orders@a: was stored by the IO manager 'mine'")) as caught:
        world.load(ANY, Part("a", part.stored, "mine"))
    assert caught.value.hint == "add it to Definitions(io_managers=...), or rebuild that asset with --force"


@pytest.mark.parametrize("manager", ["parquet", "pickle", "memory"])
@pytest.mark.parametrize("arrival", TABLES)
def test_only_the_columns_that_are_asked_for_arrive_in_that_order(world: World, arrival: Arrival, manager: str) -> None:
    part = world.put(pd.DataFrame({"a": [1], "b": [2], "c": [3]}), "x", manager)
    assert [list(row) for row in rows(world.load(arrival, part, columns=["c", "a"]))] == [["c", "a"]]


@pytest.mark.parametrize("arrival", TABLES)
def test_a_column_that_is_not_there_is_named(world: World, arrival: Arrival) -> None:
    with pytest.raises(InputError, match=r"raw/orders: has no column 'missing'") as caught:
        world.load(arrival, world.put(frame(1)), columns=["n", "missing"])
    assert caught.value.hint == "mend columns= of that Input"


def test_relations_of_one_connection_join(world: World) -> None:
    connection = duckdb_connection()
    left, right = (
        world.load(DUCKDB, world.put(frame(1, 2), manager=manager), connection=connection)
        for manager in ("parquet", "pickle")
    )
    assert sorted(left.set_alias("l").join(right.set_alias("r"), "n").project("n").fetchall()) == [(1,), (2,)]


@pytest.mark.parametrize("arrival", TABLES)
def test_in_a_batch_tables_carry_the_downstream_key_and_repeat(world: World, arrival: Arrival) -> None:
    first, second = world.put(frame(1), "a"), world.put(frame(2), "b")
    loaded = world.batch(arrival, {"x": [first], "y": [first, second], "z": []})
    assert isinstance(loaded, arrival.python)
    assert rows(loaded) == [
        {"n": 1, "_partition": "x"},
        {"n": 1, "_partition": "y"},
        {"n": 2, "_partition": "y"},
    ]


@pytest.mark.parametrize("arrival", [*TABLES, ANY])
def test_in_a_batch_without_data_the_known_columns_arrive(world: World, arrival: Arrival) -> None:
    loaded = world.batch(arrival, {"x": [empty("a")], "y": []}, known_schema=KNOWN)
    assert rows(loaded) == []
    names = loaded.schema.names if isinstance(loaded, ds.Dataset) else list(pd_columns(loaded))
    assert names == ["n", "text", "_partition"]


def test_in_a_batch_a_dict_has_the_upstreams_keys(world: World) -> None:
    first, second = world.put(frame(1), "a"), world.put(frame(2), "b")
    loaded = world.batch(dict_of(PANDAS), {"x": [first, empty("c")], "y": [first, second]})
    assert {key: rows(table) for key, table in loaded.items()} == {
        "a": [{"n": 1, "_partition": "x"}, {"n": 1, "_partition": "y"}],
        "b": [{"n": 2, "_partition": "y"}],
    }


def test_in_a_batch_everything_else_arrives_once(world: World) -> None:
    whole, files = world.put(5, None), world.put(frame(1), "a")
    assert world.batch(Arrival("one", "value", int), {"x": [whole], "y": [whole]}) == 5
    assert len(world.batch(PATHS, {"x": [files], "y": [files]})) == 1
    values = [world.put(number, str(number)) for number in range(2)]
    by_key = {"x": [values[0]], "y": values}
    assert world.batch(Arrival("dict", "value", int), by_key) == {"0": 0, "1": 1}
    assert world.batch(ANY, by_key) == {"0": 0, "1": 1}
    with pytest.raises(InputError, match="several of its partitions arrive, which int cannot hold"):
        world.batch(Arrival("one", "value", int), {"x": [values[0]]})


def test_in_a_batch_the_columns_asked_for_arrive_with_the_key(world: World) -> None:
    part = world.put(pd.DataFrame({"a": [1], "b": [2]}))
    assert rows(world.batch(PANDAS, {"x": [part]}, columns=["b"])) == [{"b": 2, "_partition": "x"}]


def test_in_a_batch_the_name_of_the_key_must_be_free(world: World) -> None:
    part = world.put(pd.DataFrame({"_partition": ["mine"]}))
    with pytest.raises(InputError, match="raw/orders@a: has a column '_partition', which a batch would overwrite") as e:
        world.batch(PANDAS, {"x": [part]})
    assert e.value.hint == "rename that column upstream, or leave batch= out"
