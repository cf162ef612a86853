"""Finding IO managers by name: those given in the definitions, and those installed as plug-ins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points

from assetflow.errors import DefinitionError, DefinitionErrors, ProjectError
from assetflow.graph import AssetGraph
from assetflow.io import IOManager
from assetflow.keys import nearest_names

GROUP = "assetflow.io_managers"


class Managers(Mapping[str, IOManager]):
    """IO managers by name; a plug-in is imported and made when it is first asked for. Raises ProjectError."""

    def __init__(self, given: Mapping[str, object] | None = None) -> None:
        self._made: dict[str, IOManager] = {name: _proper(name, manager) for name, manager in (given or {}).items()}
        self._found: dict[str, EntryPoint] | None = None

    def __getitem__(self, name: str) -> IOManager:
        manager = self._made.get(name)
        if manager is None:
            manager = self._made[name] = self._load(name)
        return manager

    def __iter__(self) -> Iterator[str]:
        return iter({**self._made, **self._plug_ins()})

    def __len__(self) -> int:
        return len({**self._made, **self._plug_ins()})

    def __contains__(self, name: object) -> bool:
        return name in self._made or name in self._plug_ins()

    def _load(self, name: str) -> IOManager:
        found = self._plug_ins().get(name)
        if found is None:
            raise ProjectError(
                f"there is no IO manager {name!r}",
                hint=nearest_names(name, self) or f"there are {', '.join(sorted(self))}",
            )
        try:
            manager: object = found.load()()
        except Exception as error:
            raise ProjectError(f"IO manager {name!r} ({found.value}) cannot be made: {error}") from error
        return _proper(name, manager)

    def _plug_ins(self) -> dict[str, EntryPoint]:
        if self._found is None:
            self._found = {point.name: point for point in entry_points(group=GROUP)}
        return self._found


def _proper(name: str, manager: object) -> IOManager:
    if not isinstance(manager, IOManager):
        raise ProjectError(
            f"IO manager {name!r} ({type(manager).__qualname__}) lacks part of the protocol",
            hint="see assetflow.io.IOManager for its attributes and methods",
        )
    return manager


def check_managers(graph: AssetGraph, managers: Managers, *, temporary: bool, environment: str | None = None) -> None:
    """Refuse names that no manager has, and managers that cannot do what this project needs.

    Values that are kept in this process must not have to outlive it, and a target without versions holds one value:
    it has no place for that of another ``environment`` than the default one (None). Raises DefinitionErrors, one for
    each asset.
    """
    errors = [
        DefinitionError(
            f"{spec.key}: there is no IO manager {spec.io_manager!r}",
            hint=nearest_names(spec.io_manager, managers) or f"there are {', '.join(sorted(managers))}",
            location=node.computation.location,
        )
        for node in graph.nodes.values()
        for spec in node.specs
        if spec.io_manager is not None and spec.io_manager not in managers
    ]
    known = [(node, spec) for node in graph.nodes.values() for spec in node.specs if spec.io_manager in managers]
    errors += [
        DefinitionError(
            f"{spec.key}: IO manager {spec.io_manager!r} keeps values in this process only",
            hint="use it with materialize() or in a project without store and storage; leave it out here",
            location=node.computation.location,
        )
        for node, spec in known
        if not temporary and spec.io_manager and not managers[spec.io_manager].cross_process
    ]
    errors += [
        DefinitionError(
            f"{spec.key}: IO manager {spec.io_manager!r} keeps no versions, so it cannot serve the environment "
            f"{environment!r} beside the default one",
            hint="use a manager that keeps versions, or leave this asset to the default environment",
            location=node.computation.location,
        )
        for node, spec in known
        if environment is not None and spec.io_manager and not managers[spec.io_manager].versioned
    ]
    if errors:
        raise DefinitionErrors(errors)
