from __future__ import annotations

import datetime as dt
import decimal
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assetflow.errors import OutputError
from assetflow.fingerprint.data import hash_bytes, hash_files, hash_table, hash_text, hash_value

MODES = ["ordered", "rows"]
Rewrite = Callable[[pa.Array], pa.Array]


def column(values: object, kind: pa.DataType | None = None) -> pa.Table:
    return pa.table({"x": pa.array(values, kind)})


VALUES: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "int": (pa.int32(), st.integers(-5, 5)),
    "float": (pa.float64(), st.sampled_from([0.0, -0.0, 1.5, float("nan"), float("inf"), -1e300])),
    "half": (pa.float16(), st.sampled_from([np.float16(0.0), np.float16(-0.0), np.float16("nan"), np.float16(2.5)])),
    "bool": (pa.bool_(), st.booleans()),
    "text": (pa.string(), st.text(max_size=3)),
    "bytes": (pa.binary(), st.binary(max_size=3)),
    "fixed bytes": (pa.binary(3), st.binary(min_size=3, max_size=3)),
    "date": (pa.date32(), st.dates()),
    "time": (pa.timestamp("us", "America/New_York"), st.datetimes(dt.datetime(2000, 1, 1))),
    "decimal": (pa.decimal128(9, 2), st.decimals(-999, 999, places=2)),
    "list": (pa.list_(pa.string()), st.lists(st.text(max_size=2) | st.none(), max_size=3)),
    "fixed list": (pa.list_(pa.int8(), 2), st.lists(st.integers(-3, 3) | st.none(), min_size=2, max_size=2)),
    "nested list": (
        pa.list_(pa.list_(pa.float32())),
        st.lists(st.lists(st.sampled_from([0.0, -0.0]), max_size=2), max_size=2),
    ),
    "map": (pa.map_(pa.string(), pa.int64()), st.lists(st.tuples(st.text(max_size=2), st.integers(0, 3)), max_size=2)),
    "struct": (
        pa.struct({"a": pa.int64(), "b": pa.string()}),
        st.fixed_dictionaries({"a": st.integers(0, 3) | st.none(), "b": st.text(max_size=2) | st.none()}),
    ),
    "null": (pa.null(), st.none()),
}


def drawn(data: st.DataObject, name: str) -> tuple[list[object], pa.DataType]:
    kind, values = VALUES[name]
    return data.draw(st.lists(values | st.none(), max_size=8)), kind


def negated_zeros(value: Any) -> Any:
    if isinstance(value, list):
        return [negated_zeros(item) for item in value]
    return -value if isinstance(value, (float, np.float16)) and value == 0 else value


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", VALUES)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_layout_does_not_count(name: str, mode: Any, data: st.DataObject) -> None:
    values, kind = drawn(data, name)
    whole = pa.array(values, kind)
    expected = hash_table(pa.table({"x": whole}), mode)
    cut = data.draw(st.integers(0, len(values)))
    chunks = pa.chunked_array([whole.slice(0, cut), whole.slice(cut)], kind)
    assert hash_table(pa.table({"x": chunks}), mode) == expected
    padded = pa.array([*values[:1], None, *values, None], kind).slice(len(values[:1]) + 1, len(values))
    assert hash_table(pa.table({"x": padded}), mode) == expected
    assert hash_table(column([negated_zeros(value) for value in values], kind), mode) == expected


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", VALUES)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_the_content_counts(name: str, mode: Any, data: st.DataObject) -> None:
    (one, kind), (two, _) = drawn(data, name), drawn(data, name)
    first, second = pa.array(one, kind), pa.array(two, kind)
    keep: Callable[[list[str]], list[str]] = sorted if mode == "rows" else list
    same = keep([canonical(value) for value in first.to_pylist()]) == keep(
        [canonical(value) for value in second.to_pylist()]
    )
    assert (hash_table(pa.table({"x": first}), mode) == hash_table(pa.table({"x": second}), mode)) == same


def canonical(value: object) -> str:
    """A text that is equal for equal values: the slow, obvious model of what is hashed."""
    if isinstance(value, (float, np.floating)):
        return str(float(value) + 0.0)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(canonical, value))}]"
    return repr(value)


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(st.tuples(st.integers(0, 2) | st.none(), st.sampled_from(["", "a", None]))), data=st.data())
def test_rows_ignores_order_and_counts_duplicates(
    rows: list[tuple[int | None, str | None]], data: st.DataObject
) -> None:
    def table(given: list[tuple[int | None, str | None]]) -> pa.Table:
        return pa.table(
            {"n": pa.array([n for n, _ in given], pa.int64()), "t": pa.array([t for _, t in given], pa.string())}
        )

    shuffled = data.draw(st.permutations(rows))
    assert hash_table(table(rows), "rows") == hash_table(table(shuffled), "rows")
    assert hash_table(table([*rows, *rows[:1]]), "rows") != hash_table(table(rows), "rows") or not rows
    if shuffled != rows:
        assert hash_table(table(rows), "ordered") != hash_table(table(shuffled), "ordered")


EQUAL = {
    "dictionary": (pa.array(["a", None, "b", "a"]).dictionary_encode(), pa.string()),
    "null in the dictionary": (pa.DictionaryArray.from_arrays([0, 1, 2, 0], pa.array(["a", None, "b"])), pa.string()),
    "run-end": (pa.RunEndEncodedArray.from_arrays([1, 2, 3, 4], ["a", None, "b", "a"]), pa.string()),
    "large text": (pa.array(["a", None, "b", "a"], pa.large_string()), pa.string()),
    "text view": (pa.array(["a", None, "b", "a"], pa.string_view()), pa.string()),
    "large bytes": (pa.array([b"a", None, b"b"], pa.large_binary()), pa.binary()),
    "bytes view": (pa.array([b"a", None, b"b"], pa.binary_view()), pa.binary()),
    "large list": (pa.array([[1], None, []], pa.large_list(pa.int64())), pa.list_(pa.int64())),
    "list view": (pa.array([[1], None, [2, 3]], pa.list_view(pa.int64())), pa.list_(pa.int64())),
    "dictionary in a list": (
        pa.array([["a"], None], pa.list_(pa.dictionary(pa.int8(), pa.string()))),
        pa.list_(pa.string()),
    ),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", EQUAL)
def test_encodings_do_not_count(name: str, mode: Any) -> None:
    encoded, kind = EQUAL[name]
    expected = hash_table(column(encoded.to_pylist(), kind), mode)
    assert hash_table(pa.table({"x": encoded}), mode) == expected


@pytest.mark.parametrize("mode", MODES)
def test_bits_beneath_nulls_do_not_count(mode: Any) -> None:
    mask = pa.py_buffer(b"\x05")
    numbers = [
        pa.Array.from_buffers(pa.int64(), 3, [mask, pa.py_buffer(np.array([1, hidden, 3]).tobytes())])
        for hidden in (0, 99)
    ]
    offsets = [np.array([0, 1, 1, 2], np.int32), np.array([0, 1, 4, 5], np.int32)]
    texts = [
        pa.Array.from_buffers(pa.string(), 3, [mask, pa.py_buffer(offset.tobytes()), pa.py_buffer(data)])
        for offset, data in zip(offsets, [b"ab", b"axyzb"], strict=True)
    ]
    child = pa.array([7, 8, 9, 7, 8])
    lists = [
        pa.Array.from_buffers(pa.list_(pa.int64()), 3, [mask, pa.py_buffer(offset.tobytes())], children=[values])
        for offset, values in zip(offsets, [pa.array([7, 8]), child], strict=True)
    ]
    structs = [
        pa.StructArray.from_arrays([pa.array([1, hidden, 3])], ["a"], mask=pa.array([False, True, False]))
        for hidden in (0, 99)
    ]
    for one, two in (numbers, texts, lists, structs):
        assert one.to_pylist() == two.to_pylist()
        assert hash_table(pa.table({"x": one}), mode) == hash_table(pa.table({"x": two}), mode)


@pytest.mark.parametrize("mode", MODES)
def test_kinds_of_nan_do_not_count(mode: Any) -> None:
    odd = np.array([0x7FF8000000000001, 0xFFF8000000000000], np.uint64).view(np.float64)
    assert hash_table(column(odd), mode) == hash_table(column([float("nan")] * 2), mode)
    assert hash_table(column([float("nan")]), mode) != hash_table(column([None], pa.float64()), mode)


DIFFERENT = {
    "type": (column([1], pa.int64()), column([1], pa.int32())),
    "unit": (column([1], pa.timestamp("s")), column([1], pa.timestamp("ms"))),
    "zone": (column([1], pa.timestamp("s", "UTC")), column([1], pa.timestamp("s", "Europe/Rome"))),
    "precision": (column([decimal.Decimal(1)], pa.decimal128(5, 2)), column([decimal.Decimal(1)], pa.decimal128(6, 2))),
    "column name": (pa.table({"x": [1]}), pa.table({"y": [1]})),
    "column order": (pa.table({"x": [1], "y": [1]}), pa.table({"y": [1], "x": [1]})),
    "values between columns": (pa.table({"x": [1], "y": [2]}), pa.table({"x": [2], "y": [1]})),
    "pairing": (pa.table({"x": [1, 2], "y": [1, 2]}), pa.table({"x": [1, 2], "y": [2, 1]})),
    "text border": (column(["ab", "c"]), column(["a", "bc"])),
    "list border": (column([[1, 2], [3]]), column([[1], [2, 3]])),
    "list order": (column([[1, 2]]), column([[2, 1]])),
    "empty list": (column([[]], pa.list_(pa.int64())), column([None], pa.list_(pa.int64()))),
    "empty text": (column([""]), column([None], pa.string())),
    "zero": (column([0]), column([None], pa.int64())),
    "null struct": (column([{"a": None}], pa.struct({"a": pa.int8()})), column([None], pa.struct({"a": pa.int8()}))),
    "number of rows": (column([None], pa.null()), column([None, None], pa.null())),
    "no columns": (pa.table({}), pa.table({"x": pa.array([], pa.int8())})),
    "text and bytes": (column(["a"]), column([b"a"])),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", DIFFERENT)
def test_differences_count(name: str, mode: Any) -> None:
    one, two = DIFFERENT[name]
    assert hash_table(one, mode) != hash_table(two, mode)


@pytest.mark.parametrize("mode", MODES)
def test_pandas_metadata_and_unnamed_indexes_do_not_count(mode: Any) -> None:
    frame = pd.DataFrame({"x": [1, 2, 3, 4], "t": ["a", "b", None, "d"]})
    table = pa.Table.from_pandas(frame)
    assert hash_table(table, mode) == hash_table(table.replace_schema_metadata(None), mode)
    filtered = pa.Table.from_pandas(frame[frame["x"] != 3])
    assert "__index_level_0__" in filtered.column_names
    assert hash_table(filtered, mode) == hash_table(table.take([0, 1, 3]), mode)


@pytest.mark.parametrize("mode", MODES)
def test_decimals_round_for_the_hash_only_where_asked(mode: Any) -> None:
    one = pa.table({"x": [0.1 + 0.2, 1e308], "y": [1.0, 2.0]})
    two = pa.table({"x": [0.3, 1e308], "y": [1.0, 2.0]})
    assert hash_table(one, mode) != hash_table(two, mode)
    assert hash_table(one, mode, {"x": 6}) == hash_table(two, mode, {"x": 6})
    assert hash_table(one, mode, {"y": 6}) != hash_table(two, mode, {"y": 6})
    assert hash_table(column([-1e-9]), mode, {"x": 3}) == hash_table(column([1e-9]), mode, {"x": 3})


@pytest.mark.parametrize("mode", MODES)
def test_a_type_without_canonical_form_is_refused(mode: Any) -> None:
    union = pa.UnionArray.from_sparse(pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["a", "b"])])
    with pytest.raises(OutputError, match=r"column 'u' has the type sparse_union.*no content hash") as caught:
        hash_table(pa.table({"u": union}), mode)
    assert caught.value.hint is not None
    assert 'hashing="none"' in caught.value.hint


@pytest.mark.parametrize("mode", MODES)
def test_columns_of_one_name_both_count(mode: Any) -> None:
    one, two = (pa.table([[1], [last]], names=["x", "x"]) for last in (2, 3))
    assert hash_table(one, mode) != hash_table(two, mode)


def test_none_hashes_the_nonce_alone() -> None:
    assert hash_table(column([1]), "none", nonce=b"1") == hash_table(column([2]), "none", nonce=b"1")
    assert hash_table(column([1]), "none", nonce=b"1") != hash_table(column([1]), "none", nonce=b"2")


def test_hashes_stay_what_they_are() -> None:
    table = pa.table(
        {
            "n": pa.array([1, None, 3]),
            "f": [0.5, -0.0, None],
            "t": ["a", "é", None],
            "l": [[1], None, []],
            "b": [True, None, False],
            "d": pa.array([decimal.Decimal("1.25"), None, decimal.Decimal(-3)], pa.decimal128(9, 2)),
        }
    )
    assert [hash_table(table), hash_table(table, "rows"), hash_value({"a": [1, 2.5, None]})] == GOLDEN
    assert all(re.fullmatch("a1:[0-9a-f]{32}", item) for item in GOLDEN)


GOLDEN = [
    "a1:68c4ae06312b08a63104f98549aed905",
    "a1:10d3bcba9b64202484245dedd9102f77",
    "a1:00828be4a976d304bb53591272b0a48b",
]


def test_values() -> None:
    assert hash_value({"b": 1, "a": (1, 2)}) == hash_value({"a": [1, 2], "b": 1})
    assert hash_value(float("nan")) == hash_value(-float("nan"))
    kinds: list[object] = [
        None,
        0,
        0.0,
        False,
        "",
        "0",
        b"",
        [],
        {},
        [[]],
        [None],
        {"a": None},
        {"a": 0},
        ["ab"],
        ["a", "b"],
    ]
    assert len({hash_value(value) for value in kinds}) == len(kinds)


def test_a_value_that_is_not_plain_is_refused() -> None:
    with pytest.raises(OutputError, match="a value of type object has no content hash"):
        hash_value(object())
    looped: list[object] = []
    looped.append(looped)
    with pytest.raises(OutputError):
        hash_value(looped)


def test_files_count_with_names_and_contents_in_any_order() -> None:
    entries = [("a", 1, "x"), ("b", 2, "y")]
    assert hash_files(entries) == hash_files(reversed(entries))
    assert hash_files(entries) != hash_files([("a", 2, "y"), ("b", 1, "x")])
    assert len({hash_files([]), hash_bytes(b""), hash_text(""), hash_value("")}) == 4
    assert hash_bytes(bytearray(b"a")) == hash_bytes(memoryview(b"a"))
