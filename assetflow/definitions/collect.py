"""``Definitions``: everything that one project declares, and where it is gathered from."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, Self, cast

from assetflow.definitions.checks import CheckSpec
from assetflow.definitions.computations import REPLACES, Computation
from assetflow.definitions.functions import caller_location, location_of, name_of
from assetflow.definitions.references import definition_of
from assetflow.errors import DefinitionError, SourceLocation

if TYPE_CHECKING:
    from assetflow.io import IOManager

Declared = Callable[..., Any]


class Definitions:
    """What a project declares: ``Definitions(assets=[...], checks=[...], io_managers={...})``.

    ``assets`` takes decorated functions (sources too) and modules, whose declarations are all taken. Nothing is
    validated here; building the graph does that and reports all mistakes together.

    >>> from assetflow.definitions.decorators import asset
    >>> @asset
    ... def orders() -> int:
    ...     return 3
    >>> [computation.name for computation in Definitions(assets=[orders]).computations]
    ['orders']
    """

    __slots__ = ("checks", "computations", "io_managers", "location", "problems")

    def __init__(
        self,
        assets: Iterable[Declared | ModuleType] = (),
        checks: Iterable[Declared] = (),
        io_managers: Mapping[str, IOManager] | None = None,
        resources: object = None,
        schedules: object = None,
        sensors: object = None,
        alerts: object = None,
    ) -> None:
        self.location = caller_location()
        gathered = _Gathered(self.location)
        for argument, values in (("assets", assets), ("checks", checks)):
            gathered.take_all(argument, values)
        later = {"resources": resources, "schedules": schedules, "sensors": sensors, "alerts": alerts}
        for name, value in later.items():
            if value:
                gathered.note(f"Definitions({name}=) is not supported yet by this version", f"remove {name}=")
        self.io_managers: Mapping[str, IOManager] = dict(io_managers or {})
        self._settle(gathered)

    @classmethod
    def from_modules(cls, *modules: ModuleType | str) -> Self:
        """Everything decorated in modules, and in all modules inside packages; each declaration once.

        Modules are given as objects or by name, and are imported where needed. If exactly one ``Definitions`` is found
        in them, that one is what they declare.
        """
        location = caller_location()
        found = [each for module in modules for each in _with_submodules(module)]
        held = {id(value): value for module in found for value in vars(module).values() if isinstance(value, cls)}
        if len(held) == 1:
            return next(iter(held.values()))
        made = cls()
        made.location = location
        gathered = _Gathered(location)
        if held:
            places = ", ".join(str(each.location) for each in held.values())
            gathered.note(
                f"there are {len(held)} Definitions: {places}", "keep one, or name it in the project's settings"
            )
        for module in found:
            gathered.take_module(module)
        made._settle(gathered)
        return made

    def _settle(self, gathered: _Gathered) -> None:
        gathered.note_lost()
        self.computations: tuple[Computation, ...] = tuple(gathered.computations.values())
        self.checks: tuple[CheckSpec, ...] = tuple(gathered.checks.values())
        self.problems: tuple[DefinitionError, ...] = tuple(gathered.problems)

    def __repr__(self) -> str:
        return f"Definitions({len(self.computations)} computations, {len(self.checks)} checks)"


def collect(target: object) -> Definitions:
    """The definitions that a project's ``definitions`` setting names. Raises DefinitionError for anything else.

    ``target`` is a ``Definitions``, a module or package, a decorated function, or a list of decorated functions.
    """
    if isinstance(target, Definitions):
        return target
    if isinstance(target, ModuleType):
        return Definitions.from_modules(target)
    if isinstance(target, list | tuple):
        return Definitions(assets=cast("Sequence[Declared]", target))
    if definition_of(target):
        return Definitions(assets=[cast("Declared", target)])
    raise DefinitionError(
        f"{target!r} holds no definitions",
        hint="name a Definitions, a module or a package: all assets in it",
    )


class _Gathered:
    """Declarations by identity, in the order in which they were met."""

    def __init__(self, location: SourceLocation | None) -> None:
        self.computations: dict[int, Computation] = {}
        self.checks: dict[int, CheckSpec] = {}
        self.problems: list[DefinitionError] = []
        self._location = location
        self._replacing: list[tuple[Computation | CheckSpec, Computation | CheckSpec]] = []

    def note(self, message: str, hint: str, location: SourceLocation | None = None) -> None:
        self.problems.append(DefinitionError(message, hint=hint, location=location or self._location))

    def take_all(self, argument: str, values: object) -> None:
        if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
            self.note(f"Definitions({argument}=) takes a list, not {values!r}", f"write {argument}=[...]")
            return
        for position, value in enumerate(cast("Iterable[object]", values)):
            if isinstance(value, ModuleType):
                self.take_module(value)
            elif not self.take(value):
                self.note(
                    f"{argument}[{position}] is no asset, source or check: {_shown(value)}",
                    "decorate it with @asset, @observable_source or @asset_check",
                    location_of(value) if callable(value) else None,
                )

    def take_module(self, module: ModuleType) -> None:
        for value in list(vars(module).values()):
            self.take(value)

    def take(self, value: object) -> bool:
        declared = definition_of(value)
        if declared is None:
            return False
        if declared.function is not value:
            self.note(
                f"{declared.name}: a decorator above assetflow's would never run",
                "put assetflow's decorator on top",
                declared.location,
            )
        replaced = getattr(value, REPLACES, None)
        if isinstance(replaced, Computation | CheckSpec):
            self._replacing.append((declared, replaced))
        if isinstance(declared, CheckSpec):
            self.checks[id(declared)] = declared
        else:
            self.computations[id(declared)] = declared
        return True

    def note_lost(self) -> None:
        """Note each declaration that is not among these because another function took its name."""
        for declared, replaced in self._replacing:
            if id(replaced) not in self.checks and id(replaced) not in self.computations:
                self.note(
                    f"{declared.name}: declared twice, first at {replaced.location}: "
                    f"two functions of one module are called {name_of(replaced.function)}",
                    "rename one of the two functions",
                    declared.location,
                )
        self._replacing.clear()


def _with_submodules(module: ModuleType | str) -> Iterator[ModuleType]:
    found = importlib.import_module(module) if isinstance(module, str) else module
    yield found
    for inner in pkgutil.iter_modules(getattr(found, "__path__", ()), f"{found.__name__}."):
        # A package's __main__ is a program: importing it would run it.
        if not inner.name.endswith(".__main__"):
            yield from _with_submodules(inner.name)


def _shown(value: object) -> str:
    return name_of(value) if callable(value) else repr(value)
