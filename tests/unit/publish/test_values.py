from __future__ import annotations

import asyncio
import math
import re
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from assetflow_io.json_values import JsonIOManager
from assetflow_io.memory import MemoryIOManager
from assetflow_io.parquet import ParquetIOManager
from assetflow_io.pickles import PickleIOManager

from assetflow.definitions.annotations import ANY, NOTHING, Arrival
from assetflow.definitions.schema import Field, Schema
from assetflow.definitions.values import NO_DATA
from assetflow.errors import OutputError, SchemaMismatch
from assetflow.fingerprint.data import hash_table, hash_value
from assetflow.io import InputContext, OutputContext, StagedOutput, table_as
from assetflow.keys import EMPTY_HASH
from assetflow.publish.schemas import read_schema
from assetflow.publish.values import Prepared, choose_manager, prepare, staged_value

PANDAS = Arrival("one", "pandas", pd.DataFrame)
FRAME = pd.DataFrame({"n": [1, 2], "text": ["a", "b"]})


def prepared(value: object, returns: Arrival = ANY, **options: Any) -> Prepared:
    return prepare(value, address="orders@a", returns=returns, nonce=b"7", **options)


def value_of(kind: object) -> Arrival:
    return Arrival("one", "value", kind)


def test_a_table_is_ready_with_its_facts() -> None:
    made = prepared(FRAME, PANDAS)
    assert made.kind == "table"
    assert made.value is made.table
    assert (made.row_count, made.native, made.empty) == (2, "pandas", False)
    assert made.data_hash == hash_table(pa.table({"n": [1, 2], "text": ["a", "b"]}))
    assert made.schema is not None
    assert read_schema(made.schema) == pa.schema([("n", pa.int64()), ("text", pa.string())])


def test_equal_tables_of_two_libraries_have_equal_schema_and_hash() -> None:
    arrow = prepared(pa.table({"n": [1, 2], "text": pa.array(["a", "b"]).dictionary_encode()}))
    assert (arrow.schema, arrow.data_hash) == (prepared(FRAME).schema, prepared(FRAME).data_hash)
    assert arrow.native == "arrow"


def test_a_table_that_was_loaded_and_returned_is_of_the_library_that_returned_it() -> None:
    stored = prepared(FRAME).table
    assert stored is not None
    assert prepared(table_as(stored, pa.Table, "orders")).native == "arrow"
    assert prepared(table_as(stored, pd.DataFrame, "orders")).native == "pandas"


def test_no_data_is_empty_whatever_is_declared() -> None:
    for returns in (ANY, NOTHING, PANDAS, value_of(int)):
        made = prepared(NO_DATA, returns)
        assert (made.kind, made.empty, made.data_hash) == ("none", True, EMPTY_HASH)


def test_an_external_effect_is_new_each_time() -> None:
    first, second = (prepare(None, address="sent", returns=NOTHING, nonce=nonce) for nonce in (b"1", b"2"))
    assert (first.kind, first.empty) == ("none", False)
    assert first.data_hash != second.data_hash


@pytest.mark.parametrize("value", [FRAME, [1], ("a", 1)])
def test_without_hashing_only_the_nonce_counts(value: object) -> None:
    hashes = {prepare(value, address="x", returns=ANY, nonce=nonce, hashing="none").data_hash for nonce in (b"1", b"2")}
    assert len(hashes) == 2
    assert None not in hashes


def test_relations_are_hashed_without_the_order_of_rows_by_default() -> None:
    one, other = (duckdb.sql(f"select * from (values {rows}) as t(n)") for rows in ("(1), (2)", "(2), (1)"))
    assert prepared(one).data_hash == prepared(other).data_hash
    assert prepared(one, hashing="ordered").data_hash != prepared(other, hashing="ordered").data_hash


def test_other_tables_are_hashed_with_the_order_of_rows_by_default() -> None:
    assert prepared(FRAME).data_hash != prepared(FRAME[::-1]).data_hash
    assert prepared(FRAME, hashing="rows").data_hash == prepared(FRAME[::-1], hashing="rows").data_hash


def test_the_schema_is_enforced_and_rounds_for_the_hash_only() -> None:
    class Prices(Schema):
        price: float = Field(ge=0, decimals=1)

    one, other = (prepared(pa.table({"price": [value]}), schema=Prices) for value in (1.01, 1.02))
    assert one.data_hash == other.data_hash
    assert other.table is not None
    assert other.table.column("price").to_pylist() == [1.02]
    with pytest.raises(SchemaMismatch, match="orders@a: the output does not fit the schema Prices"):
        prepared(pa.table({"price": [-1.0]}), Arrival("one", "arrow", pa.Table, Prices))


def test_the_hash_of_a_large_table_may_come_later_and_is_the_same() -> None:
    large = pa.table({"n": np.arange(5_000_000)})
    later = prepared(large, overlap=True)
    assert later.data_hash is None
    assert later.pending is not None
    assert later.pending.result() == prepared(large).data_hash


def test_a_large_table_without_a_hash_names_the_place_when_asked() -> None:
    union = pa.UnionArray.from_dense(pa.array([0], pa.int8()), pa.array([0], pa.int32()), [pa.array([1])])
    later = prepared(pa.table({"n": np.arange(5_000_000), "u": pa.repeat(union[0], 5_000_000)}), overlap=True)
    assert later.pending is not None
    with pytest.raises(OutputError, match="orders@a: "):
        later.pending.result()


def test_a_small_table_is_hashed_at_once() -> None:
    assert prepared(FRAME, overlap=True).data_hash == prepared(FRAME).data_hash


def test_only_a_table_has_a_schema() -> None:
    class Prices(Schema):
        price: float

    with pytest.raises(OutputError, match="orders@a: returned a list, and only a table can have a schema"):
        prepared([1.0], schema=Prices)


@pytest.mark.parametrize("value", [{"a": [1, 2.5, None, True, "x"]}, [], "", 0, math.inf, {"": {}}])
def test_what_json_gives_back_is_plain(value: object) -> None:
    made = prepared(value)
    assert (made.kind, made.value, made.data_hash) == ("plain", value, hash_value(value))


@pytest.mark.parametrize("value", [(1, 2), {1: "a"}, {"a": (1,)}, {1, 2}, OrderedDict(a=1), b"x", "\ud800", [10**5000]])
def test_what_json_would_change_is_an_object(value: object) -> None:
    made = prepared(value)
    assert (made.kind, made.data_hash) == ("object", None)
    assert made.value is value


def test_numpys_numbers_are_plain_unless_they_are_declared() -> None:
    made = prepared({"mean": np.float64(0.5), "n": np.int64(3)}, value_of(dict[str, float]))
    assert (made.kind, repr(made.value)) == ("plain", "{'mean': 0.5, 'n': 3}")
    assert type(prepared(np.float64(0.5), value_of(float)).value) is float
    declared = prepared(np.float32(0.5), value_of(np.float32))
    assert (declared.kind, type(declared.value)) == ("object", np.float32)


async def _coroutine() -> int:
    return 1


@pytest.mark.parametrize(
    ("value", "returns", "message", "hint"),
    [
        (None, ANY, "returned None", "return NO_DATA for a partition without data"),
        (None, PANDAS, "returned None", "return NO_DATA for a partition without data"),
        (5, NOTHING, "returned an int, but its annotation says that it returns nothing", "annotate what it returns"),
        ((n for n in [1]), ANY, "returned a generator, which can be read only once", "return a list"),
        (map(str, [1]), ANY, "returned a map, which can be read only once", "return a list"),
        (math, ANY, "returned the module math", "return a value"),
        ([1], PANDAS, "returned a list, but its annotation says pandas.DataFrame", "mend the function or"),
        (pa.table({"n": [1]}), PANDAS, "returned a Table, but its annotation says pandas.DataFrame", "mend the"),
        (FRAME, value_of(dict[str, int]), "returned a DataFrame, but its annotation says dict[str, int]", "mend"),
        ("1", value_of(int), "returned a str, but its annotation says int", "mend the function or"),
        (1.5, value_of(int), "returned a float, but its annotation says int", "mend the function or"),
        (pd.DataFrame({1: [1]}), ANY, "the column name 1 is of type int", "rename the columns"),
    ],
)
def test_what_cannot_be_published_is_refused(value: object, returns: Arrival, message: str, hint: str) -> None:
    with pytest.raises(OutputError, match=re.escape(f"orders@a: {message}")) as caught:
        prepared(value, returns)
    assert caught.value.hint is not None
    assert caught.value.hint.startswith(hint)


def test_a_coroutine_is_refused() -> None:
    coroutine = _coroutine()
    with pytest.raises(OutputError, match="orders@a: returned a coroutine") as caught:
        prepared(coroutine)
    assert caught.value.hint == "an asset is an ordinary function, not async"
    asyncio.run(coroutine)


def test_a_type_without_a_hash_names_the_place() -> None:
    union = pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])])
    with pytest.raises(OutputError, match=r"^orders@a: "):
        prepared(pa.table({"u": union}))


@pytest.mark.parametrize(
    ("value", "manager"), [(FRAME, "parquet"), ({"a": 1}, "json"), ((1, 2), "pickle"), (object(), "pickle")]
)
def test_the_manager_follows_the_value_unless_it_is_declared(value: object, manager: str) -> None:
    assert choose_manager(prepared(value), None) == manager
    assert choose_manager(prepared(value), "mine") == "mine"


class FrameManager:
    """As a user may write one: it knows pandas only."""

    name = "frames"
    versioned = True
    external = False
    cross_process = True
    types: tuple[type, ...] = (pd.DataFrame,)

    def stage(self, context: OutputContext, value: object) -> StagedOutput:
        raise NotImplementedError

    def load(self, context: InputContext, expected_type: type) -> object:
        raise NotImplementedError


def test_a_manager_gets_what_it_takes() -> None:
    made = prepared(FRAME.set_index(pd.Index([5, 6])))
    assert staged_value(made, ParquetIOManager(), "orders") is made.table
    assert staged_value(made, MemoryIOManager(), "orders") is made.table
    for manager in (PickleIOManager(), FrameManager()):
        given = staged_value(made, manager, "orders")
        assert isinstance(given, pd.DataFrame)
        pd.testing.assert_frame_equal(given, FRAME)
    assert isinstance(staged_value(prepared(pa.table({"n": [1]})), FrameManager(), "orders"), pd.DataFrame)
    assert isinstance(staged_value(prepared(pa.table({"n": [1]})), PickleIOManager(), "orders"), pa.Table)
    assert staged_value(prepared({"a": 1}), JsonIOManager(), "orders") == {"a": 1}


@pytest.mark.parametrize(
    ("value", "manager", "message"),
    [
        (FRAME, JsonIOManager(), "io_manager 'json' cannot store a DataFrame; it takes dict, list, str"),
        ((1, 2), JsonIOManager(), "io_manager 'json' cannot store a tuple; it takes dict"),
        ({"a": 1}, ParquetIOManager(), "io_manager 'parquet' cannot store a dict; it takes Table, DataFrame"),
    ],
)
def test_a_manager_that_takes_nothing_of_the_kind_is_named(value: object, manager: Any, message: str) -> None:
    with pytest.raises(OutputError, match=re.escape(f"orders@a: {message}")) as caught:
        staged_value(prepared(value), manager, "orders@a")
    assert caught.value.hint == "leave io_manager= out to have one chosen, or return another type"


def test_sequences_by_annotation() -> None:
    assert prepared([1], value_of(Sequence[int])).kind == "plain"
