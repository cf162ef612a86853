"""What the store asks of a database: the same few things, whichever it is.

Statements are written once, in SQLite's dialect, so that they reach SQLite as they stand. What another database says
otherwise is translated by rule (``postgres/translation.py``), or stands beside it in a :class:`Statement`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from assetflow.errors import StoreError

if TYPE_CHECKING:
    from assetflow.store.postgres.connection import PostgresConnection

Values = Sequence[Any] | Mapping[str, Any]

ALL = 2**63 - 1
"""The limit of a statement that gives every row."""

Fault = Literal["request", "passing", "lost", "fatal"]
"""Whose fault an error is: of the request that cannot be written down; of something that passes, such as a lock or a
full disk; of a connection that is gone; or of the database, for good."""


class Statement(str):
    """A statement that Postgres has to be told in other words, which ``postgres`` are."""

    __slots__ = ("postgres",)

    postgres: str

    def __new__(cls, sqlite: str, *, postgres: str) -> Statement:
        """``sqlite`` is the text itself."""
        statement = super().__new__(cls, sqlite)
        statement.postgres = postgres
        return statement


class Rows(Protocol):
    """What a statement gives."""

    @property
    def lastrowid(self) -> int | None:
        """The integer key that the database gave to the row just inserted."""
        ...

    @property
    def rowcount(self) -> int:
        """How many rows were changed."""
        ...

    def fetchone(self) -> Any:
        """The next row, or None."""
        ...

    def fetchall(self) -> list[Any]:
        """Every row that is left."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """One connection; statements are SQLite's, with ``?`` or ``:name`` for values. ``sqlite3.Connection`` is one."""

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction was begun and not ended."""
        ...

    def execute(self, sql: str, parameters: Any = ..., /) -> Rows:
        """Execute one statement."""
        ...

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> object:
        """Execute one statement that gives nothing, with many values."""
        ...

    def close(self) -> object:
        """Let go of it."""
        ...


class Database(Protocol):
    """The database that a store lies in."""

    @property
    def place(self) -> str:
        """How messages name it; without any password."""
        ...

    def connect(self, *, patience: float, writing: bool = False) -> Connection:
        """A connection without transactions of its own, ``writing`` for :meth:`begin`; waits ``patience`` seconds."""
        ...

    def begin(self, connection: Connection, patience: float) -> None:
        """Begin to write: nobody else commits until this transaction ends. Waits up to ``patience`` seconds for it."""
        ...

    def commit(self, connection: Connection, patience: float) -> None:
        """End the transaction; what it wrote is durable. An error means that nothing of it was written.

        Raises CommitUnknown where that cannot be found out within ``patience`` seconds.
        """
        ...

    def begin_reading(self, connection: Connection) -> None:
        """Begin a transaction that sees one moment."""
        ...

    def stamp(self, connection: Connection) -> object:
        """What is another one as soon as anybody has written anything."""
        ...

    def damage(self, connection: Connection) -> list[str]:
        """What the database finds broken in itself, a sentence each."""
        ...

    def advice(self, connection: Connection) -> list[str]:
        """What is worth knowing about the database, a sentence each."""
        ...

    def fault(self, error: Exception) -> Fault | None:
        """Whose fault an error is; None for one that the database did not raise."""
        ...

    def explained(self, error: Exception) -> StoreError:
        """An error of the database, for people."""
        ...


@contextmanager
def explained(database: Database) -> Generator[None]:
    """Turn the database's errors into StoreError and its like."""
    try:
        yield
    except Exception as error:
        if database.fault(error) is None:
            raise
        raise database.explained(error) from error


def on_postgres(connection: Connection) -> PostgresConnection | None:
    """The connection, if it is one to Postgres."""
    return None if isinstance(connection, sqlite3.Connection) else cast("PostgresConnection", connection)


def together(connection: Connection) -> AbstractContextManager[object]:
    """Inside it, statements that give nothing may be sent without waiting for each other."""
    postgres = on_postgres(connection)
    return nullcontext() if postgres is None else postgres.together()


def key_written(connection: Connection, key: str) -> str | bytes:
    """A partition key as the database keeps it: Postgres has no text with a NUL in it."""
    return key if on_postgres(connection) is None else key.encode()


def key_read(kept: str | bytes) -> str:
    """The partition key that was written."""
    return kept if isinstance(kept, str) else kept.decode()
