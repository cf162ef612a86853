"""Opening a store on Postgres: creating it, bringing it to the newest schema, and refusing what cannot be used."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import psycopg

from assetflow.errors import StoreDamaged, StoreError
from assetflow.store.postgres.connection import PostgresConnection
from assetflow.store.postgres.database import PostgresDatabase

LOCK = 0x6173736574666C77
"""The advisory lock of whoever creates or migrates a store: the octets of "assetflw"."""

_TABLES = "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')"


def connected(database: PostgresDatabase, patience: float) -> PostgresConnection:
    """The first connection: only a server that is just starting is waited for. Raises psycopg.OperationalError."""
    deadline = time.monotonic() + patience
    while True:
        try:
            return database.connect_once()
        except psycopg.OperationalError as error:
            if "starting up" not in str(error) or time.monotonic() >= deadline:
                raise
        database.sleep(0.1)


def revision(connection: PostgresConnection, place: str) -> int:
    """The number of the store's schema; 0 where there is none. Raises StoreDamaged for tables of something else."""
    (schema,) = connection.execute("SELECT current_schema()").fetchone()
    if schema is None:
        (path,) = connection.execute("SELECT current_setting('search_path')").fetchone()
        raise StoreError(
            f"{place}: the database has no schema of the search path {path}",
            hint="create it: CREATE SCHEMA, by a user who may",
        )
    tables = {name for (name,) in connection.execute(_TABLES)}
    if not tables:
        return 0
    row = None
    if {"alembic_version", "counters", "pointers"} <= tables:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    if row is None or not str(row[0]).isdecimal():
        raise StoreDamaged(
            f"{place}: the schema {schema} of this database holds tables of something else",
            hint="give the store a database or a schema of its own, as in "
            '"postgresql://user@host/database?options=-csearch_path%3Dassetflow"; nothing was written',
        )
    return int(row[0])


def create(connection: PostgresConnection, place: str) -> None:
    """Create the tables, unless another process is faster."""
    text = (Path(__file__).parent / "schema.sql").read_text("utf-8")
    connection.raw.execute("BEGIN")
    try:
        connection.execute("SELECT pg_advisory_xact_lock(?)", (LOCK,))
        if revision(connection, place) == 0:
            connection.raw.execute(text.encode())
        connection.raw.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.raw.execute("ROLLBACK")
        raise


def migrate(database: PostgresDatabase, patience: float) -> None:
    """Bring the store to the newest schema. Raises psycopg.Error."""
    from sqlalchemy.exc import DBAPIError

    from assetflow.store import migrations

    def connect() -> psycopg.Connection[Any]:
        # Alembic speaks to the driver itself, without the store's ways of sending values.
        connection = database.url.connect(client_encoding="UTF8")
        connection.autocommit = False
        return connection

    try:
        migrations.upgrade("postgresql+psycopg://", patience=patience, connect=connect, lock=LOCK)
    except DBAPIError as error:
        raise error.orig or error from error
