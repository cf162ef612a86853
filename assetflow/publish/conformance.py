"""Whether a table fits its declared schema, and making it fit where that loses nothing."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, get_args, get_origin

from assetflow.definitions.schema import Schema, SchemaColumn, column_type_text, schema_columns
from assetflow.errors import SchemaMismatch
from assetflow.io import native_library
from assetflow.publish.casts import castable
from assetflow.publish.rules import rule_problems
from assetflow.publish.schemas import schema_bytes

if TYPE_CHECKING:
    import pyarrow as pa

# Schemas are few, and reading one evaluates its annotations.
_columns = lru_cache(maxsize=256)(schema_columns)


def conform(table: pa.Table, schema: type[Schema], place: str) -> pa.Table:
    """The table with exactly the declared column types, in its own column order.

    Lossless casts are made: between widths of integers, kinds of text and units of time, from integers to declared
    floats, from dictionaries to their values, from columns of nulls to anything; for pandas also from floats that hold
    whole numbers to nullable integers, and from midnights to dates. Raises SchemaMismatch, which lists every problem;
    rows count from 0.

    >>> import pyarrow as pa
    >>> class Daily(Schema):
    ...     day: int
    >>> conform(pa.table({"day": pa.array([1], pa.int8())}), Daily, "daily").schema.field("day").type
    DataType(int64)
    """
    import pyarrow as pa

    declared = {column.name: column for column in _columns(schema)}
    names = table.column_names
    problems = [
        f"column {name!r} is missing; there is {', '.join(names) or 'none'}" for name in declared if name not in names
    ]
    problems += [f"column {name!r} is not in the schema" for name in names if name not in declared]
    pandas = native_library(table) == "pandas"
    arrays: list[Any] = []
    fields: list[pa.Field[Any]] = []
    for name in names:
        if name in declared:
            column = declared[name]
            array, wrong = _fitting(table.column(name), column, pandas=pandas)
            problems += [f"column {name!r}: {problem}" for problem in wrong]
            arrays.append(array)
            fields.append(pa.field(name, array.type, column.nullable))
    if problems:
        raise SchemaMismatch(
            "\n".join(
                [f"{place}: the output does not fit the schema {schema.__name__}:", *(f"  {p}" for p in problems)]
            ),
            hint="mend the function or the schema; what was published before is untouched",
        )
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields)).replace_schema_metadata(table.schema.metadata)


def _fitting(array: Any, column: SchemaColumn, *, pandas: bool) -> tuple[Any, list[str]]:
    import pyarrow as pa

    target = arrow_type(column.type, like=array.type)
    text = column_type_text(column.type)
    if not castable(array.type, target, whole_floats=pandas and column.nullable, midnights=pandas):
        return array, [f"is {array.type}, and the schema says {text}"]
    if array.type != target:
        try:
            array = _cast(array, target)
        except pa.ArrowException as error:
            # More text than 32-bit offsets reach stays as it is; every reader takes it for text.
            if not (pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type)):
                return array, [f"is {array.type}, and has values that {text} cannot hold: {error}"]
    problems: list[str] = []
    if array.null_count and not column.nullable:
        first = array.is_null().index(True).as_py()
        problems.append(
            f"{array.null_count} of {len(array)} values are null, which it does not allow; first in row {first}"
        )
    return array, problems + rule_problems(array, column.field)


def _cast(array: Any, target: pa.DataType) -> Any:
    import pyarrow as pa

    result = array.cast(target, safe=True)
    # Arrow checks every other cast that we allow, but cuts the time of day off.
    if pa.types.is_timestamp(array.type) and pa.types.is_date(target) and not result.cast(array.type).equals(array):
        raise pa.ArrowInvalid("a date would lose the time of day")
    return result


def arrow_type(kind: object, like: Any = None) -> pa.DataType:
    """The Arrow type of a declared column type.

    ``datetime`` has any unit and ``Decimal`` any precision: those of ``like``, if it is such a type.

    >>> arrow_type(list[str])
    ListType(list<item: string>)
    """
    import pyarrow as pa

    if isinstance(kind, pa.DataType):
        return kind
    if isinstance(like, pa.DictionaryType):
        return arrow_type(kind, like=_value_type(like))
    if get_origin(kind) is list:
        inner = next((each for each in get_args(get_args(kind)[0]) if each is not type(None)), None)
        item = inner if inner is not None and get_origin(get_args(kind)[0]) is not list else get_args(kind)[0]
        return pa.list_(arrow_type(item, like=_value_type(like)))
    if kind is datetime:
        return like if like is not None and pa.types.is_timestamp(like) and like.tz is None else pa.timestamp("us")
    if kind is Decimal:
        return like if like is not None and pa.types.is_decimal(like) else pa.decimal128(38, 9)
    plain: dict[object, pa.DataType] = {
        str: pa.string(),
        int: pa.int64(),
        float: pa.float64(),
        bool: pa.bool_(),
        bytes: pa.binary(),
        date: pa.date32(),
    }
    return plain[kind]


def _value_type(nested: Any) -> Any:
    return getattr(nested, "value_type", None)


def declared_schema(schema: type[Schema] | None) -> bytes | None:
    """The declared columns as the schemas of published tables are recorded."""
    return schema_bytes(empty_table(schema).schema) if schema is not None else None


def empty_table(schema: type[Schema]) -> pa.Table:
    """A table with the declared columns and no rows."""
    import pyarrow as pa

    columns = _columns(schema)
    return pa.schema(
        [pa.field(column.name, arrow_type(column.type), column.nullable) for column in columns]
    ).empty_table()
