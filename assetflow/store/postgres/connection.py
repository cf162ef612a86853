"""A connection to Postgres that takes the store's statements."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.abc import AdaptContext
from psycopg.pq import TransactionStatus
from psycopg.types.numeric import Int8BinaryDumper
from psycopg.types.string import BytesBinaryDumper, StrBinaryDumper

from assetflow.store.connection import Values
from assetflow.store.postgres.arrays import ARRAYS, KINDS, Numbers, NumbersLoader, PackedDumper, packed
from assetflow.store.postgres.translation import postgres_words

FEW = 4
"""So many rows are sent one by one; more as one array for each column."""

_INSERT = re.compile(r"\s*INSERT INTO (\w+) \(([\w\s,]+)\)\s*VALUES \((?:%s(?:, )?)+\)(.*)", re.DOTALL)
_DELETE = re.compile(r"\s*DELETE FROM (\w+) WHERE (\w+ = %s(?: AND \w+ = %s)*)\s*")
_UPDATE = re.compile(r"\s*UPDATE (\w+) SET (.+?) WHERE (.+)", re.DOTALL)
_GIVEN = re.compile(r"(\w+) = %s")
_KEY = re.compile(r"ON CONFLICT \(([\w\s,]+)\) DO UPDATE")
_TYPES = """
SELECT c.relname, a.attname, format_type(a.atttypid, NULL)
FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
"""


class PostgresRows(psycopg.Cursor[Any]):
    """What a statement gives."""

    if TYPE_CHECKING:

        def fetchone(self) -> Any: ...

    @property
    def lastrowid(self) -> int | None:
        """The integer key that the database gave to the row just inserted."""
        row = self.connection.execute("SELECT lastval()").fetchone()
        return row and row[0]


class PostgresConnection:
    """One connection, without transactions of its own."""

    def __init__(self, raw: psycopg.Connection[Any]) -> None:
        """``raw`` commits by itself."""
        self.raw = raw
        self.transaction: str | None = None
        """The number of the write transaction under way, by which its outcome is found out."""
        self.history: str | None = None
        """The server's timeline: another server that took over may have given that number to another transaction."""
        self._types: dict[tuple[str, str], str] = {}
        adapt(raw)
        raw.cursor_factory = PostgresRows

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction was begun and not ended; a lost connection has none."""
        return self.raw.pgconn.transaction_status in {TransactionStatus.INTRANS, TransactionStatus.INERROR}

    def execute(self, sql: str, parameters: Any = (), /) -> PostgresRows:
        """Execute one statement."""
        return self._said(postgres_words(sql), parameters)

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> None:
        """Execute one statement that gives nothing, with many values."""
        rows = list(parameters)
        words = postgres_words(sql)
        bulk = _bulk(words) if len(rows) > FEW else None
        if bulk is None or not self._at_once(bulk, rows):
            PostgresRows(self.raw).executemany(words.encode(), rows)

    def gathered(self, query: str, values: Values, numbers: Sequence[str], octets: Sequence[str]) -> list[Any]:
        """How many rows a query has, and its columns: of numbers as arrays, of octets joined."""
        # An aggregate takes the rows of an ordered subquery in their order.
        columns = [f"array_agg({name}::bigint)" for name in numbers]
        columns += [f"string_agg({name}, ''::bytea)" for name in octets]
        words = f"SELECT count(*), {', '.join(columns)} FROM ({postgres_words(query)}) AS asked"
        return list(self._said(words, values).fetchone())

    def together(self) -> AbstractContextManager[object]:
        """Statements that give nothing are sent without waiting for each other."""
        return self.raw.pipeline()

    def close(self) -> None:
        """Let go of it; the server takes back what was not committed."""
        self.raw.close()

    def _said(self, words: str, values: Values) -> PostgresRows:
        rows = PostgresRows(self.raw)
        rows.format = psycopg.pq.Format.BINARY
        if "%(1)s" in words and not isinstance(values, Mapping):
            values = {str(number): value for number, value in enumerate(values, 1)}
        rows.execute(words.encode(), values)
        return rows

    def _at_once(self, bulk: Bulk, rows: Sequence[Sequence[Any]]) -> bool:
        """Whether all rows could be sent as arrays; not where one of them is about the same as another."""
        table, columns, key, words = bulk
        if key is not None and len({tuple([row[place] for place in key]) for row in rows}) != len(rows):
            return False
        kinds = [KINDS.get(self._type(table, column)) for column in columns]
        if None in kinds:
            return False
        values = [packed(column, kind) for column, kind in zip(zip(*rows, strict=True), kinds, strict=True) if kind]
        PostgresRows(self.raw).execute(words.encode(), values)
        return True

    def _type(self, table: str, column: str) -> str:
        if not self._types:
            found = PostgresRows(self.raw).execute(_TYPES)
            self._types = {(name, attribute): kind for name, attribute, kind in found}
        return self._types.get((table, column), "")


Bulk = tuple[str, tuple[str, ...], tuple[int, ...] | None, str]
"""A statement about many rows: its table, the columns that its values are of, the places of those that tell rows
apart (None: rows may be alike), and the statement that takes arrays."""


@lru_cache(maxsize=256)
def _bulk(words: str) -> Bulk | None:
    """The statement that does at once, with arrays, what ``words`` does row by row."""
    if found := _INSERT.fullmatch(words):
        table, names, rest = found.groups()
        columns = tuple(name.strip() for name in names.split(","))
        if "%s" in rest:
            return None
        conflict = _KEY.search(rest)
        key = conflict and tuple(columns.index(name.strip()) for name in conflict[1].split(","))
        arrays = ", ".join(["%s"] * len(columns))
        return table, columns, key, f"INSERT INTO {table} ({names}) SELECT * FROM unnest({arrays}) {rest}"
    if found := _DELETE.fullmatch(words):
        table, condition = found.groups()
        columns = tuple(_GIVEN.findall(condition))
        meant = " AND ".join(f"{table}.{column} = given.c{place}" for place, column in enumerate(columns))
        return table, columns, None, f"DELETE FROM {table} USING {_given(len(columns))} WHERE {meant}"
    if found := _UPDATE.fullmatch(words):
        table, changes, condition = found.groups()
        columns = tuple(_GIVEN.findall(f"{changes} {condition}"))
        changed = len(_GIVEN.findall(changes))
        if not columns or words.count("%s") != len(columns) or changed == len(columns):
            return None
        places = iter(range(len(columns)))
        made = _GIVEN.sub(lambda each: f"{each[1]} = given.c{next(places)}", changes)
        meant = _GIVEN.sub(lambda each: f"{table}.{each[1]} = given.c{next(places)}", condition)
        key = tuple(range(changed, len(columns)))
        return table, columns, key, f"UPDATE {table} SET {made} FROM {_given(len(columns))} WHERE {meant}"
    return None


def _given(count: int) -> str:
    names = ", ".join(f"c{place}" for place in range(count))
    return f"unnest({', '.join(['%s'] * count)}) AS given({names})"


def adapt(context: AdaptContext) -> None:
    """Numbers are 64 bits wide and texts are texts, whatever stands beside them; arrays of numbers are numpy's."""
    adapters = context.adapters
    adapters.register_dumper(int, Int8BinaryDumper)
    adapters.register_dumper(str, StrBinaryDumper)
    adapters.register_dumper(bytes, BytesBinaryDumper)
    for kind, number in ARRAYS.items():
        adapters.register_dumper(kind, type(f"{kind.__name__}Dumper", (PackedDumper,), {"oid": number}))
    adapters.register_loader(ARRAYS[Numbers], NumbersLoader)
