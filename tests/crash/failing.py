"""Making the n-th operation on disk or store fail, once, before or after it had its effect."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from collections.abc import Callable
from typing import Any, Literal

Kind = Literal["full", "broken", "locked"]
When = Literal["before", "after"]

_ERRNO = {"full": errno.ENOSPC, "broken": errno.EIO, "locked": errno.EIO}
_SQLITE: dict[str, tuple[str, int]] = {
    "full": ("database or disk is full", sqlite3.SQLITE_FULL),
    "broken": ("disk I/O error", sqlite3.SQLITE_IOERR),
    "locked": ("database is locked", sqlite3.SQLITE_BUSY),
}
_WRITES = ("BEGIN", "COMMIT", "INSERT", "UPDATE", "DELETE", "REPLACE")


class Faults:
    """Counts operations; number ``fatal`` raises.

    Of the database's statements only COMMIT can have had its effect when it fails: others fail ``before`` it.
    """

    def __init__(self, fatal: int, kind: Kind, when: When) -> None:
        self._fatal, self._kind, self._when = fatal, kind, when
        self.passed = 0
        self._lock = threading.Lock()

    def _is_fatal(self) -> bool:
        with self._lock:
            self.passed += 1
            return self.passed == self._fatal

    def on_disk(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, failing as the operating system does."""

        def wrapped(*args: Any, **options: Any) -> Any:
            fatal = self._is_fatal()
            if not fatal or self._when == "after":
                result = function(*args, **options)
                if not fatal:
                    return result
            number = _ERRNO[self._kind]
            raise OSError(number, os.strerror(number), *(args[:1] if args and isinstance(args[0], str) else ()))

        return wrapped

    def in_store(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, failing as SQLite does."""

        def wrapped(statement: str, *args: Any) -> Any:
            fatal = self._is_fatal()
            if not fatal or (self._when == "after" and statement == "COMMIT"):
                result = function(statement, *args)
                if not fatal:
                    return result
            message, code = _SQLITE[self._kind]
            error = sqlite3.OperationalError(message)
            error.sqlite_errorcode = code
            raise error

        return wrapped

    def install(self) -> None:
        """Watch what changes files, folders and databases."""
        for name in ("mkdir", "rename", "replace", "fsync", "unlink", "rmdir"):
            setattr(os, name, self.on_disk(getattr(os, name)))
        connect, faults = sqlite3.connect, self

        class Watched(sqlite3.Connection):
            def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
                if not sql.lstrip().upper().startswith(_WRITES):
                    return super().execute(sql, *args)
                return faults.in_store(super().execute)(sql, *args)

            def executemany(self, sql: str, *args: Any) -> sqlite3.Cursor:
                return faults.in_store(super().executemany)(sql, *args)

        sqlite3.connect = lambda *args, **options: connect(*args, **{**options, "factory": Watched})  # type: ignore[assignment]
