"""The database of a store on Postgres: connecting with patience, committing for certain, and what its errors mean."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import uniform
from typing import Any

import psycopg

from assetflow.errors import CommitUnknown, StoreDamaged, StoreError, StoreLocked, StoreUnreachable
from assetflow.store.connection import Connection, Fault
from assetflow.store.postgres.connection import PostgresConnection
from assetflow.store.postgres.url import PostgresUrl

OLDEST = 13
"""The first version of Postgres that tells how a transaction ended by its number."""

_CONNECTING = {
    "application_name": "assetflow",
    "client_encoding": "UTF8",
    "connect_timeout": "10",
    # A machine that is gone is noticed within a minute.
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
_SESSION = """
SET jit = off;
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'
"""
_LOST = {"57P01", "57P02", "57P03", "57P05", "25P03"}
_HOPELESS = ("authentication failed", "no password supplied", "does not exist", "no pg_hba.conf entry")
_REFUSED = {"25006": "the database may only be read (a standby server?)", "42501": "the user may not do this"}


@dataclass(frozen=True, slots=True)
class PostgresDatabase:
    """A schema of a Postgres database; the Database of its store."""

    url: PostgresUrl
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)

    @property
    def place(self) -> str:
        """The URL without password and options."""
        return self.url.place

    def connect(self, *, patience: float, writing: bool = False) -> PostgresConnection:
        """A connection, as soon as the server takes one. Raises psycopg.OperationalError after ``patience`` seconds."""
        deadline = time.monotonic() + patience
        pause = 0.02
        while True:
            try:
                connection = self.connect_once()
                connection.history = _history(connection.raw) if writing else None
                return connection
            except psycopg.OperationalError as error:
                if time.monotonic() >= deadline or any(words in str(error) for words in _HOPELESS):
                    raise
            self.sleep(uniform(0.5, 1.0) * pause)
            pause = min(pause * 2, 0.5)

    def connect_once(self) -> PostgresConnection:
        """A connection, or psycopg.OperationalError."""
        raw = self.url.connect(**_CONNECTING)
        try:
            encoding = raw.info.parameter_status("server_encoding")
            if encoding != "UTF8":
                raise StoreError(
                    f"{self.place}: the database keeps texts as {encoding}, which not every partition key fits into",
                    hint="make the store in a database of its own: createdb --encoding=UTF8 --template=template0 NAME",
                )
            if raw.info.server_version < OLDEST * 10_000:
                raise StoreError(
                    f"{self.place}: this is Postgres {raw.info.server_version // 10_000}",
                    hint=f"the metadata store needs Postgres {OLDEST} or newer",
                )
            raw.execute(_SESSION)
        except BaseException:
            raw.close()
            raise
        return PostgresConnection(raw)

    def begin(self, connection: Connection, patience: float) -> None:
        """Lock the row of counters, which every transaction that writes begins with."""
        mine = _mine(connection)
        words = (
            f"BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = {max(1, int(patience * 1000))}; "
            "SELECT pg_current_xact_id()::text FROM counters WHERE id = 1 FOR UPDATE"
        )
        rows = mine.raw.execute(words.encode())
        while rows.nextset():
            pass
        found = rows.fetchone()
        mine.transaction = found and found[0]

    def commit(self, connection: Connection, patience: float) -> None:
        """End the transaction; where the connection breaks meanwhile, find out on another one whether it did."""
        mine = _mine(connection)
        try:
            done = mine.raw.execute("COMMIT").statusmessage
        except psycopg.OperationalError as error:
            if self.fault(error) != "lost":
                raise
            mine.close()
            if not self._committed(mine, patience, error):
                raise
            return
        if done != "COMMIT":
            raise StoreError(f"{self.place}: the metadata store rolled a commit back")

    def begin_reading(self, connection: Connection) -> None:
        """Begin a transaction that sees one moment."""
        _mine(connection).raw.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def stamp(self, connection: Connection) -> object:
        """Which transactions are over: whatever was written since, this differs."""
        return connection.execute("SELECT pg_current_snapshot()::text").fetchone()[0]

    def damage(self, connection: Connection) -> list[str]:
        """Pages that did not have their checksum, and indexes that are not whole."""
        query = "SELECT coalesce(checksum_failures, 0) FROM pg_stat_database WHERE datname = current_database()"
        (failures,) = connection.execute(query).fetchone()
        found = [f"{failures} pages did not have their checksum"] if failures else []
        query = """
        SELECT c.relname FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
        WHERE NOT i.indisvalid AND c.relnamespace = current_schema()::regnamespace ORDER BY 1
        """
        return found + [f"the index {name} is not whole" for (name,) in connection.execute(query)]

    def advice(self, connection: Connection) -> list[str]:
        """Settings of the server by which a power cut can cost what was acknowledged."""
        query = """
        SELECT name FROM pg_settings WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off' ORDER BY name
        """
        return [
            f"the server runs with {name} = off: a power cut can destroy the store"
            for (name,) in connection.execute(query)
        ]

    def fault(self, error: Exception) -> Fault | None:
        """Whose fault an error is, by its code."""
        if isinstance(error, CommitUnknown):
            return "passing"
        if not isinstance(error, psycopg.Error):
            return None
        code = error.sqlstate
        if code is None:
            if isinstance(error, psycopg.errors.PipelineAborted):
                return "request"
            return "lost" if isinstance(error, psycopg.OperationalError) else "request"
        if code[:2] == "08" or code in _LOST:
            return "lost"
        if code in _REFUSED or code[:2] in {"XX", "F0"}:
            return "fatal"
        return "passing" if code[:2] in {"40", "53", "55", "57", "58"} else "request"

    def explained(self, error: Exception) -> StoreError:
        """An error of Postgres, for people."""
        if isinstance(error, StoreError):
            return error
        assert isinstance(error, psycopg.Error)
        said = self.url.without_secrets(" ".join(str(error).split()))
        code = error.sqlstate or ""
        match self.fault(error):
            case "lost":
                return _unreachable(self.place, said)
            case "passing" if code == "55P03":
                return StoreLocked(
                    f"{self.place}: the metadata store is locked by another session",
                    hint="wait for it to finish, or end it (see pg_stat_activity), and run the command again",
                )
            case "passing" if code == "53100":
                return StoreError(
                    f"{self.place}: no space is left for the metadata store; nothing of this commit was written",
                    hint="free some space on the server's disk and run the command again",
                )
            case "fatal" if code in _REFUSED:
                return StoreError(f"{self.place}: {_REFUSED[code]} ({said})", hint="check `store` in pyproject.toml")
            case "fatal":
                return StoreDamaged(
                    f"{self.place}: the metadata store is damaged ({said})",
                    hint="restore the database from a backup; what was published lies untouched in the storage folder",
                )
            case _:
                return StoreError(f"{self.place}: the metadata store refused a statement ({said})")

    def _committed(self, broken: PostgresConnection, patience: float, error: Exception) -> bool:
        """Whether the transaction of a connection that broke was committed. Raises CommitUnknown."""
        deadline = time.monotonic() + patience
        while True:
            status = None
            try:
                status = self._status(broken, max(0.0, deadline - time.monotonic()))
            except psycopg.Error as problem:
                # A server that goes down while it is asked may be back in time, too.
                if self.fault(problem) != "lost":
                    break
            if status in {"committed", "aborted"}:
                return status == "committed"
            if status == "of another history" or time.monotonic() >= deadline:
                break
            # It may be that the server has not noticed yet that nobody is at the other end.
            self.sleep(0.05)
        raise CommitUnknown(
            f"{self.place}: the connection to the metadata store broke during a commit, and it cannot be told whether "
            f"that was written ({self.url.without_secrets(' '.join(str(error).split()))})",
            hint="nothing was deleted: once the database can be reached, the next run finds out and goes on from there",
        ) from error

    def _status(self, broken: PostgresConnection, patience: float) -> str | None:
        """What the server says of a transaction; None where it has forgotten it."""
        connection = self.connect(patience=patience)
        try:
            if _history(connection.raw) != broken.history:
                return "of another history"
            query = "SELECT pg_xact_status(CAST(CAST(? AS TEXT) AS xid8))"
            return connection.execute(query, (broken.transaction,)).fetchone()[0]
        finally:
            connection.close()


def _history(raw: psycopg.Connection[Any]) -> str | None:
    """The timeline that the server writes; None where it does not tell."""
    try:
        found = raw.execute("SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)").fetchone()
    except psycopg.Error as error:
        if error.sqlstate is None or error.sqlstate in _LOST:
            raise
        return None
    return found and found[0]


def _mine(connection: Connection) -> PostgresConnection:
    assert isinstance(connection, PostgresConnection)
    return connection


def _unreachable(place: str, said: str) -> StoreUnreachable:
    if "authentication failed" in said or "no password supplied" in said:
        return StoreUnreachable(
            f"{place}: the database refused the user or the password ({said})",
            hint="check `store` or ASSETFLOW_STORE, or put the password into PGPASSWORD or ~/.pgpass",
        )
    if "does not exist" in said:
        return StoreUnreachable(f"{place}: {said}", hint="create it, or check `store` in pyproject.toml")
    return StoreUnreachable(
        f"{place}: the database cannot be reached ({said})",
        hint="check that it runs and that `store` in pyproject.toml names it, and run the command again",
    )
