"""Tables of pandas, Arrow and DuckDB: as Arrow and back, without importing a library that is not there yet."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, cast

from assetflow.errors import InputError, OutputError

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import pyarrow as pa
    import pyarrow.dataset as arrow_dataset

NATIVE = b"assetflow.native"
"""Key in the metadata of an Arrow schema: ``pandas`` or ``arrow``, the library that the table came from."""


def table_types() -> tuple[type, ...]:
    """The classes that hold a table, of those libraries that are imported: there can be no value of another.

    >>> import pyarrow as pa
    >>> pa.Table in table_types()
    True
    """
    names = (
        ("pyarrow", "Table"),
        ("pandas", "DataFrame"),
        ("duckdb", "DuckDBPyRelation"),
        ("pyarrow", "RecordBatch"),
        ("pyarrow", "RecordBatchReader"),
        ("pyarrow.dataset", "Dataset"),
    )
    return tuple(kind for module, name in names if (kind := _imported(module, name)) is not None)


def _imported(module: str, name: str) -> type | None:
    return getattr(sys.modules.get(module), name, None)


def arrow_table(value: object, place: str) -> pa.Table:
    """Any table as Arrow, marked with the library that it came from (see ``NATIVE``).

    Unnamed pandas indexes are dropped, named ones become columns and come back as the index. ``place`` begins the
    message of OutputError, raised for columns without a name, names that repeat, and cells that no Arrow type holds.

    >>> import pandas as pd
    >>> arrow_table(pd.DataFrame({"n": [1]}, index=[7]), "orders").column_names
    ['n']
    """
    import pyarrow as pa

    native = "arrow"
    table: pa.Table
    if isinstance(value, pa.Table):
        table = value
        native = native_library(value)
    elif (frame := _imported("pandas", "DataFrame")) is not None and isinstance(value, frame):
        table = _from_pandas(cast("pd.DataFrame", value), place)
        native = "pandas"
    elif isinstance(value, pa.RecordBatch):
        table = pa.Table.from_batches([value])
    elif isinstance(value, pa.RecordBatchReader):
        table = value.read_all()
    elif (relation := _imported("duckdb", "DuckDBPyRelation")) is not None and isinstance(value, relation):
        table = cast("duckdb.DuckDBPyRelation", value).to_arrow_table()
    elif (dataset := _imported("pyarrow.dataset", "Dataset")) is not None and isinstance(value, dataset):
        table = cast("arrow_dataset.Dataset", value).to_table()
    else:
        raise OutputError(f"{place}: a value of type {type(value).__qualname__} is not a table")
    _refuse_repeated(table.column_names, place)
    return mark_native(table, native)


def _refuse_repeated(names: Sequence[str], place: str) -> None:
    if len(set(names)) < len(names):
        repeated = next(name for index, name in enumerate(names) if name in names[:index])
        raise OutputError(f"{place}: the column name {repeated!r} occurs more than once", hint="rename one of them")


def _from_pandas(frame: pd.DataFrame, place: str) -> pa.Table:
    import pyarrow as pa

    for name in cast("Iterable[object]", frame.columns):
        if not isinstance(name, str):
            raise OutputError(
                f"{place}: the column name {name!r} is of type {type(name).__name__}; column names are text",
                hint="rename the columns, for example frame.columns = [str(name) for name in frame.columns]",
            )
    _refuse_repeated(list(frame.columns), place)
    levels = cast("list[object]", list(frame.index.names))
    named = [level for level in levels if level is not None]
    for level in named:
        if not isinstance(level, str) or level in frame.columns:
            wrong = "is also a column" if isinstance(level, str) else "is not text"
            raise OutputError(
                f"{place}: the index name {level!r} {wrong}", hint="call reset_index(drop=True) or rename it"
            )
    if named and len(named) < len(levels):
        unnamed = [position for position, level in enumerate(levels) if level is None]
        frame = frame.reset_index(level=unnamed, drop=True)
    try:
        return pa.Table.from_pandas(frame, preserve_index=bool(named))
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise OutputError(
            f"{place}: the table has cells that no column type holds: {'; '.join(str(text) for text in error.args)}",
            hint="give every column values of one type, or return the value with io_manager='pickle'",
        ) from error


def native_library(table: pa.Table) -> Literal["pandas", "arrow"]:
    """The library that a table came from, as its metadata says; ``arrow`` where it says nothing."""
    metadata = cast("Mapping[bytes, bytes]", table.schema.metadata or {})
    return "pandas" if metadata.get(NATIVE) == b"pandas" else "arrow"


def mark_native(table: pa.Table, native: str | None) -> pa.Table:
    """The table with another mark of where it came from, or with none."""
    metadata = dict(cast("Mapping[bytes, bytes]", table.schema.metadata or {}))
    before = metadata.pop(NATIVE, None)
    after = native.encode() if native is not None else None
    if before == after:
        return table
    if after is not None:
        metadata[NATIVE] = after
    return table.replace_schema_metadata(metadata or None)


def concat_tables(tables: Sequence[pa.Table], place: str) -> pa.Table:
    """Tables below one another, by column name: absent columns are null, and types widen.

    Raises InputError where the types of a column do not fit together.

    >>> import pyarrow as pa
    >>> concat_tables([pa.table({"n": [1]}), pa.table({"n": [0.5], "m": ["x"]})], "orders")["n"].to_pylist()
    [1.0, 0.5]
    """
    import pyarrow as pa

    if len(tables) == 1:
        return tables[0]
    metadata = tables[-1].schema.metadata
    try:
        try:
            table = pa.concat_tables(tables, promote_options="permissive")
        except pa.ArrowTypeError:
            table = pa.concat_tables([_without_dictionaries(table) for table in tables], promote_options="permissive")
    except pa.ArrowException as error:
        raise InputError(
            f"{place}: the columns of its partitions do not fit together: {error}",
            hint="declare a schema for that asset, or rebuild its old partitions with --force",
        ) from error
    return table.replace_schema_metadata(metadata)


def _without_dictionaries(table: pa.Table) -> pa.Table:
    import pyarrow as pa

    for index, kind in enumerate(table.schema.types):
        if isinstance(kind, pa.DictionaryType):
            decoded = table.column(index).cast(cast("pa.DataType", kind.value_type))
            table = table.set_column(index, table.column_names[index], decoded)
    return table


def duckdb_connection() -> duckdb.DuckDBPyConnection:
    """A connection for relations: those of one connection join, and ``duckdb.sql`` of the user's code reads them too.

    It is one to the in-memory database of ``duckdb.sql``, whose settings are the user's.
    """
    import duckdb

    return duckdb.default_connection().cursor()


def table_as(
    table: pa.Table, expected_type: type, place: str, *, connection: duckdb.DuckDBPyConnection | None = None
) -> object:
    """A stored table as ``pandas.DataFrame``, ``pyarrow.Table``, a dataset or a DuckDB relation.

    ``object`` asks for the library that it came from. DuckDB joins only relations of one ``connection``; without one,
    each has its own. Raises InputError for other types.

    >>> import pyarrow as pa
    >>> table_as(pa.table({"n": [1]}), object, "orders").num_rows
    1
    """
    import pyarrow as pa

    if expected_type is object:
        expected_type = pa.Table if native_library(table) == "arrow" else _pandas_frame()
    if expected_type is pa.Table:
        return mark_native(table, None)
    if expected_type is _imported("pandas", "DataFrame"):
        return table.to_pandas()
    if expected_type is _imported("pyarrow.dataset", "Dataset"):
        from pyarrow import dataset

        return dataset.dataset(mark_native(table, None))
    if expected_type is _imported("duckdb", "DuckDBPyRelation"):
        return (connection or duckdb_connection()).from_arrow(mark_native(table, None))
    raise InputError(
        f"{place}: a stored table cannot arrive as {expected_type.__qualname__}",
        hint="annotate pd.DataFrame, pa.Table, pa.dataset.Dataset or duckdb.DuckDBPyRelation",
    )


def _pandas_frame() -> type:
    import pandas as pd

    return pd.DataFrame
