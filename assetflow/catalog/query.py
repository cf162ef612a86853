"""One SQL question to the catalog: answered by DuckDB in memory, which sees the given tables and nothing else.

A statement can read no file, load no extension and change no setting. Only the tables that its text mentions are made.
Names and keys reach DuckDB as objects or quoted identifiers, never as SQL.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from difflib import get_close_matches
from typing import TYPE_CHECKING, cast

from assetflow.errors import AssetflowError, DataUnreadable, InvalidQuery

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    import pyarrow.dataset as ds

ROW_LIMIT = 10_000
"""How many rows a document of a query holds unless asked otherwise."""

_BATCH_ROWS = 8_192
_DATA = "data"
_LISTINGS = ("show", "information_schema", "duckdb_", "pg_catalog", "sqlite_master")
_ANSWERING = frozenset({"SELECT", "EXPLAIN", "MULTI"})
_FAILED_STREAM = re.compile(r"reading the stream registered as 'data\.(?P<asset>.+)' failed: (?P<reason>.+)")
_PROPOSED = re.compile(r"^(?:Candidate bindings: (.+)|Did you mean (.+)\?)$", re.MULTILINE)
_MISSING_TABLE = re.compile(r"Table with name (?P<name>.+) does not exist")


@dataclass(frozen=True, slots=True)
class Tables:
    """What a query may name: ``views`` by name, ``data`` by asset; each is made when the SQL mentions it.

    Data that does not read as a table raises an AssetflowError, which matters only if the SQL really reads it.
    """

    views: Mapping[str, Callable[[], pa.Table]]
    data: Mapping[str, Callable[[], ds.Dataset | pa.Table]] = field(
        default_factory=dict[str, "Callable[[], ds.Dataset | pa.Table]"]
    )


@dataclass(frozen=True, slots=True)
class QueryResult:
    """Rows in order, with DuckDB's type of each column; ``truncated`` when there were more than the limit."""

    table: pa.Table
    types: tuple[str, ...]
    truncated: bool

    def to_dict(self) -> dict[str, object]:
        """The query document: ``columns``, ``types``, ``rows`` of JSON values, ``row_count``, ``truncated``."""
        columns = [
            [json_value(value) for value in column.to_pylist(maps_as_pydicts="lossy")] for column in self.table.columns
        ]
        return {
            "columns": list(self.table.column_names),
            "types": list(self.types),
            "rows": [list(row) for row in zip(*columns, strict=True)],
            "row_count": self.table.num_rows,
            "truncated": self.truncated,
        }


def data_name(asset: str) -> str:
    """How SQL names an asset's data.

    >>> data_name("orders"), data_name("raw/orders")
    ('data.orders', '"data"."raw/orders"')
    """
    return f"{_DATA}.{asset}" if asset.isidentifier() and asset.isascii() else f"{_quoted(_DATA)}.{_quoted(asset)}"


def run_query(sql: str, tables: Tables, *, limit: int | None = None) -> QueryResult:
    """Answer one statement; at most ``limit`` rows. Raises InvalidQuery, and what making a table raises.

    >>> import pyarrow as pa
    >>> run_query("select n + 1 as m from numbers", Tables({"numbers": lambda: pa.table({"n": [1]})})).to_dict()["rows"]
    [[2]]
    """
    import duckdb

    with _connect() as connection:
        _refuse_other_statements(connection, sql)
        unreadable = _register(connection, sql, tables)
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")
        try:
            return _answer(connection, sql, limit)
        except duckdb.Error as error:
            raise _explained(error, tables, unreadable) from error


def json_value(value: object) -> object:
    """A value as JSON holds it: decimals as numbers, what is not finite as None, bytes as hex, times as ISO 8601.

    >>> json_value([Decimal("6"), float("nan"), date(2025, 1, 31), timedelta(minutes=1), b"\\x01"])
    [6, None, '2025-01-31', 60.0, '01']
    """
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case date() | time() | datetime():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case bytes():
            return value.hex()
        case dict():
            return {str(key): json_value(item) for key, item in cast("dict[object, object]", value).items()}
        case list():
            return [json_value(item) for item in cast("list[object]", value)]
        case (int(months), int(days), int(nanoseconds)) if type(value).__name__ == "MonthDayNano":
            return f"P{months}M{days}DT{Decimal(nanoseconds).scaleb(-9).normalize():f}S"
        case tuple():
            return [json_value(item) for item in cast("tuple[object, ...]", value)]
        case _:
            return str(value)


def _connect() -> duckdb.DuckDBPyConnection:
    import duckdb

    connection = duckdb.connect(
        ":memory:",
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "python_enable_replacements": "false",
            "temp_directory": "",
        },
    )
    connection.execute("set timezone = 'UTC'")
    connection.execute(f"create schema {_DATA}")
    return connection


def _refuse_other_statements(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    import duckdb

    try:
        statements = connection.extract_statements(sql)
    except duckdb.Error as error:
        raise InvalidQuery(_first_line(error), hint="write one select statement") from error
    if len(statements) != 1:
        count = len(statements) or "no"
        raise InvalidQuery(f"the query has {count} statements", hint="write one select statement")
    kind = statements[0].type.name
    if kind not in _ANSWERING:
        article = "an" if kind[0] in "AEIOU" else "a"
        raise InvalidQuery(
            f"the catalog answers questions only, and this is {article} {kind.lower()} statement",
            hint="write one select statement; describe, summarize and explain work too",
        )


def _register(connection: duckdb.DuckDBPyConnection, sql: str, tables: Tables) -> dict[str, AssetflowError]:
    """Make the tables that the SQL mentions; returns why some data could not be read, by asset."""
    for name in _mentioned(sql, tables.views):
        connection.register(name, tables.views[name]())
    unreadable: dict[str, AssetflowError] = {}
    if _DATA not in sql.casefold() and not _lists_tables(sql):
        return unreadable
    for asset in _mentioned(sql, tables.data):
        try:
            source = tables.data[asset]()
        except AssetflowError as error:
            unreadable[asset] = error
            continue
        # A registered object is a view of the temporary schema; this gives it its place in the schema `data`.
        inner = _quoted(f"{_DATA}.{asset}")
        connection.register(f"{_DATA}.{asset}", source)
        connection.execute(f"create view {_quoted(_DATA)}.{_quoted(asset)} as select * from {inner}")
    return unreadable


def _mentioned(sql: str, names: Iterable[str]) -> list[str]:
    """The names that occur anywhere in the text, one per spelling that SQL tells apart, exact spellings first."""
    folded, everything = sql.casefold(), _lists_tables(sql)
    found = [name for name in names if everything or name.casefold() in folded]
    chosen: dict[str, str] = {}
    for name in sorted(found, key=lambda name: name not in sql):
        chosen.setdefault(name.casefold(), name)
    return list(chosen.values())


def _lists_tables(sql: str) -> bool:
    folded = sql.casefold()
    return any(listing in folded for listing in _LISTINGS)


def _answer(connection: duckdb.DuckDBPyConnection, sql: str, limit: int | None) -> QueryResult:
    import pyarrow as pa

    relation = connection.sql(sql)
    types = tuple(str(kind).strip('"') for kind in relation.types)
    reader = relation.to_arrow_reader(_BATCH_ROWS)
    if limit is None:
        return QueryResult(reader.read_all(), types, truncated=False)
    batches: list[pa.RecordBatch] = []
    rows = 0
    for batch in reader:
        batches.append(batch)
        rows += batch.num_rows
        if rows > limit:
            break
    table = pa.Table.from_batches(batches, reader.schema)
    return QueryResult(table.slice(0, limit), types, truncated=rows > limit)


def _explained(error: duckdb.Error, tables: Tables, unreadable: Mapping[str, AssetflowError]) -> AssetflowError:
    message = _first_line(error)
    if (failed := _FAILED_STREAM.match(message)) is not None:
        return unreadable_data(failed["asset"], failed["reason"])
    missing = _MISSING_TABLE.match(message)
    if missing is None:
        return InvalidQuery(message, hint=_proposal(error))
    name = missing["name"].strip('"')
    for asset, reason in unreadable.items():
        if asset.casefold() == name.casefold():
            return reason
    return InvalidQuery(f"there is no table {name}", hint=_near(name, tables))


def unreadable_data(asset: str, reason: object) -> DataUnreadable:
    """The error for files of an asset whose damage shows when their rows are read."""
    return DataUnreadable(
        f"{asset}: one of its data files cannot be read: {reason}",
        hint=f"rebuild it: assetflow materialize --select {asset} --force",
    )


def _proposal(error: duckdb.Error) -> str:
    """What to do instead: what DuckDB itself proposes, where it does."""
    import duckdb

    if isinstance(error, duckdb.PermissionException):
        return f"a query reads the views and {_DATA}.ASSET, and no files"
    proposed = _PROPOSED.search(str(error))
    if proposed is None:
        return "mend the query; `describe VIEW` lists the columns of a view"
    return f"did you mean {proposed[1] or proposed[2]}?"


def _near(name: str, tables: Tables) -> str:
    written = {asset: data_name(asset) for asset in tables.data} | {view: view for view in tables.views}
    matches = get_close_matches(name, sorted(written), n=3, cutoff=0.6)
    if matches:
        return f"did you mean {' or '.join(written[match] for match in matches)}?"
    return f"the views are {', '.join(tables.views)}, and {_DATA}.ASSET"


def _first_line(error: Exception) -> str:
    first = str(error).strip().partition("\n")[0]
    return re.sub(r"^[A-Z][A-Za-z ]* Error: ", "", first)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
