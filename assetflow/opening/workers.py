"""The code that worker processes run: the project's sources as they were loaded, and a way to its definitions."""

from __future__ import annotations

import os
import pickle
import sys
import sysconfig
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType

from assetflow.definitions.collect import Definitions
from assetflow.errors import UsageError
from assetflow.execution.executors.setup import WorkerCode
from assetflow.execution.sources import Sources
from assetflow.graph import AssetGraph
from assetflow.publish.registry import Managers

_OURS = str(Path(__file__).resolve().parent.parent) + os.sep


@dataclass(frozen=True, slots=True)
class ImportedDefinitions:
    """Imports ``target`` as the coordinator did."""

    target: str
    root: str

    def __call__(self) -> Definitions:
        """The definitions. Raises AssetflowError."""
        from assetflow.opening.loading import load_definitions

        return load_definitions(self.target, Path(self.root), lambda _: False)


@dataclass(frozen=True, slots=True)
class PickledDefinitions:
    """Holds definitions that cannot be imported: those of a notebook, a script or a test."""

    payload: bytes

    def __call__(self) -> Definitions:
        """The definitions."""
        definitions: Definitions = pickle.loads(self.payload)
        _give_names()
        return definitions


def _give_names() -> None:
    """Let classes that were handed over by value be found by their names, so that their objects can be pickled."""
    import cloudpickle.cloudpickle as by_value  # pyright: ignore[reportMissingTypeStubs]

    for kind in list(getattr(by_value, "_DYNAMIC_CLASS_TRACKER_BY_CLASS", ())):
        if kind.__qualname__.isidentifier():
            module = sys.modules.setdefault(kind.__module__, ModuleType(kind.__module__))
            if not hasattr(module, kind.__qualname__):
                setattr(module, kind.__qualname__, kind)


def worker_code(definitions: Definitions, target: str | None, sources: Sources) -> WorkerCode:
    """What workers need to have the same definitions; ``target`` is what they were imported from.

    Raises UsageError for definitions that cannot be handed over.
    """
    if target is not None:
        return WorkerCode(sources.complete(), pickle.dumps(ImportedDefinitions(target, str(sources.root))))
    sources.add_loaded()
    return WorkerCode(sources.snapshot(), pickle.dumps(PickledDefinitions(_pickled(definitions))))


def check_cross_process(graph: AssetGraph, managers: Managers) -> None:
    """Refuse IO managers whose values no other process can load. Raises UsageError."""
    for node in graph.nodes.values():
        for spec in node.specs:
            if spec.io_manager and spec.io_manager in managers and not managers[spec.io_manager].cross_process:
                raise UsageError(
                    f"{spec.key}: IO manager {spec.io_manager!r} keeps values in this process only, so worker "
                    "processes cannot use it",
                    hint='use executor="inline", or another IO manager',
                    location=node.computation.location,
                )


def _pickled(definitions: Definitions) -> bytes:
    import cloudpickle  # pyright: ignore[reportMissingTypeStubs]

    try:
        with _by_value():
            return cloudpickle.dumps(definitions, protocol=5)
    except Exception as error:
        raise UsageError(
            f"the definitions cannot be handed to worker processes: {error}",
            hint="put them into modules of a project with a pyproject.toml, where workers import them, "
            'or use executor="inline"',
        ) from error


@contextmanager
def _by_value() -> Generator[None]:
    """For the time being, what is in modules that another process could not import is pickled by value."""
    import cloudpickle  # pyright: ignore[reportMissingTypeStubs]

    chosen = [module for name, module in list(sys.modules.items()) if not _importable(name, module)]
    registered: list[ModuleType] = []
    try:
        for module in chosen:
            cloudpickle.register_pickle_by_value(module)
            registered.append(module)
        yield
    finally:
        for module in registered:
            cloudpickle.unregister_pickle_by_value(module)


def _importable(name: str, module: object) -> bool:
    if not isinstance(module, ModuleType) or name == "__main__" or module.__name__ != name:
        return True  # left to cloudpickle
    path = getattr(module, "__file__", None)
    if path is None:
        return getattr(module, "__spec__", None) is not None
    if path.startswith((_OURS, *_LIBRARIES)):
        return True
    search: list[str] | None = None
    found: str | None = None
    for part in name.split("."):
        spec = PathFinder.find_spec(part, search)
        if spec is None:
            return False
        search = list(spec.submodule_search_locations or ())
        found = spec.origin
    return found is not None and os.path.realpath(found) == os.path.realpath(path)


_LIBRARIES = tuple({f"{sysconfig.get_path(name)}{os.sep}" for name in ("stdlib", "platstdlib", "purelib", "platlib")})
