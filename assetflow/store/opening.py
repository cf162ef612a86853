"""Opening a store: creating it, bringing it to the newest schema, and refusing what cannot be used."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from assetflow.errors import StoreDamaged, StoreError, StoreTooNew
from assetflow.store.connection import explained
from assetflow.store.encoding import to_micros
from assetflow.store.interface import Store
from assetflow.store.leases import Gone, Ticks, database_clock
from assetflow.store.reader import Reader
from assetflow.store.records import ProcessRecord
from assetflow.store.sqlite import SqliteDatabase, begin, database_path, patiently
from assetflow.store.writer import Writer

SCHEMA = 3
"""The revision of ``schema.sql`` and of the newest migration."""

POSTGRES = {"postgresql", "postgres", "postgresql+psycopg", "postgresql+psycopg2"}
"""What the URL of a Postgres database begins with."""

PATIENCE = 30.0
"""Seconds to wait for another process's lock."""


def utc_now() -> datetime:
    """The system clock."""
    return datetime.now(UTC)


def nobody(process: ProcessRecord) -> bool:
    """Of no process it is known that it has ended."""
    return False


def open_store(
    url: str,
    *,
    create: bool = True,
    patience: float = PATIENCE,
    clock: Callable[[], datetime] = utc_now,
    lease_clock: Callable[[], datetime] | None = None,
    gone: Gone = nobody,
    folder: Path | None = None,
) -> Store:
    """Open the metadata store at a URL such as ``sqlite:///.assetflow/store.db``; relative paths start here.

    A missing file is created with its folders, unless ``create`` is false; so are the tables in an empty schema of a
    Postgres database, ``postgresql://user@host/database``. An older schema is brought up to date. ``patience`` is how
    many seconds to wait for other processes. ``clock`` gives aware datetimes for records. Leases go by the database's
    own, which all that share it agree on, unless ``lease_clock`` is given. ``gone`` says of which processes it is known
    that they have ended: their leases are nobody's. ``folder`` is where what a reader of a Postgres store learned is
    kept for the next one; an SQLite store has it beside its file.

    Raises ProjectError for any other URL, and StoreError, StoreTooNew, StoreDamaged, StoreLocked and StoreUnreachable.

    >>> from tempfile import TemporaryDirectory
    >>> folder = TemporaryDirectory()
    >>> store = open_store(f"sqlite:///{folder.name}/store.db")
    >>> store.writer.open_environment("prod"), store.reader.generation()
    (1, 0)
    >>> store.close()
    >>> folder.cleanup()
    """
    ticks = database_clock if lease_clock is None else ticking(lease_clock)
    if url.partition("://")[0] in POSTGRES:
        return _open_postgres(url, create=create, patience=patience, clock=clock, folder=folder, ticks=ticks, gone=gone)
    path = database_path(url)
    if not create and not path.exists():
        raise StoreError(f"{path}: there is no metadata store yet", hint="`assetflow materialize` creates it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"{path.parent}: the folder of the metadata store cannot be created ({error.strerror})",
            hint="check `store` in pyproject.toml, and that you may write there",
        ) from error
    database = SqliteDatabase(path)
    with explained(database):
        connection = database.connect(patience=min(patience, 10.0))
        try:
            _make_current(connection, path, patience)
        except BaseException:
            connection.close()
            raise
    reader = Reader(database, connection, patience=min(patience, 10.0), beside=path, ticks=ticks)
    return _store(reader, Writer(database, reader, patience=patience, clock=clock, gone=gone))


def _store(reader: Reader, writer: Writer) -> Store:
    def close() -> None:
        writer.close()
        reader.close()

    return Store(reader, writer, close)


def ticking(clock: Callable[[], datetime]) -> Ticks:
    """A clock that was handed in, in place of the database's."""
    return lambda connection: to_micros(clock())


def _open_postgres(
    url: str,
    *,
    create: bool,
    patience: float,
    clock: Callable[[], datetime],
    folder: Path | None,
    ticks: Ticks,
    gone: Gone,
) -> Store:
    from assetflow.store.postgres import opening
    from assetflow.store.postgres.database import PostgresDatabase
    from assetflow.store.postgres.url import PostgresUrl

    database = PostgresDatabase(PostgresUrl.parsed(url))
    with explained(database):
        connection = opening.connected(database, patience)
        try:
            schema = opening.revision(connection, database.place)
            if schema == 0:
                if not create:
                    raise StoreError(
                        f"{database.place}: there is no metadata store yet", hint="`assetflow materialize` creates it"
                    )
                opening.create(connection, database.place)
                schema = opening.revision(connection, database.place)
            _refuse_newer(schema, database.place)
            if schema < SCHEMA:
                opening.migrate(database, patience)
        except BaseException:
            connection.close()
            raise
    beside = None if folder is None else folder / f"postgres-{database.url.digest}"
    reader = Reader(database, connection, patience=patience, beside=beside, ticks=ticks)
    return _store(reader, Writer(database, reader, patience=patience, clock=clock, gone=gone))


def _make_current(connection: sqlite3.Connection, path: Path, patience: float) -> None:
    schema = _schema(connection, path)
    if schema == 0:
        # Two that switch a new file at once would wait for each other: SQLite refuses one without waiting.
        patiently(connection, "PRAGMA journal_mode = WAL", patience)
        begin(connection, patience)
        # Another process may have been faster.
        if _schema(connection, path) == 0:
            for statement in (Path(__file__).parent / "schema.sql").read_text("utf-8").split(";\n"):
                connection.execute(statement)
        connection.execute("COMMIT")
        schema = _schema(connection, path)
    _refuse_newer(schema, str(path))
    if schema < SCHEMA:
        _migrate(path, patience)


def _refuse_newer(schema: int, place: str) -> None:
    if schema > SCHEMA:
        raise StoreTooNew(
            f"{place}: the metadata store was written by a newer assetflow: its schema is {schema}, "
            f"and this assetflow knows schemas up to {SCHEMA}",
            hint="upgrade assetflow: pip install --upgrade assetflow",
        )


def _migrate(path: Path, patience: float) -> None:
    from sqlalchemy.exc import DBAPIError

    from assetflow.store import migrations

    try:
        migrations.upgrade(f"sqlite:///{path}", patience=patience)
    except DBAPIError as error:
        raise error.orig or error from error


def _schema(connection: sqlite3.Connection, path: Path) -> int:
    """The number of the store's schema; 0 for an empty database. Raises StoreDamaged for one that is no store."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        return 0
    row = None
    if {"alembic_version", "counters", "pointers"} <= tables:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    if row is None or not str(row[0]).isdecimal():
        raise StoreDamaged(
            f"{path}: this SQLite database is no metadata store of assetflow",
            hint="check `store` in pyproject.toml; nothing was written to the file",
        )
    return int(row[0])
