from __future__ import annotations

import re
from datetime import date
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from assetflow.definitions.annotations import ANY, NOTHING, Arrival
from assetflow.definitions.values import NO_DATA
from assetflow.errors import OutputError
from assetflow.keys import AssetKey
from assetflow.publish.batches import SplitBatch, split_batch
from assetflow.publish.values import prepare

DAILY = AssetKey("daily")
PANDAS = Arrival("one", "pandas", pd.DataFrame)
BY_KEY = Arrival("dict", "pandas", pd.DataFrame)
KEYS = ["2024-01-01", "2024-01-02", "2024-01-03"]
FRAME = pd.DataFrame({"partition": [KEYS[1], KEYS[0], KEYS[1]], "n": [1, 2, 3], "_partition": ["x", "y", "z"]})


def split(value: object, returns: Arrival = ANY, column: str = "partition", keys: list[str] = KEYS) -> SplitBatch:
    return split_batch(value, keys, column, returns, DAILY)


def numbers(found: SplitBatch) -> dict[str, list[int]]:
    result: dict[str, list[int]] = {}
    for key, value in found.values.items():
        made = prepare(value, address="daily", returns=found.returns, nonce=b"")
        assert made.table is not None
        assert made.table.column_names == ["n"]
        assert not [name for name in made.table.schema.metadata or {} if name.startswith(b"assetflow.batch")]
        result[key] = made.table.column("n").to_pylist()
    return result


@pytest.mark.parametrize(
    ("value", "returns"),
    [
        (FRAME, PANDAS),
        (FRAME, ANY),
        (FRAME.astype({"partition": "category"}), PANDAS),
        (pa.table(FRAME), Arrival("one", "arrow", pa.Table)),
        (pa.table(FRAME.astype({"partition": "category"})), ANY),
        (pa.table(FRAME).to_reader(), ANY),
        (ds.dataset(pa.table(FRAME)), Arrival("one", "dataset", ds.Dataset)),
        (duckdb.sql("from FRAME"), Arrival("one", "duckdb", duckdb.DuckDBPyRelation)),
    ],
)
def test_a_table_is_split_by_its_column_in_its_order(value: object, returns: Arrival) -> None:
    found = split(value, returns)
    assert numbers(found) == {KEYS[0]: [2], KEYS[1]: [1, 3]}
    assert list(found.missing) == [KEYS[2]]


def test_a_pandas_table_stays_one_per_partition() -> None:
    assert all(isinstance(value, pd.DataFrame) for value in split(FRAME, PANDAS).values.values())


def test_another_column_may_hold_the_keys() -> None:
    frame = FRAME.drop(columns="partition").assign(_partition=FRAME["partition"])
    assert numbers(split(frame, column="_partition")) == {KEYS[0]: [2], KEYS[1]: [1, 3]}


@pytest.mark.parametrize("column", [[date(2024, 1, 1)], [20240101]])
@pytest.mark.parametrize("make", [pd.DataFrame, pa.table])
def test_dates_and_integers_are_keys_as_text(column: list[object], make: Any) -> None:
    found = split(make({"partition": column, "n": [1]}), keys=["2024-01-01", "20240101"])
    assert list(found.values) == [str(column[0])]


def test_a_dict_is_split_by_key_and_the_batch_column_dropped() -> None:
    carried = FRAME[["n", "_partition"]]
    relation = duckdb.sql("select n, _partition from FRAME")
    found = split({KEYS[0]: carried, KEYS[1]: pa.table(carried), KEYS[2]: relation})
    assert numbers(found) == {key: [1, 2, 3] for key in KEYS}
    assert found.missing == {}
    assert list(carried.columns) == ["n", "_partition"]


def test_each_value_of_a_dict_is_of_the_declared_type() -> None:
    found = split({KEYS[0]: [1]}, BY_KEY)
    with pytest.raises(OutputError, match=r"daily: returned a list, but its annotation says pandas\.DataFrame"):
        prepare(found.values[KEYS[0]], address="daily", returns=found.returns, nonce=b"")


def test_plain_values_and_no_data_by_key() -> None:
    found = split({KEYS[0]: 1, KEYS[1]: NO_DATA, KEYS[2]: None}, Arrival("dict", "value", int))
    assert found.values == {KEYS[0]: 1, KEYS[1]: NO_DATA, KEYS[2]: None}
    assert found.returns == Arrival("one", "value", int)


def test_no_data_stands_for_every_partition() -> None:
    assert split(NO_DATA, BY_KEY).values == dict.fromkeys(KEYS, NO_DATA)
    assert split(None, NOTHING).values == dict.fromkeys(KEYS)


def test_a_missing_key_is_reported_for_its_own_partition() -> None:
    found = split({KEYS[0]: 1})
    assert [error.message for error in found.missing.values()] == [
        "daily@2024-01-02: the batch returned nothing for this partition",
        "daily@2024-01-03: the batch returned nothing for this partition",
    ]
    assert {error.hint for error in found.missing.values()} == {"return NO_DATA for a partition without data"}


def test_a_table_without_rows_leaves_every_partition_out() -> None:
    assert list(split(FRAME[:0]).missing) == KEYS
    assert list(split(pa.table(FRAME[:0])).missing) == KEYS


def test_rows_of_a_relation_have_no_order_in_the_hash() -> None:
    hashes = set()
    for order in ("asc", "desc"):
        found = split(duckdb.sql(f"select 'a' as partition, unnest([1, 2]) as n order by n {order}"), keys=["a"])
        hashes.add(prepare(found.values["a"], address="daily", returns=found.returns, nonce=b"").data_hash)
    assert len(hashes) == 1


@pytest.mark.parametrize(
    ("value", "returns", "message", "hint"),
    [
        (
            {"2025-01-01": 1, "2026-01-01": 1},
            ANY,
            "the batch returned 2 partition(s) that were not asked for, such as '2025-01-01'",
            "return only the keys in context.partition_keys",
        ),
        (
            FRAME.assign(partition="other"),
            ANY,
            "the batch returned 1 partition(s) that were not asked for, such as 'other'",
            "return only the keys in context.partition_keys",
        ),
        ([1, 2], ANY, "a batch returned a list", "return a dict by partition key, or one table with the column"),
        (None, ANY, "a batch returned a NoneType", "return a dict by partition key, or one table with the column"),
        (
            {date(2024, 1, 1): 1},
            ANY,
            "the batch returned a dict with the key datetime.date(2024, 1, 1), a date",
            "the keys are partition keys, which are text: those in context.partition_keys",
        ),
        (
            FRAME[["n", "_partition"]],
            ANY,
            "the table of a batch has no column 'partition'; it has n, _partition",
            "add the partition key of each row as 'partition', or declare Batch(column=\"_partition\")",
        ),
        (
            pa.table({"n": [1]}),
            ANY,
            "the table of a batch has no column 'partition'; it has n",
            "add the partition key of each row as 'partition'",
        ),
        (
            pd.DataFrame({"partition": [None, "2024-01-01"]}),
            ANY,
            "the column 'partition' of a batch's table has nulls, so rows belong to no partition",
            "fill it with the keys in context.partition_keys",
        ),
        (
            pa.table({"partition": [None, "2024-01-01"]}),
            ANY,
            "the column 'partition' of a batch's table has nulls, so rows belong to no partition",
            "fill it with the keys in context.partition_keys",
        ),
        (
            pd.DataFrame({"partition": pd.to_datetime(["2024-01-01"])}),
            ANY,
            "the column 'partition' holds Timestamp('2024-01-01 00:00:00'), a Timestamp, and partition keys are text",
            "fill it with the keys in context.partition_keys",
        ),
        (
            FRAME,
            BY_KEY,
            "a batch returned a DataFrame, but its annotation says a dict of pandas.DataFrame",
            "mend the function or its return annotation",
        ),
        (
            {KEYS[0]: FRAME},
            PANDAS,
            "a batch returned a dict, but its annotation says pandas.DataFrame",
            "mend the function or its return annotation",
        ),
        (
            pa.table(FRAME),
            PANDAS,
            "a batch returned a Table, but its annotation says pandas.DataFrame",
            "mend the function or its return annotation",
        ),
    ],
)
def test_what_cannot_be_split_fails_the_whole_call(value: object, returns: Arrival, message: str, hint: str) -> None:
    with pytest.raises(OutputError, match=re.escape(f"daily: {message}")) as caught:
        split(value, returns)
    assert caught.value.hint is not None
    assert caught.value.hint.startswith(hint)


def test_thousands_of_partitions_are_split_at_once() -> None:
    keys = [f"k{number}" for number in range(5_000)]
    found = split(pd.DataFrame({"partition": keys * 2, "n": range(10_000)}), keys=keys)
    assert len(found.values) == 5_000
    last = found.values["k4999"]
    assert isinstance(last, pd.DataFrame)
    assert last["n"].tolist() == [4_999, 9_999]
