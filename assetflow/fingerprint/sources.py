"""Reading the project's source files: which files belong to it, where a module's text is, and the text itself.

The only place of code fingerprints that touches the file system; what reads and locates can be replaced.
"""

from __future__ import annotations

import os
import sys
import tokenize
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

_INSTALLED = frozenset({"site-packages", "dist-packages"})


@dataclass(frozen=True, slots=True)
class ModuleSource:
    """One module's text; ``package`` is what its relative imports start from. A namespace package has no text."""

    name: str
    path: str
    text: str
    package: str


@dataclass(frozen=True, slots=True)
class ModulePlace:
    """Where a module's source is; ``is_package`` says whether it can hold submodules."""

    path: str
    is_package: bool


def project_predicate(root: Path, excluded: Sequence[Path] = ()) -> Callable[[str], bool]:
    """Whether a path belongs to the project: under ``root``, in no virtual environment and in no excluded folder."""
    top = os.path.realpath(root)
    outside = tuple(os.path.realpath(path) for path in excluded)
    known: dict[str, bool] = {top: True}
    real_folders: dict[str, str] = {}

    def folder_inside(folder: str) -> bool:
        if folder not in known:
            parent = os.path.dirname(folder)
            known[folder] = (
                parent != folder
                and len(folder) > len(top)
                and folder_inside(parent)
                and folder not in outside
                and os.path.basename(folder) not in _INSTALLED
                and not os.path.exists(os.path.join(folder, "pyvenv.cfg"))
            )
        return known[folder]

    def resolved(path: str) -> str:
        # Asked of every imported module: a folder is resolved once for all files in it.
        if os.path.islink(path):
            return os.path.realpath(path)
        folder, name = os.path.split(os.path.abspath(path))
        if folder not in real_folders:
            real_folders[folder] = os.path.realpath(folder)
        return os.path.join(real_folders[folder], name)

    def inside(path: str) -> bool:
        real = resolved(path)
        return real not in outside and (real == top or folder_inside(os.path.dirname(real)))

    return inside


def read_source(path: str) -> str:
    """The text of a source file, in the encoding that it declares. Raises OSError, SyntaxError, UnicodeError."""
    with tokenize.open(path) as file:
        return file.read()


def locate(name: str) -> ModulePlace | None:
    """Where the source of module ``name`` is, imported or not; None for built-in and compiled modules.

    Nothing is imported, not even the packages around the module.
    """
    module = sys.modules.get(name)
    if module is None:
        return _find(name)
    search = list(getattr(module, "__path__", None) or ())
    path = getattr(module, "__file__", None)
    if path is None and search:
        return ModulePlace(search[0], True)
    return ModulePlace(path, bool(search)) if isinstance(path, str) and path.endswith(".py") else None


def _find(name: str) -> ModulePlace | None:
    search: Sequence[str] | None = None
    spec: ModuleSpec | None = None
    whole = ""
    for part in name.split("."):
        whole = f"{whole}.{part}" if whole else part
        loaded = sys.modules.get(whole)
        if loaded is not None:
            search = list(getattr(loaded, "__path__", None) or ())
            continue
        # By the last part alone: a namespace package's whole name would need the packages around it imported.
        spec = PathFinder.find_spec(part, search)
        if spec is None:
            return None
        search = list(spec.submodule_search_locations or ())
    if spec is None:
        return None
    if spec.origin and spec.has_location:
        return ModulePlace(spec.origin, bool(search)) if spec.origin.endswith(".py") else None
    return ModulePlace(search[0], True) if search else None


@dataclass(frozen=True, slots=True)
class SourceReader:
    """How module texts are found: ``read`` gives a file's text, ``place`` finds a module by its name."""

    read: Callable[[str], str] = read_source
    place: Callable[[str], ModulePlace | None] = locate

    def module(self, name: str) -> ModuleSource | None:
        """The source of a module, or None where there is none or it cannot be read."""
        found = self.place(name)
        return self.file(name, found.path, name if found.is_package else name.rpartition(".")[0]) if found else None

    def file(self, name: str, path: str, package: str) -> ModuleSource | None:
        """The source of the module ``name`` in the file ``path``."""
        if not path.endswith(".py"):
            return ModuleSource(name, path, "", package)
        try:
            return ModuleSource(name, path, self.read(path), package)
        except (OSError, SyntaxError, UnicodeError):
            return None
