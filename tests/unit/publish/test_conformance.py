from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from assetflow.definitions.schema import Field, Schema
from assetflow.errors import SchemaMismatch
from assetflow.io import arrow_table
from assetflow.publish.conformance import arrow_type, conform, empty_table


class Wide(Schema):
    x: int | None


def schema_of(kind: Any, rules: Any = None) -> type[Schema]:
    body: dict[str, Any] = {"__annotations__": {"x": kind}, "__module__": __name__}
    if rules is not None:
        body["x"] = rules
    return type("Made", (Schema,), body)


def conformed(array: Any, kind: Any, rules: Any = None) -> pa.ChunkedArray[Any]:
    return conform(pa.table({"x": array}), schema_of(kind, rules), "orders@a").column("x")


def problems(array: Any, kind: Any, rules: Any = None) -> list[str]:
    with pytest.raises(SchemaMismatch) as caught:
        conformed(array, kind, rules)
    first, *rest = caught.value.message.splitlines()
    assert first == "orders@a: the output does not fit the schema Made:"
    assert caught.value.hint == "mend the function or the schema; what was published before is untouched"
    return [line.removeprefix("  column 'x': ") for line in rest]


@pytest.mark.parametrize(
    ("array", "kind", "expected"),
    [
        (pa.array([1], pa.int8()), int, pa.int64()),
        (pa.array([1], pa.uint64()), int, pa.int64()),
        (pa.array([1], pa.int64()), pa.int16(), pa.int16()),
        (pa.array([1], pa.int64()), float, pa.float64()),
        (pa.array([1.5], pa.float32()), float, pa.float64()),
        (pa.array(["a"], pa.large_string()), str, pa.string()),
        (pa.array(["a"], pa.string_view()), str, pa.string()),
        (pa.array(["a"]).dictionary_encode(), str, pa.string()),
        (pa.array(["a"]), pa.dictionary(pa.int8(), pa.string()), pa.dictionary(pa.int8(), pa.string())),
        (pa.array([b"a"], pa.large_binary()), bytes, pa.binary()),
        (pa.array([None], pa.null()), float | None, pa.float64()),
        (pa.array([0], pa.timestamp("s")), datetime, pa.timestamp("s")),
        (pa.array([None], pa.null()), datetime | None, pa.timestamp("us")),
        (pa.array([0], pa.timestamp("ns", "UTC")), pa.timestamp("us", "Asia/Tokyo"), pa.timestamp("us", "Asia/Tokyo")),
        (pa.array([0], pa.date64()), date, pa.date32()),
        (pa.array([Decimal("1.25")]), Decimal, pa.decimal128(3, 2)),
        (pa.array([Decimal("1.25")]), pa.decimal128(12, 4), pa.decimal128(12, 4)),
        (pa.array([[1]], pa.large_list(pa.int8())), list[int], pa.list_(pa.int64())),
        (pa.array([{"a": 1}]), pa.struct([("a", pa.int8())]), pa.struct([("a", pa.int8())])),
    ],
)
def test_lossless_casts_give_exactly_the_declared_type(array: Any, kind: Any, expected: pa.DataType) -> None:
    result = conformed(array, kind)
    assert result.type == expected
    assert result.to_pylist() == array.cast(expected).to_pylist()


@pytest.mark.parametrize(
    ("array", "kind", "text"),
    [
        (pa.array(["1"]), int, "is string, and the schema says int"),
        (pa.array([1.0]), int, "is double, and the schema says int"),
        (pa.array([1.0]), int | None, "is double, and the schema says int"),
        (pa.array([1]), bool, "is int64, and the schema says bool"),
        (pa.array([True]), int, "is bool, and the schema says int"),
        (pa.array([1.5]), pa.float32(), "is double, and the schema says float"),
        (pa.array([1]), str, "is int64, and the schema says str"),
        (pa.array([0], pa.timestamp("us", "UTC")), datetime, "is timestamp[us, tz=UTC], and the schema says datetime"),
        (pa.array([0], pa.timestamp("us")), date, "is timestamp[us], and the schema says date"),
        (pa.array([1]), Decimal, None),
        (pa.array([["a"]]), list[int], "is list<item: string>, and the schema says list[int]"),
    ],
)
def test_other_types_are_refused(array: Any, kind: Any, text: str | None) -> None:
    if text is None:
        assert conformed(array, kind).to_pylist() == [Decimal(1)]
    else:
        assert problems(array, kind) == [text]


@pytest.mark.parametrize(
    ("array", "kind"),
    [
        (pa.array([300]), pa.int8()),
        (pa.array([2**63], pa.uint64()), int),
        (pa.array([2**53 + 1]), float),
        (pa.array([1], pa.timestamp("ns")), pa.timestamp("us")),
        (pa.array([Decimal("1.255")]), pa.decimal128(12, 2)),
    ],
)
def test_values_that_the_declared_type_cannot_hold_are_refused(array: Any, kind: Any) -> None:
    (problem,) = problems(array, kind)
    assert "and has values that" in problem
    assert "cannot hold: " in problem


def pandas_column(values: Any, kind: Any) -> pa.ChunkedArray[Any]:
    return conform(arrow_table(pd.DataFrame({"x": values}), "orders"), schema_of(kind), "orders").column("x")


def test_pandas_integers_with_gaps_are_integers_again() -> None:
    column = pandas_column([1, None], int | None)
    assert column.type == pa.int64()
    assert column.to_pylist() == [1, None]
    with pytest.raises(SchemaMismatch, match=r"cannot hold: Float value 1\.5"):
        pandas_column([1.5, None], int | None)
    with pytest.raises(SchemaMismatch, match="is double, and the schema says int"):
        pandas_column([1.0, 2.0], int)


def test_pandas_midnights_are_dates() -> None:
    assert pandas_column(pd.to_datetime(["2024-01-31"]), date).to_pylist() == [date(2024, 1, 31)]
    with pytest.raises(SchemaMismatch, match="a date would lose the time of day"):
        pandas_column(pd.to_datetime(["2024-01-31 12:00"]), date)


def test_nan_from_pandas_is_null_and_from_arrow_a_value() -> None:
    with pytest.raises(SchemaMismatch, match="1 of 2 values are null, which it does not allow; first in row 1"):
        pandas_column([1.0, float("nan")], float)
    assert conformed(pa.array([1.0, float("nan")]), float).null_count == 0


def test_nullability_is_part_of_the_result() -> None:
    assert not conform(pa.table({"x": [1]}), schema_of(int), "orders").schema.field("x").nullable
    assert conform(pa.table({"x": [1]}), Wide, "orders").schema.field("x").nullable


def test_nulls_are_counted() -> None:
    assert problems(pa.array([1, None, None]), int) == [
        "2 of 3 values are null, which it does not allow; first in row 1"
    ]


@pytest.mark.parametrize(
    ("values", "kind", "rules", "text"),
    [
        ([7, -1, None, -2], int | None, Field(ge=0), "2 of 4 values are below ge=0; first -1 in row 1"),
        ([1, 0], int, Field(gt=0), "1 of 2 values is not above gt=0; first 0 in row 1"),
        ([1.5, 141.0], float, Field(le=140), "1 of 2 values is above le=140; first 141.0 in row 1"),
        ([1, 2, 3], int, Field(lt=2), "2 of 3 values are not below lt=2; first 2 in row 1"),
        ([0, 1], int, Field(ge=0.5), "1 of 2 values is below ge=0.5; first 0 in row 0"),
        ([0, 1], int, Field(lt=0.5), "1 of 2 values is not below lt=0.5; first 1 in row 1"),
        ([float("nan")], float, Field(ge=0), "1 of 1 values is below ge=0; first nan in row 0"),
        (
            [date(2024, 1, 1)],
            date,
            Field(gt=date(2024, 1, 1)),
            "1 of 1 values is not above gt=datetime.date(2024, 1, 1); first datetime.date(2024, 1, 1) in row 0",
        ),
        ([Decimal("-0.5")], Decimal, Field(ge=0), "1 of 1 values is below ge=0; first Decimal('-0.5') in row 0"),
        (["a", "x", None], str | None, Field(isin=["a"]), "1 of 3 values is not among isin=['a']; first 'x' in row 1"),
        ([1, 2], int, Field(isin=[1.0, 2.5]), "1 of 2 values is not among isin=[1.0, 2.5]; first 2 in row 1"),
        (["ab", "b"], str, Field(pattern="a.?"), "1 of 2 values does not match pattern='a.?'; first 'b' in row 1"),
        (["xa"], str, Field(pattern="a"), "1 of 1 values does not match pattern='a'; first 'xa' in row 0"),
        (
            [1, 1, 2, 2, None, None],
            int | None,
            Field(unique=True),
            "unique=True, and 2 values occur more than once; first 1",
        ),
        ([[1], [1]], list[int], Field(unique=True), "unique=True, and 1 value occurs more than once; first [1]"),
    ],
)
def test_every_rule_is_enforced(values: Any, kind: Any, rules: Any, text: str) -> None:
    assert problems(pa.array(values), kind, rules) == [text]


@pytest.mark.parametrize(
    ("values", "kind", "rules"),
    [
        ([0, None, 5], int | None, Field(ge=0, le=5, isin=[0, 5], unique=True)),
        ([2**62 + 1], int, Field(gt=0.5)),
        ([1.0], float, Field(le=float("inf"))),
        (["aa"], str, Field(pattern="(?=a)a+")),
        ([None], str | None, Field(pattern="a", isin=["b"])),
        ([datetime(2024, 1, 1)], datetime, Field(ge=datetime(2024, 1, 1))),
        ([0.1], float, Field(decimals=2)),
    ],
)
def test_what_satisfies_the_rules_passes(values: Any, kind: Any, rules: Any) -> None:
    assert conformed(pa.array(values), kind, rules).to_pylist() == values


def test_rules_look_inside_dictionaries() -> None:
    kind = pa.dictionary(pa.int8(), pa.string())
    assert problems(pa.array(["x"]), kind, Field(isin=["a"])) == [
        "1 of 1 values is not among isin=['a']; first 'x' in row 0"
    ]


def test_a_bound_of_another_kind_than_an_arrow_type_is_reported() -> None:
    (problem,) = problems(pa.array([1], pa.int16()), pa.int16(), Field(ge="a"))
    assert problem.startswith("ge='a' cannot be compared with int16: ")


def test_all_problems_are_listed_together() -> None:
    class Prices(Schema):
        day: date
        price: float = Field(ge=0)
        shop: str

    table = pa.table({"price": [-1.0, None], "shop": [1, 2], "extra": ["x", "y"]})
    with pytest.raises(SchemaMismatch) as caught:
        conform(table, Prices, "prices@2024")
    assert caught.value.message.splitlines() == [
        "prices@2024: the output does not fit the schema Prices:",
        "  column 'day' is missing; there is price, shop, extra",
        "  column 'extra' is not in the schema",
        "  column 'price': 1 of 2 values are null, which it does not allow; first in row 1",
        "  column 'price': 1 of 2 values is below ge=0; first -1.0 in row 0",
        "  column 'shop': is int64, and the schema says str",
    ]


def test_columns_keep_the_order_of_the_function_and_pandas_its_index() -> None:
    class Pair(Schema):
        a: int
        b: int

    frame = pd.DataFrame({"b": [1], "a": [2]}).set_index("b")
    table = conform(arrow_table(frame, "pairs"), Pair, "pairs")
    assert table.column_names == ["a", "b"]
    pd.testing.assert_frame_equal(table.to_pandas(), frame)


def test_an_empty_table_has_every_declared_column() -> None:
    class All(Schema):
        text: str
        at: datetime | None
        amounts: list[float | None]
        cents: Decimal
        exact: pa.decimal128(12, 2)  # pyright: ignore[reportInvalidTypeForm]  # as users may write it

    table = empty_table(All)
    assert table.num_rows == 0
    assert [(field.name, str(field.type), field.nullable) for field in table.schema] == [
        ("text", "string", False),
        ("at", "timestamp[us]", True),
        ("amounts", "list<item: double>", False),
        ("cents", "decimal128(38, 9)", False),
        ("exact", "decimal128(12, 2)", False),
    ]
    conform(table, All, "all")


def test_types_within_lists() -> None:
    assert arrow_type(list[list[str]]) == pa.list_(pa.list_(pa.string()))
    assert arrow_type(list[datetime], like=pa.list_(pa.timestamp("ns"))) == pa.list_(pa.timestamp("ns"))
