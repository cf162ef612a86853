"""Killing the own process at a chosen moment: before or after the n-th operation on disk or store."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from collections.abc import Callable
from typing import Any

_WRITES = ("BEGIN", "COMMIT", "INSERT", "UPDATE", "DELETE", "REPLACE")


class Points:
    """Counts operations; at number ``fatal`` the process ends as by a power switch for processes: SIGKILL."""

    def __init__(self, fatal: int) -> None:
        self._fatal = fatal
        self._passed = 0
        self._lock = threading.Lock()

    def reach(self) -> None:
        """One more moment."""
        with self._lock:
            self._passed += 1
            if self._passed == self._fatal:
                os.kill(os.getpid(), signal.SIGKILL)

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function with a moment before and one after it."""

        def wrapped(*args: Any, **options: Any) -> Any:
            self.reach()
            result = function(*args, **options)
            self.reach()
            return result

        return wrapped

    def install(self) -> None:
        """Watch what changes files, folders and databases."""
        for name in ("mkdir", "rename", "replace", "fsync", "unlink", "rmdir"):
            setattr(os, name, self.around(getattr(os, name)))
        sqlite3.connect = self._connecting(sqlite3.connect)  # type: ignore[assignment]

    def _connecting(self, connect: Callable[..., sqlite3.Connection]) -> Callable[..., sqlite3.Connection]:
        points = self

        class Watched(sqlite3.Connection):
            def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
                if not sql.lstrip().upper().startswith(_WRITES):
                    return super().execute(sql, *args)
                return points.around(super().execute)(sql, *args)

            def executemany(self, sql: str, *args: Any) -> sqlite3.Cursor:
                return points.around(super().executemany)(sql, *args)

        return lambda *args, **options: connect(*args, **{**options, "factory": Watched})
