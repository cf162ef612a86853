from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Optional

import pyarrow as pa
import pytest

from assetflow.definitions.schema import (
    Field,
    Schema,
    SchemaColumn,
    canonical,
    column_type_text,
    is_schema,
    schema_columns,
    schema_problems,
)


class Base(Schema):
    """All kinds of columns."""

    version: ClassVar[int] = 3
    text: str
    whole: int | None
    real: Optional[float] = Field(ge=0, le=1.5, decimals=2)  # noqa: UP045
    flag: bool
    raw: bytes
    day: date
    moment: datetime
    price: Decimal
    names: list[str]
    small: pa.int16()  # type: ignore[valid-type]
    zoned: Annotated[datetime | None, pa.timestamp("us", tz="UTC")]

    def method(self) -> None: ...


class Derived(Base):
    text: str = Field(unique=True)
    extra: float


def schema_of(annotations: dict[str, Any], **values: Any) -> type[Schema]:
    return type("Made", (Schema,), {"__annotations__": annotations, "__module__": __name__, **values})


def test_columns_in_order_with_type_and_nullability() -> None:
    assert [(column.name, column.type, column.nullable) for column in schema_columns(Base)] == [
        ("text", str, False),
        ("whole", int, True),
        ("real", float, True),
        ("flag", bool, False),
        ("raw", bytes, False),
        ("day", date, False),
        ("moment", datetime, False),
        ("price", Decimal, False),
        ("names", list[str], False),
        ("small", pa.int16(), False),
        ("zoned", pa.timestamp("us", tz="UTC"), True),
    ]
    assert schema_problems(Base) == []


def test_inherited_columns_come_first_and_can_be_said_anew() -> None:
    columns = schema_columns(Derived)
    assert [column.name for column in columns][-2:] == ["zoned", "extra"]
    assert columns[0] == SchemaColumn("text", str, nullable=False, field=Field(unique=True))


def test_the_canonical_text_leaves_descriptions_and_defaults_out() -> None:
    one = schema_of({"a": float | None, "b": list[str]}, a=Field(ge=0, description="one", isin=[1.0, 2.0]))
    two = schema_of({"a": "float | None", "b": "list[str]"}, a=Field(ge=0, isin=(1.0, 2.0)))
    assert canonical(one) == canonical(two) == "a: float | None ge=0 isin=(1.0, 2.0)\nb: list[str]"
    assert canonical(one) != canonical(schema_of({"a": float, "b": list[str]}, a=Field(ge=0, isin=(1.0, 2.0))))
    assert canonical(schema_of({"a": "pa.int16()"})) == "a: int16"


@pytest.mark.parametrize(
    ("annotation", "value", "problem"),
    [
        (complex, None, "column 'x': complex is no type of a column; a column is str, int, float, bool, bytes, "),
        (dict[str, int], None, "column 'x': dict[str, int] is no type of a column; "),
        (int | str, None, "column 'x': int | str is no type of a column; "),
        (list[complex], None, "column 'x': list[complex] is no type of a column; "),
        (
            "Nothing",
            None,
            "column 'x': its annotation 'Nothing' cannot be read (NameError: ",
        ),
        (int, 3, "column 'x': has the value 3; a column has no default: write Field(...), or nothing"),
        (str, Field(ge=0), "column 'x': ge=0 is no bound for str"),
        (bool, Field(lt=True), "column 'x': lt=True is no bound for bool"),
        (bytes, Field(gt=b"a"), "column 'x': gt=b'a' is no bound for bytes"),
        (
            date,
            Field(ge=datetime(2024, 1, 1)),
            "column 'x': ge=datetime.datetime(2024, 1, 1, 0, 0) is no",
        ),
        (int, Field(ge=2, le=1), "column 'x': no value satisfies ge=2, le=1"),
        (int, Field(gt=1, lt=1), "column 'x': no value satisfies gt=1, lt=1"),
        (int, Field(isin=[]), "column 'x': isin=() must be a list of at least one value"),
        (str, Field(isin="abc"), "column 'x': isin='abc' must be a list of at least one value"),
        (str, Field(isin=["a", 1]), "column 'x': isin= has 1, which is no str"),
        (int, Field(pattern="a"), "column 'x': pattern= is for str columns, and this one is int"),
        (str, Field(pattern="("), "column 'x': pattern='(' is no regular expression ("),
        (str, Field(decimals=2), "column 'x': decimals= is for float columns, and this one is str"),
        (float, Field(decimals=-1), "column 'x': decimals=-1 must be a whole number from 0 to 15"),
        (int, Field(unique="yes"), "column 'x': unique='yes' must be True or False"),  # type: ignore[arg-type]
    ],
)
def test_what_is_wrong_with_a_column(annotation: object, value: object, problem: str) -> None:
    made = schema_of({"x": annotation}, **({} if value is None else {"x": value}))
    [found] = schema_problems(made)
    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("annotation", "field"),
    [
        (float, Field(ge=0, lt=1.5)),
        (int, Field(isin={1, 2})),
        (Decimal, Field(ge=0, le=Decimal("1.5"))),
        (date, Field(ge=date(2024, 1, 1))),
        (str, Field(pattern="[a-z]+", unique=True)),
        (pa.float32(), Field(ge=0, decimals=3)),
        (int, Field(ge=1, le=1)),
    ],
)
def test_what_is_right_with_a_column(annotation: object, field: object) -> None:
    assert schema_problems(schema_of({"x": annotation}, x=field)) == []


def test_names_that_are_taken_and_schemas_without_columns() -> None:
    assert schema_problems(schema_of({})) == ["it has no columns: annotate at least one name in its body"]
    assert schema_problems(schema_of({"_partition": str})) == [
        "column '_partition': this name is taken: a batch's tables carry it; choose another"
    ]


def test_what_a_schema_is() -> None:
    assert is_schema(Base)
    assert not any(is_schema(each) for each in (Schema, int, Base(), "Base", None))


def test_types_as_text() -> None:
    assert [column_type_text(each) for each in (str, list[int], pa.int16(), Decimal)] == [
        "str",
        "list[int]",
        "int16",
        "Decimal",
    ]
