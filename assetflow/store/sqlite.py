"""Connections to an SQLite database, and what its errors mean for the people who use the store."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import uniform

from assetflow.errors import ProjectError, StoreDamaged, StoreError, StoreLocked
from assetflow.store.connection import Connection, Fault

WRITE_LOCK = 120
"""The byte of the ``-shm`` file that a writing process locks (fixed by SQLite's file format)."""

WAL_RESET_FIXED = (3, 51, 3)

CULPRIT = (sqlite3.DataError, sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError)
"""What a request that cannot be written down raises; any other error is the database's fault."""


@dataclass(frozen=True, slots=True)
class SqliteDatabase:
    """A file; the Database of its store."""

    path: Path

    @property
    def place(self) -> str:
        """The file's path."""
        return str(self.path)

    def connect(self, *, patience: float, writing: bool = False) -> sqlite3.Connection:
        """A connection without transactions of its own."""
        connection = connect(self.path, patience=patience)
        if writing:
            # What waits for the write lock is :func:`begin`.
            connection.execute("PRAGMA busy_timeout = 0")
        return connection

    def begin(self, connection: Connection, patience: float) -> None:
        """Take the write lock."""
        begin(connection, patience)

    def commit(self, connection: Connection, patience: float) -> None:
        """End the transaction; whether that worked is always known."""
        connection.execute("COMMIT")

    def begin_reading(self, connection: Connection) -> None:
        """Begin a transaction that sees one moment."""
        connection.execute("BEGIN")

    def stamp(self, connection: Connection) -> object:
        """What changes whenever another connection has written."""
        return connection.execute("PRAGMA data_version").fetchone()[0]

    def damage(self, connection: Connection) -> list[str]:
        """What the file's own checks find."""
        return [text for (text,) in connection.execute("PRAGMA quick_check(10)") if text != "ok"]

    def advice(self, connection: Connection) -> list[str]:
        """What is worth knowing about the SQLite library in use."""
        if sqlite3.sqlite_version_info >= WAL_RESET_FIXED:
            return []
        library = f"SQLite {sqlite3.sqlite_version}"
        bug = (
            f"{library} has the WAL-reset bug, mended in 3.51.3: where several processes write to one store at the "
            "same moment, it can be damaged, very rarely; there, use a Python with a newer SQLite"
        )
        return [bug]

    def fault(self, error: Exception) -> Fault | None:
        """Space and locks come back; whatever else is wrong with a file stays so."""
        if not isinstance(error, sqlite3.Error):
            return None
        if isinstance(error, CULPRIT):
            return "request"
        return "passing" if is_locked(error) or is_full(error) else "fatal"

    def explained(self, error: Exception) -> StoreError:
        """An error of SQLite, for people."""
        assert isinstance(error, sqlite3.Error)
        return store_error(error, self.path)


def database_path(url: str) -> Path:
    """The file that a store's URL names. Raises ProjectError for any other database.

    >>> database_path("sqlite:///.assetflow/store.db").as_posix()
    '.assetflow/store.db'
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in {"sqlite", "sqlite+pysqlite"}:
        # Only the scheme: the rest may hold a password.
        named = f"{scheme} database" if separator else "store that is no URL"
        raise ProjectError(
            f"the metadata store cannot be a {named}: it is an SQLite file or a Postgres database",
            hint='write store = "sqlite:///.assetflow/store.db" or store = "postgresql://user@host/database"',
        )
    path = rest.removeprefix("/")
    if not rest.startswith("/") or path in {"", ":memory:"}:
        raise ProjectError(
            f"{url}: the metadata store has to be a file", hint='write store = "sqlite:///path/to/store.db"'
        )
    if "?" in path:
        raise ProjectError(f"{url}: options after ? are not supported", hint="remove them")
    return Path(path)


def connect(path: Path, *, patience: float) -> sqlite3.Connection:
    """A connection without transactions of its own that waits up to ``patience`` seconds for a lock."""
    connection = sqlite3.connect(
        path, timeout=patience, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    try:
        connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def begin(connection: Connection, patience: float) -> None:
    """Take the write lock. Raises sqlite3.OperationalError when it cannot be had within ``patience`` seconds.

    For connections with a busy timeout of 0: SQLite's own waiting grows to 100 ms between two looks, too rare to get a
    turn among busy writers.
    """
    patiently(connection, "BEGIN IMMEDIATE", patience)


def patiently(connection: Connection, statement: str, patience: float) -> None:
    """Execute a statement as soon as no other connection is in its way.

    Raises sqlite3.OperationalError when another one still is after ``patience`` seconds.
    """
    deadline = time.monotonic() + patience
    pause = 0.0005
    while True:
        try:
            connection.execute(statement)
            return
        except sqlite3.OperationalError as error:
            if not is_locked(error) or time.monotonic() >= deadline:
                raise
        time.sleep(uniform(0.5, 1.0) * pause)
        pause = min(pause * 2, 0.01)


def is_locked(error: sqlite3.Error) -> bool:
    """Whether an error says that another connection holds a lock."""
    return _code(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def is_full(error: sqlite3.Error) -> bool:
    """Whether an error says that no space is left."""
    return _code(error) == sqlite3.SQLITE_FULL


@contextmanager
def translated(path: Path) -> Generator[None]:
    """Turn the database's errors into StoreError, StoreLocked and StoreDamaged."""
    try:
        yield
    except sqlite3.Error as error:
        raise store_error(error, path) from error


def store_error(error: sqlite3.Error, path: Path) -> StoreError:
    """What went wrong, for people."""
    match _code(error):
        # Where not even the files beside the database can be made, SQLite does not say why.
        case sqlite3.SQLITE_IOERR | sqlite3.SQLITE_CANTOPEN if _is_disk_full(path):
            return StoreError(
                f"{path}: no space is left on the disk of the metadata store, and even reading it needs a little",
                hint="free some space on the disk and run the command again",
            )
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            holder = lock_holder(path)
            who = f"process {holder}" if holder is not None else "another process"
            return StoreLocked(
                f"{path}: the metadata store is locked by {who}",
                hint="wait for it to finish, or stop it, and run the command again",
            )
        case sqlite3.SQLITE_NOTADB:
            return StoreDamaged(
                f"{path}: this file is no metadata store",
                hint="check `store` in pyproject.toml; nothing was written to the file",
            )
        case sqlite3.SQLITE_CORRUPT:
            return StoreDamaged(
                f"{path}: the metadata store is damaged ({error})",
                hint="restore the file from a backup; what was published lies untouched in the storage folder",
            )
        case sqlite3.SQLITE_FULL:
            return StoreError(
                f"{path}: no space is left for the metadata store; nothing of this commit was written",
                hint="free some space on the disk and run the command again",
            )
        case sqlite3.SQLITE_READONLY:
            return StoreError(f"{path}: the metadata store may not be written to", hint="check the file's permissions")
        case sqlite3.SQLITE_CANTOPEN:
            return StoreError(
                f"{path}: the metadata store cannot be opened", hint="check that the path is a file that you may write"
            )
        case sqlite3.SQLITE_IOERR:
            return StoreError(
                f"{path}: reading or writing the metadata store failed ({error})", hint="check the disk and its space"
            )
        case _:
            return StoreError(f"{path}: the metadata store refused a statement ({error})")


def _is_disk_full(path: Path) -> bool:
    try:
        return os.statvfs(path.parent).f_bavail == 0
    except OSError:
        return False


def lock_holder(path: Path, locks: Path = Path("/proc/locks")) -> int | None:
    """The process that is writing to the store, where the system tells (Linux).

    The lock table is read, never the ``-shm`` file: closing that would drop this process's own locks on it.
    """
    try:
        inode = path.with_name(path.name + "-shm").stat().st_ino
        lines = locks.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        match line.split():
            case [_, "POSIX", _, "WRITE", pid, file, first, last]:
                if (
                    file.endswith(f":{inode}")
                    and int(first) <= WRITE_LOCK
                    and (last == "EOF" or int(last) >= WRITE_LOCK)
                ):
                    return int(pid)
            case _:
                pass
    return None


def _code(error: sqlite3.Error) -> int | None:
    # The low byte is the primary code; the driver's own mistakes have none.
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
