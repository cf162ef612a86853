"""The door through which every storage format comes: the IO manager protocol and what its methods are given.

A plug-in needs this module, :mod:`assetflow.keys` and :mod:`assetflow.errors`, and nothing else of assetflow.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, cast, runtime_checkable

from assetflow.errors import DataMissing, InputError, OutputError
from assetflow.keys import AssetKey, DataHash, VersionId, format_address

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import pyarrow as pa
    import pyarrow.dataset as arrow_dataset

INLINE_LIMIT = 16_384
"""Bytes of JSON up to which a plain value lives in the version record itself."""

NATIVE = b"assetflow.native"
"""Key in the metadata of an Arrow schema: ``pandas`` or ``arrow``, the library that the table came from."""


@dataclass(frozen=True, slots=True)
class Location:
    """Where the files of one version lie: a folder of its own, relative to the storage root, ``/``-separated."""

    path: str


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file of a version: absolute path, size in bytes, and ``blake3:`` with the hex digest of its content."""

    path: Path
    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class StagedOutput:
    """What :meth:`IOManager.stage` made.

    ``files`` are paths relative to the version's folder; none when ``inline`` holds the value as JSON. ``storage``
    names format and options, so that a change of format is a new version even where the data is equal. ``data_hash``
    is needed only for values that assetflow cannot hash itself (it hashes tables and JSON); None means the digest over
    the files.
    """

    storage: str
    files: tuple[str, ...] = ()
    inline: str | None = None
    row_count: int | None = None
    data_hash: DataHash | None = None


@dataclass(frozen=True, slots=True)
class OutputContext:
    """For staging: which asset partition, as which version.

    ``folder()`` creates this version's own, empty folder on its first call and returns it; what is written there is
    made durable by assetflow after ``stage`` returns.
    """

    asset: AssetKey
    partition: str | None
    version: VersionId
    folder: Callable[[], Path]


@dataclass(frozen=True, slots=True)
class StoredPartition:
    """One published version to load: its files, or its value as JSON in ``inline``."""

    asset: AssetKey
    partition: str | None
    version: VersionId
    files: tuple[StoredFile, ...] = ()
    inline: str | None = None
    row_count: int | None = None

    def file(self) -> StoredFile:
        """The only file of a version that has one. Raises DataMissing when the record lists none."""
        if len(self.files) != 1:
            place = format_address(self.asset, self.partition)
            raise DataMissing(
                f"{place}: version {self.version} records {len(self.files)} files instead of one",
                hint=f"rebuild it: assetflow materialize --select {self.asset} --force",
            )
        return self.files[0]


@dataclass(frozen=True, slots=True)
class InputContext:
    """For loading: the resolved partitions, all stored by this manager, none of them empty, at least one.

    ``columns`` asks for those columns only; a manager may return more.
    """

    partitions: tuple[StoredPartition, ...]
    columns: tuple[str, ...] | None = None


@runtime_checkable
class IOManager(Protocol):
    """How values of some types are stored and loaded.

    ``types`` are the Python types that ``stage`` accepts and ``load`` can return; a manager whose types include
    ``pyarrow.Table`` is given tables as such. ``versioned``: every stage is kept apart. ``external``: the target lies
    outside assetflow's files. ``cross_process``: another process can load. A manager whose stages all have one
    ``storage`` may name it in an attribute of that name: a table or plain value that equals the current version is then
    not staged at all.
    """

    name: str
    versioned: bool
    external: bool
    cross_process: bool

    @property
    def types(self) -> tuple[type, ...]:
        """The Python types that ``stage`` accepts and ``load`` can return."""
        ...

    def stage(self, context: OutputContext, value: object) -> StagedOutput:
        """Write ``value`` to the version's own new place; touch nothing that is published."""
        ...

    def load(self, context: InputContext, expected_type: type) -> object:
        """All resolved partitions at once, concatenated in order, as ``expected_type`` (``object``: as stored).

        Raises DataMissing and DataUnreadable.
        """
        ...


@runtime_checkable
class DiscardingIOManager(IOManager, Protocol):
    """A manager that holds something besides files for a staged version."""

    def discard(self, context: OutputContext, staged: StagedOutput) -> None:
        """Forget a staged version that will not be published."""
        ...


@runtime_checkable
class ScanningIOManager(IOManager, Protocol):
    """A manager whose versions read as tables."""

    def scan(self, context: InputContext) -> object:
        """A ``pyarrow.dataset.Dataset`` over the resolved partitions, opened lazily."""
        ...


@dataclass(frozen=True, slots=True)
class TableSchema:
    """A canonical column list: names, Arrow types as text and nullability; equal schemas compare equal."""

    columns: tuple[tuple[str, str, bool], ...] = field(default_factory=tuple)


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
    """A new in-memory DuckDB database that never downloads an extension."""
    import duckdb

    return duckdb.connect(":memory:", config={"autoinstall_known_extensions": "false"})


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


_JSON_DEPTH = 100


def json_problem(value: object) -> str | None:
    """What keeps ``value`` from coming back from JSON exactly as it is, or None.

    >>> json_problem({"a": [1, 2.5, None, "x"]})
    >>> json_problem({"a": [(1, 2)]})
    "['a'][0] is a tuple"
    """
    return _json_problem(value, "", 0)


def _json_problem(value: object, path: str, depth: int) -> str | None:
    # Exact types: a subclass (an enum, a numpy float, an OrderedDict) would come back as the plain type.
    kind = type(value)
    if kind is bool or kind is float or value is None:
        return None
    if kind is int:
        # Python refuses to read integers of more than 4,300 digits.
        return f"{path or 'it'} is too long an integer" if abs(cast("int", value)) >> 14_000 else None
    if kind is str:
        try:
            cast("str", value).encode()
        except UnicodeEncodeError:
            return f"{path or 'it'} is a text with half a surrogate pair"
        return None
    if depth == _JSON_DEPTH:
        return f"{path[:40]}... is nested more than {_JSON_DEPTH} levels deep"
    if kind is list:
        inside = (_json_problem(item, f"{path}[{i}]", depth + 1) for i, item in enumerate(cast("list[object]", value)))
        return next((problem for problem in inside if problem), None)
    if kind is dict:
        entries = cast("dict[object, object]", value)
        for key, item in entries.items():
            if type(key) is not str:
                return f"{path or 'it'} has the key {key!r}, a {type(key).__name__}"
            problem = _json_problem(key, f"the key {key!r} of {path or 'it'}", depth) or _json_problem(
                item, f"{path}[{key!r}]", depth + 1
            )
            if problem:
                return problem
        return None
    return f"{path or 'it'} is a {kind.__name__}"
