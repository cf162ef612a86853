"""What alembic runs to apply the migrations to the database that :func:`upgrade` names."""

from __future__ import annotations

import sqlite3
from functools import partial

from alembic import context
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.pool import NullPool

from assetflow.store.tables import metadata


def run() -> None:
    """Apply the migrations that are asked for, all of them or none."""
    asked = context.config.attributes
    if asked["url"].startswith("sqlite"):
        engine = create_engine(asked["url"], poolclass=NullPool, connect_args={"timeout": asked["patience"]})
        event.listen(engine, "connect", _leave_transactions_to_us)
        event.listen(engine, "begin", _lock)
    else:
        engine = create_engine(asked["url"], poolclass=NullPool, creator=asked["connect"])
        event.listen(engine, "begin", partial(_wait, patience=asked["patience"], lock=asked["lock"]))
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
        with context.begin_transaction():
            context.run_migrations()


def _leave_transactions_to_us(connection: sqlite3.Connection, record: object) -> None:
    # Left to itself, the driver starts no transaction before a CREATE TABLE, and a kill would leave half a schema.
    connection.isolation_level = None


def _lock(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _wait(connection: Connection, patience: float, lock: int) -> None:
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {max(1, int(patience * 1000))}")
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({lock})")


# Alembic executes this file under a name of its own; importing it as a module does nothing.
if __name__ == "env_py":
    run()
