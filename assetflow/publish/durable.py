"""Making files and folders durable, many at once: waiting for the disk in turns would cost most of a small publish."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from pathlib import Path
from threading import Lock

from assetflow.errors import StorageError

_THREADS = 8
"""Waits under way at a time: the file system turns them into few writes of its journal."""


def sync_all(paths: Sequence[str]) -> None:
    """Make all these files or folders durable, in no particular order. Raises the first OSError."""
    if len(paths) <= 2:
        _sync_in_turn(paths)
        return
    threads = min(_THREADS, len(paths))
    with ThreadPoolExecutor(threads, "assetflow-sync") as pool:
        for _ in pool.map(_sync_in_turn, [paths[first::threads] for first in range(threads)]):
            pass


def _sync_in_turn(paths: Sequence[str]) -> None:
    for path in paths:
        sync(path)


def sync(path: str | Path) -> None:
    """Make one file or folder durable. Raises OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        sync_handle(handle)
    finally:
        os.close(handle)


def sync_handle(handle: int) -> None:
    """Make an open file or folder durable."""
    if sys.platform == "darwin":
        import fcntl

        # There, fsync leaves the data in the drive's cache.
        fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
    else:
        os.fsync(handle)


class Debts:
    """Versions that wait to be made durable; whoever settles one settles all that wait by then.

    >>> debts = Debts(lambda *locations: print("synced", *locations))
    >>> first, second = debts.owe(["a/v-1"]), debts.owe(["b/v-2"])
    >>> first()
    synced a/v-1 b/v-2
    >>> second()
    """

    def __init__(self, settle: Callable[..., None]) -> None:
        self._sync = settle
        self._waiting: deque[_Debt] = deque()
        self._settling = Lock()

    def owe(self, locations: Sequence[str]) -> Callable[[], None]:
        """What makes these durable, now or along with earlier ones; call it once. It raises StorageError."""
        debt = _Debt(tuple(locations))
        self._waiting.append(debt)
        return lambda: self._settle(debt)

    def _settle(self, debt: _Debt) -> None:
        with self._settling:
            debts: list[_Debt] = []
            while self._waiting:
                debts.append(self._waiting.popleft())
            self._together(debts)
        if debt.error is not None:
            raise copy(debt.error) from debt.error

    def _together(self, debts: Sequence[_Debt]) -> None:
        locations = [location for debt in debts for location in debt.locations]
        if not locations:
            return
        try:
            self._sync(*locations)
        except StorageError as error:
            if len(debts) == 1:
                debts[0].error = error
                return
            # One of them is to blame: the others are as durable as before.
            for debt in debts:
                self._together([debt])


class _Debt:
    __slots__ = ("error", "locations")

    def __init__(self, locations: tuple[str, ...]) -> None:
        self.locations = locations
        self.error: StorageError | None = None
