"""The project's source files as they were when they were first needed: what is imported from them is what was read.

A worker imports from the snapshot that the coordinator took, so that an edit during a run changes nothing in it. Only
the text comes from there: ``__file__``, ``__path__`` and tracebacks are those of the project folder.
"""

from __future__ import annotations

import importlib.util
import linecache
import os
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType

from assetflow.fingerprint.sources import project_predicate, read_source

_MOST_FILES = 50_000
"""A folder with more Python files than this is more than a project: what is not loaded yet is left on the disk."""

_OURS = frozenset(("assetflow", "assetflow_io"))
"""Never part of a project, even where their checkout is its folder."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Source files by path, as bytes; ``root`` and ``excluded`` say what belongs to the project."""

    root: str
    excluded: tuple[str, ...]
    files: Mapping[str, bytes]


class Sources:
    """Source files of one load of a project: read from the disk at first, and then always the same.

    ``closed``: what is not in it is not there, whatever has come to the folder since.
    """

    def __init__(self, root: Path, excluded: Sequence[Path] = (), *, snapshot: Snapshot | None = None) -> None:
        self.root = root
        self.excluded = tuple(excluded)
        self.inside: Callable[[str], bool] = project_predicate(root, excluded)
        self.closed = snapshot is not None
        self._files: dict[str, bytes] = dict(snapshot.files) if snapshot else {}

    @classmethod
    def of(cls, snapshot: Snapshot) -> Sources:
        """The sources of a snapshot that was taken elsewhere."""
        return cls(Path(snapshot.root), [Path(path) for path in snapshot.excluded], snapshot=snapshot)

    def __contains__(self, path: str) -> bool:
        return path in self._files or (not self.closed and os.path.isfile(path) and self.inside(path))

    def read(self, path: str) -> bytes:
        """The content of a file of the project. Raises OSError."""
        found = self._files.get(path)
        if found is None:
            with open(path, "rb") as file:
                found = file.read()
            if path.endswith(".py"):
                self._files[path] = found
        return found

    def text(self, path: str) -> str:
        """The text of a file: as it was loaded, where it was. Raises OSError, SyntaxError and UnicodeError."""
        found = self._files.get(path)
        return read_source(path) if found is None else importlib.util.decode_source(found)

    def complete(self) -> Snapshot:
        """All of it: what was loaded as it was then, and what could still be imported as it is now."""
        for path in _python_files(self.root, self.inside):
            if path not in self._files:
                try:
                    self.read(path)
                except OSError:
                    continue
        return self.snapshot()

    def add_loaded(self) -> None:
        """Take in the modules of the project that this process has loaded."""
        for module in list(sys.modules.values()):
            path = getattr(module, "__file__", None)
            if isinstance(path, str) and path.endswith(".py") and path not in self._files and self.inside(path):
                try:
                    self.read(path)
                except OSError:
                    continue

    def snapshot(self) -> Snapshot:
        """What was read until now."""
        return Snapshot(str(self.root), tuple(map(str, self.excluded)), dict(self._files))


def _python_files(root: Path, inside: Callable[[str], bool]) -> Generator[str]:
    number = 0
    for folder, folders, files in os.walk(root):
        # Only what has the name of a module can be imported; a folder is asked for by a file that might be in it.
        folders[:] = sorted(
            name
            for name in folders
            if name.isidentifier() and name != "__pycache__" and inside(os.path.join(folder, name, "_"))
        )
        for name in sorted(files):
            path = os.path.join(folder, name)
            if name.endswith(".py") and inside(path):
                number += 1
                if number > _MOST_FILES:
                    return
                yield path


@contextmanager
def importing_from(sources: Sources) -> Generator[None]:
    """Modules of the project are imported from ``sources`` for the time being."""
    finder = SourceFinder(sources)
    finder.install()
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class SourceFinder(MetaPathFinder):
    """Finds modules as Python's own finder does, those of the project among the given sources."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def install(self) -> None:
        """Be asked before Python's own finder, and after what is built in."""
        places = [place for place, finder in enumerate(sys.meta_path) if finder is PathFinder]
        sys.meta_path.insert(places[0] if places else len(sys.meta_path), self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None, /
    ) -> ModuleSpec | None:
        """Where a module would come from, entry by entry; None where nobody has it.

        Raises ModuleNotFoundError for one that came to the project after the sources were closed.
        """
        if fullname.partition(".")[0] in _OURS:
            return None
        tail = fullname.rpartition(".")[2]
        portions: list[str] = []
        newer: str | None = None
        for entry in list(sys.path if path is None else path):
            folder = entry or os.getcwd()
            if self._sources.inside(os.path.join(folder, "_")):
                found = self._own(fullname, os.path.join(folder, tail))
                if found is not None:
                    return found
            spec = PathFinder.find_spec(fullname, [entry])
            if spec is None:
                continue
            if spec.origin is None or not spec.has_location:
                portions += spec.submodule_search_locations or ()
            elif self._sources.closed and spec.origin.endswith(".py") and self._sources.inside(spec.origin):
                newer = spec.origin
            else:
                return spec
        if not portions:
            if newer is not None:
                # Python's own finder must not be asked: it would find what was not there when the run began.
                raise ModuleNotFoundError(
                    f"No module named {fullname!r}: {newer} is newer than the run", name=fullname, path=newer
                )
            return None
        spec = ModuleSpec(fullname, None, is_package=True)
        spec.submodule_search_locations = portions
        return spec

    def _own(self, fullname: str, base: str) -> ModuleSpec | None:
        sources = self._sources
        if (path := os.path.join(base, "__init__.py")) in sources:
            loader = _SnapshotLoader(fullname, path, sources)
            return importlib.util.spec_from_file_location(
                fullname, path, loader=loader, submodule_search_locations=[base]
            )
        if (path := f"{base}.py") in sources:
            return importlib.util.spec_from_file_location(
                fullname, path, loader=_SnapshotLoader(fullname, path, sources)
            )
        return None


class _SnapshotLoader(SourceFileLoader):
    """Loads a module from the text that was read once; bytecode is neither read nor written."""

    def __init__(self, fullname: str, path: str, sources: Sources) -> None:
        super().__init__(fullname, path)
        self._sources = sources

    def get_data(self, path: str) -> bytes:
        """A source file as it was; any other file of a package as it is."""
        return self._sources.read(path) if path in self._sources else super().get_data(path)

    def path_stats(self, path: str) -> Mapping[str, float]:
        """Nothing is known that bytecode could be compared with."""
        raise OSError

    def exec_module(self, module: ModuleType) -> None:
        """Run the module; tracebacks show the lines that were compiled, not those that the file has later."""
        if self._sources.closed:
            lines = importlib.util.decode_source(self._sources.read(self.path)).splitlines(keepends=True)
            linecache.cache[self.path] = (len(lines), None, lines, self.path)
        super().exec_module(module)
