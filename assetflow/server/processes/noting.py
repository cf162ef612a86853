"""Which files definitions are read from, beside Python's, and in which state each of them was then."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from stat import S_ISREG
from typing import Any

Inside = Callable[[str], bool]

Stamp = tuple[int, int, int]
"""What tells a file from an earlier state of it: time of change in nanoseconds, size, and number."""


def stamp(path: str) -> Stamp:
    """The state that a file is in. Raises OSError."""
    found = os.stat(path)
    if not S_ISREG(found.st_mode):
        raise OSError(path)
    return found.st_mtime_ns, found.st_size, found.st_ino


class _Opened:
    """An audit hook: it notes what files are opened, as they are then, while ``noted`` is there."""

    def __init__(self, inside: Inside) -> None:
        self._inside = inside
        self.noted: dict[str, Stamp] | None = None

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        noted = self.noted
        if noted is None or event != "open" or not isinstance(arguments[0], str):
            return
        path = os.path.abspath(arguments[0])
        if path in noted or path.endswith((".py", ".pyc")) or not self._inside(path):
            return
        try:
            noted[path] = stamp(path)
        except OSError:
            return


@contextmanager
def noting_files(inside: Inside) -> Generator[dict[str, Stamp]]:
    """Note what is opened meanwhile: the files ``inside``, beside Python's, that definitions depend on."""
    opened = _Opened(inside)
    sys.addaudithook(opened)  # cannot be taken away again, so it is for a process that ends soon
    opened.noted = noted = dict[str, Stamp]()
    try:
        yield noted
    finally:
        opened.noted = None
