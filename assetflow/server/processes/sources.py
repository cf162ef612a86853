"""Importing a project as it is written at the moment, and going on with that: no bytecode is read or written.

Python compares bytecode with its source by the second and the size, so a second save within a second would be missed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, FileFinder, SourceFileLoader
from pathlib import Path
from stat import S_ISREG
from typing import Any

Inside = Callable[[str], bool]

Stamp = tuple[int, int, int]
"""What tells a file from an earlier state of it: time of change in nanoseconds, size, and number."""

_MOST_FILES = 20_000
"""A folder with more Python files than this is more than a project: what is imported later is read then."""


def import_from_sources(inside: Inside) -> dict[str, bytes]:
    """Import modules ``inside`` from their text from now on; texts put into what this returns replace the files."""
    texts: dict[str, bytes] = {}

    class FromText(SourceFileLoader):
        def get_data(self, path: str) -> bytes:
            found = texts.get(path)
            return super().get_data(path) if found is None else found

        def path_stats(self, path: str) -> dict[str, Any]:
            # Nothing is known that bytecode could be compared with: so none is used, and none is written.
            raise OSError(path)

    def finder(path: str) -> FileFinder:
        if not inside(os.path.join(path or os.getcwd(), "_")):
            raise ImportError(path)
        return FileFinder(path, (ExtensionFileLoader, EXTENSION_SUFFIXES), (FromText, [".py"]))

    sys.path_hooks.insert(0, finder)
    sys.path_importer_cache.clear()
    return texts


def stamp(path: str) -> Stamp:
    """The state that a file is in. Raises OSError."""
    found = os.stat(path)
    if not S_ISREG(found.st_mode):
        raise OSError(path)
    return found.st_mtime_ns, found.st_size, found.st_ino


def python_files(root: Path, inside: Inside) -> Generator[str]:
    """The paths of the project's Python files, folder by folder."""
    number = 0
    for folder, folders, files in os.walk(root):
        folders[:] = [
            name
            for name in sorted(folders)
            if name.isidentifier() and name != "__pycache__" and inside(os.path.join(folder, name, "_"))
        ]
        for name in sorted(files):
            number += 1
            if number > _MOST_FILES:
                return
            if name.endswith(".py"):
                yield os.path.join(folder, name)


def keep(texts: dict[str, bytes], root: Path, inside: Inside) -> None:
    """Keep the project as it is now, for what running steps import later."""
    for path in python_files(root, inside):
        try:
            with open(path, "rb") as file:
                texts[path] = file.read()
        except OSError:
            continue


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
