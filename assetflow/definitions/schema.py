"""Schemas: the columns that a table must have, their types and what their values must satisfy."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, ForwardRef, TypeGuard, Union, get_args, get_origin

from assetflow.errors import DefinitionError

_PLAIN_TYPES: tuple[type, ...] = (str, int, float, bool, bytes, date, datetime, Decimal)
_ORDERED_TYPES: tuple[type, ...] = (str, int, float, date, datetime, Decimal)
_TYPES_HINT = (
    "a column is str, int, float, bool, bytes, datetime.date, datetime.datetime, decimal.Decimal, list[...] of these, "
    'or an Arrow type such as pa.timestamp("us", tz="UTC")'
)


class Schema:
    """Base class of schemas: each annotated name is a column, in this order.

    Types are ``str``, ``int``, ``float``, ``bool``, ``bytes``, ``datetime.date``, ``datetime.datetime`` (a timestamp of
    any unit without time zone), ``decimal.Decimal`` (of any precision), ``list[...]`` of these, or an Arrow type, such
    as ``pa.int16()`` or ``Annotated[datetime, pa.timestamp("us", tz="UTC")]``. A column is never null unless it says
    ``| None``. A schema that inherits from another adds its columns to the other's.

    >>> class Daily(Schema):
    ...     origin: str
    ...     temp_max: float | None = Field(ge=-60, le=140)
    >>> [(column.name, column.nullable) for column in schema_columns(Daily)]
    [('origin', False), ('temp_max', True)]
    """


@dataclass(frozen=True, slots=True)
class FieldRules:
    """What the values of one column must satisfy; see :func:`Field`."""

    ge: object = None
    gt: object = None
    le: object = None
    lt: object = None
    unique: bool = False
    isin: tuple[object, ...] | None = None
    pattern: str | None = None
    decimals: int | None = None
    description: str | None = None


def Field(
    *,
    ge: object = None,
    gt: object = None,
    le: object = None,
    lt: object = None,
    unique: bool = False,
    isin: Sequence[object] | AbstractSet[object] | None = None,
    pattern: str | None = None,
    decimals: int | None = None,
    description: str | None = None,
) -> Any:  # so that `temp: float = Field(...)` type-checks
    """What the values of a column must satisfy, nulls apart: the right-hand side of a column in a :class:`Schema`.

    ``ge``, ``gt``, ``le``, ``lt`` bound values; ``unique`` forbids equal values within one partition; ``isin`` lists
    all allowed values; ``pattern`` is a regular expression that the whole text matches; ``decimals`` rounds floats for
    the data hash only, so that noise below makes nothing stale.

    >>> Field(ge=0, lt=1).ge
    0
    """
    # What is no collection stays as it is, and is refused when the graph is built.
    allowed: Any = tuple(isin) if isinstance(isin, list | tuple | AbstractSet) else isin
    return FieldRules(ge, gt, le, lt, unique, allowed, pattern, decimals, description)


@dataclass(frozen=True, slots=True)
class SchemaColumn:
    """One column; ``type`` is a Python type, ``list[...]``, or a ``pyarrow.DataType``."""

    name: str
    type: object
    nullable: bool
    field: FieldRules


def is_schema(value: object) -> TypeGuard[type[Schema]]:
    """Whether ``value`` is a schema that a user declared.

    >>> is_schema(Schema), is_schema(int)
    (False, False)
    """
    return isinstance(value, type) and value is not Schema and issubclass(value, Schema)


def schema_columns(schema: type[Schema]) -> tuple[SchemaColumn, ...]:
    """The columns, inherited ones first. Raises DefinitionError for the first that cannot be read."""
    columns: dict[str, SchemaColumn] = {}
    for part in reversed(schema.__mro__):
        if is_schema(part):
            annotations = inspect.get_annotations(part)
            found = (_column(part, name, written) for name, written in annotations.items())
            columns.update((column.name, column) for column in found if column)
    return tuple(columns.values())


def schema_problems(schema: type[Schema]) -> list[str]:
    """What is wrong with a schema, each as a sentence that names the column.

    >>> class Prices(Schema):
    ...     price: str = Field(decimals=2)
    >>> schema_problems(Prices)
    ["column 'price': decimals= is for float columns, and this one is str"]
    """
    try:
        columns = schema_columns(schema)
    except DefinitionError as error:
        return [error.message if error.hint is None else f"{error.message}; {error.hint}"]
    if not columns:
        return ["it has no columns: annotate at least one name in its body"]
    return [f"column {column.name!r}: {problem}" for column in columns for problem in _column_problems(column)]


def canonical(schema: type[Schema]) -> str:
    """A text that two schemas share exactly when they mean the same; descriptions do not count.

    >>> class Daily(Schema):
    ...     day: date = Field(unique=True, description="local")
    >>> canonical(Daily)
    'day: date unique=True'
    """
    return "\n".join(_canonical_column(column) for column in schema_columns(schema))


def _canonical_column(column: SchemaColumn) -> str:
    rules = [
        f" {each.name}={getattr(column.field, each.name)!r}"
        for each in fields(FieldRules)
        if each.name != "description" and getattr(column.field, each.name) != each.default
    ]
    return f"{column.name}: {column_type_text(column.type)}{' | None' if column.nullable else ''}{''.join(rules)}"


def column_type_text(kind: object) -> str:
    """A column's type as people write it.

    >>> column_type_text(list[str]), column_type_text(date)
    ('list[str]', 'date')
    """
    return kind.__name__ if isinstance(kind, type) and get_origin(kind) is None else str(kind)


def _column(schema: type[Schema], name: str, written: object) -> SchemaColumn | None:
    kind = _evaluated(schema, name, written)
    if kind is ClassVar or get_origin(kind) is ClassVar:
        return None
    kind, nullable = _without_none(kind)
    if get_origin(kind) is Annotated:
        inner, *notes = get_args(kind)
        inner, inner_nullable = _without_none(_evaluated(schema, name, inner))
        nullable = nullable or inner_nullable
        kind = next((note for note in notes if is_arrow_type(note)), inner)
    if not _is_column_type(kind):
        raise DefinitionError(f"column {name!r}: {column_type_text(kind)} is no type of a column", hint=_TYPES_HINT)
    given = schema.__dict__.get(name, FieldRules())
    if not isinstance(given, FieldRules):
        raise DefinitionError(
            f"column {name!r}: has the value {given!r}", hint="a column has no default: write Field(...), or nothing"
        )
    return SchemaColumn(name, kind, nullable, given)


def _evaluated(schema: type[Schema], name: str, written: object) -> object:
    text = written.__forward_arg__ if isinstance(written, ForwardRef) else written
    if not isinstance(text, str):
        return written
    module = sys.modules.get(schema.__module__)
    try:
        return eval(text, dict(vars(module)) if module else {}, dict(vars(schema)))
    except Exception as error:  # an annotation is an expression of the user's and may raise anything
        raise DefinitionError(
            f"column {name!r}: its annotation {text!r} cannot be read ({type(error).__name__}: {error})",
            hint="import what it names at the top of the module, not under TYPE_CHECKING",
        ) from None


def _without_none(kind: object) -> tuple[object, bool]:
    if get_origin(kind) not in (Union, UnionType):
        return kind, False
    rest = [each for each in get_args(kind) if each is not NoneType]
    return (rest[0], True) if len(rest) == 1 else (kind, False)


def is_arrow_type(kind: object) -> bool:
    """Whether this is an instance of ``pyarrow.DataType``; never imports pyarrow."""
    return any(each.__name__ == "DataType" and each.__module__.startswith("pyarrow") for each in type(kind).__mro__)


def _is_column_type(kind: object) -> bool:
    if get_origin(kind) is list:
        return _is_column_type(_without_none(get_args(kind)[0])[0])
    return kind in _PLAIN_TYPES if isinstance(kind, type) else is_arrow_type(kind)


def _column_problems(column: SchemaColumn) -> list[str]:
    rules, kind = column.field, column.type
    text = column_type_text(kind)
    problems: list[str] = []
    if column.name == "_partition":
        problems.append("this name is taken: a batch's tables carry it; choose another")
    bounds = {name: getattr(rules, name) for name in ("ge", "gt", "le", "lt") if getattr(rules, name) is not None}
    for name, bound in bounds.items():
        if isinstance(kind, type) and not (kind in _ORDERED_TYPES and _fits(bound, kind)):
            problems.append(f"{name}={bound!r} is no bound for {text}")
    if not problems and _empty_bounds(rules):
        problems.append(f"no value satisfies {', '.join(f'{name}={bound!r}' for name, bound in bounds.items())}")
    if rules.isin is not None and not (type(rules.isin) is tuple and rules.isin):
        problems.append(f"isin={rules.isin!r} must be a list of at least one value")
    elif rules.isin is not None and isinstance(kind, type):
        problems += [f"isin= has {value!r}, which is no {text}" for value in rules.isin if not _fits(value, kind)]
    if not isinstance(rules.unique, bool):  # pyright: ignore[reportUnnecessaryIsInstance]  # users may pass anything
        problems.append(f"unique={rules.unique!r} must be True or False")
    return problems + _pattern_problems(rules.pattern, column) + _decimals_problems(rules.decimals, column)


def _empty_bounds(rules: FieldRules) -> bool:
    return (
        _crossed(rules.ge, rules.le, strict=False)
        or _crossed(rules.ge, rules.lt, strict=True)
        or _crossed(rules.gt, rules.le, strict=True)
        or _crossed(rules.gt, rules.lt, strict=True)
    )


def _crossed(low: Any, high: Any, *, strict: bool) -> bool:
    if low is None or high is None:
        return False
    try:
        return bool(low > high or (strict and low == high))
    except TypeError:
        return False


def _fits(value: object, kind: type) -> bool:
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    if isinstance(value, datetime) or kind is datetime:
        return isinstance(value, datetime) and kind is datetime
    if kind is Decimal:
        return isinstance(value, int | Decimal)
    return isinstance(value, (int | float) if kind in (int, float) else kind)


def _pattern_problems(pattern: object, column: SchemaColumn) -> list[str]:
    if pattern is None:
        return []
    if isinstance(column.type, type) and column.type is not str:
        return [f"pattern= is for str columns, and this one is {column_type_text(column.type)}"]
    try:
        re.compile(pattern if isinstance(pattern, str) else "(")
    except re.error as error:
        return [f"pattern={pattern!r} is no regular expression ({error})"]
    return []


def _decimals_problems(decimals: object, column: SchemaColumn) -> list[str]:
    if decimals is None:
        return []
    if isinstance(column.type, type) and column.type is not float:
        return [f"decimals= is for float columns, and this one is {column_type_text(column.type)}"]
    if not isinstance(decimals, int) or isinstance(decimals, bool) or not 0 <= decimals <= 15:
        return [f"decimals={decimals!r} must be a whole number from 0 to 15"]
    return []
