"""From a name in a module to the code that it stands for, through imports, re-exports and module attributes.

Works on source text alone. What lies outside the project is not followed; what should be inside and cannot be found
is reported as untracked.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from types import FunctionType

from assetflow.fingerprint.modules import Binding, Definition, ParsedModule
from assetflow.fingerprint.names import Imported, Use, dotted, names
from assetflow.fingerprint.serialise import serialise
from assetflow.fingerprint.sources import SourceReader

_BUILTINS = frozenset(dir(builtins))
_DYNAMIC = frozenset({"exec", "eval", "__import__", "globals"})
_DYNAMIC_IMPORTS = frozenset({"importlib.import_module", "importlib.__import__", "builtins.__import__"})


@dataclass(frozen=True, slots=True)
class Target:
    """A top-level name of a module of the project, or with ``name=None`` the module as a whole."""

    module: ParsedModule
    name: str | None

    def __str__(self) -> str:
        return self.module.name if self.name is None else f"{self.module.name}.{self.name}"


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of code or one value: its digest, and the text to show."""

    digest: bytes
    text: str


@dataclass(frozen=True, slots=True)
class Component:
    """A named piece of the project's code with what it leads to; ``captured`` are names of the functions around."""

    name: str
    parts: tuple[Part, ...]
    targets: frozenset[Target]
    untracked: frozenset[str]
    captured: frozenset[Use] = frozenset()


def part(content: bytes, text: str) -> Part:
    """A part with the digest of ``content``."""
    return Part(blake2b(content, digest_size=16).digest(), text)


@dataclass(slots=True)
class _Found:
    targets: set[Target] = field(default_factory=set[Target])
    untracked: set[str] = field(default_factory=set[str])


class Linker:
    """Modules, components and links of one load of the project, each worked out once."""

    def __init__(self, reader: SourceReader, inside: Callable[[str], bool], skip: Callable[[object], bool]) -> None:
        self.inside = inside
        self._reader = reader
        self._skip = skip
        self._modules: dict[str, ParsedModule | None] = {}
        self._files: dict[tuple[str, str], ParsedModule | None] = {}
        self._components: dict[object, Component] = {}
        self._ours: dict[tuple[ParsedModule, str, tuple[str, ...]], bool] = {}

    def module(self, name: str) -> ParsedModule | None:
        """A module of the project by its name; None if it is outside or cannot be read."""
        if name not in self._modules:
            place = self._reader.place(name)
            if place is None or not self.inside(place.path):
                self._modules[name] = None
            else:
                self._modules[name] = self._parse(
                    name, place.path, name if place.is_package else name.rpartition(".")[0]
                )
        return self._modules[name]

    def module_of(self, function: FunctionType) -> ParsedModule | None:
        """The module whose text ``function`` was compiled from, inside the project or not."""
        path = function.__code__.co_filename
        name = str(function.__globals__.get("__name__", "__main__"))
        if (name, path) not in self._files:
            known = self.module(name)
            if known is not None and known.source.path == path:
                self._files[name, path] = known
            else:
                package = function.__globals__.get("__package__") or name.rpartition(".")[0]
                self._files[name, path] = self._parse(name, path, str(package)) if path.endswith(".py") else None
        return self._files[name, path]

    def function(self, module: ParsedModule, definition: Definition) -> Component:
        """A function or class by its node, wherever it stands in the module."""
        # Nodes live as long as their module, which the linker keeps.
        key = id(definition.node)
        if key not in self._components:
            scope = "class" if definition.around and isinstance(definition.around[-1], ast.ClassDef) else "module"
            content = serialise(definition.node, lambda item: self._is_ours(module, item), scope)
            name = f"{module.name}.{definition.qualname}"
            piece = part(content, module.text(definition.node))
            self._components[key] = self._linked(name, [piece], [definition.node], module, definition.enclosing_names())
        return self._components[key]

    def component(self, target: Target) -> Component:
        """The component that a target names: all statements that bind it."""
        if target not in self._components:
            module = target.module

            def drops(item: ast.expr) -> bool:
                return self._is_ours(module, item)

            if target.name is None:
                parts = [part(serialise(module.tree, drops), module.source.text)]
                nodes: list[ast.AST] = list(module.tree.body)
            else:
                bindings = [item for item in module.bindings[target.name] if _counts(item)]
                parts = [
                    part(
                        b"".join(serialise(node, drops) for node in (item.statement, *item.guards)),
                        module.text(item.statement),
                    )
                    for item in bindings
                ]
                nodes = [node for item in bindings for node in (item.statement, *item.guards)]
            linked = self._linked(str(target), parts, nodes, module, frozenset())
            # What the statements bind for themselves, such as a loop's variable, is no other component.
            own = frozenset(item for item in linked.targets if item.module is module and _binds_all(nodes, item))
            self._components[target] = replace(linked, targets=linked.targets - own)
        return self._components[target]

    def attribute(self, module: ParsedModule, chain: tuple[str, ...]) -> tuple[frozenset[Target], frozenset[str]]:
        """What ``module.a.b`` leads to, for a module object that is known at run time; and what is untracked."""
        found = _Found()
        self._follow_module(module, chain, found, frozenset())
        return frozenset(found.targets), frozenset(found.untracked)

    def _linked(
        self,
        name: str,
        parts: Iterable[Part],
        nodes: Iterable[ast.AST],
        module: ParsedModule,
        enclosing: frozenset[str],
    ) -> Component:
        used = names(nodes, lambda item: self._is_ours(module, item))
        found = _Found(untracked=set(used.unclear))
        captured: set[Use] = set()
        for use in used.uses:
            if use.imported is None and use.name in enclosing:
                captured.add(use)
            elif use.annotation:
                # A forward reference may name anything, and a schema counts by its canonical form instead.
                quiet = _Found()
                self._follow_use(module, use, quiet)
                found.targets.update(target for target in quiet.targets if not self._skips(target))
            else:
                self._follow_use(module, use, found)
        untracked = frozenset(f"{name}: {reason}" for reason in found.untracked)
        return Component(name, tuple(parts), frozenset(found.targets), untracked, frozenset(captured))

    def _skips(self, target: Target) -> bool:
        module = sys.modules.get(target.module.name)
        value = None if module is None or target.name is None else vars(module).get(target.name)
        return value is not None and self._skip(value)

    def _follow_use(self, module: ParsedModule, use: Use, found: _Found) -> None:
        if use.imported is not None:
            self._follow_import(module, use.imported, use.chain, found, frozenset())
        elif not self._follow_name(module, use.name, use.chain, found, frozenset()):
            if use.name in _DYNAMIC:
                found.untracked.add(f"{use.name}() can reach any code")
            elif use.name not in _BUILTINS and not _is_dunder(use.name):
                found.untracked.add(f"{use.name} is bound nowhere in the text of {module.name}")

    def _follow_name(
        self,
        module: ParsedModule,
        name: str,
        chain: tuple[str, ...],
        found: _Found,
        seen: frozenset[tuple[str, str]],
    ) -> bool:
        bindings = () if (module.name, name) in seen else module.bindings.get(name, ())
        seen |= {(module.name, name)}
        for binding in bindings:
            if binding.imported is not None:
                self._follow_import(module, binding.imported, chain, found, seen)
            if _counts(binding):
                found.targets.add(Target(module, name))
        return bool(bindings) or self._follow_elsewhere(module, name, chain, found, seen)

    def _follow_elsewhere(
        self,
        module: ParsedModule,
        name: str,
        chain: tuple[str, ...],
        found: _Found,
        seen: frozenset[tuple[str, str]],
    ) -> bool:
        """A name that the module does not bind itself: a star import's, a submodule, or ``__getattr__``'s."""
        from_outside = False
        for binding in module.bindings.get("*", ()):
            assert binding.imported is not None
            base = _absolute(module, binding.imported)
            star = self.module(base) if base else None
            if star is None:
                from_outside = True
            elif (star.name, name) not in seen and self._follow_name(star, name, chain, found, seen):
                return True
        if module.source.package == module.name:
            submodule = self.module(f"{module.name}.{name}")
            if submodule is not None:
                self._follow_module(submodule, chain, found, seen)
                return True
        if "__getattr__" in module.bindings and name not in _BUILTINS and not _is_dunder(name):
            found.targets.add(Target(module, "__getattr__"))
            return True
        return from_outside and name not in _BUILTINS

    def _follow_import(
        self,
        module: ParsedModule,
        imported: Imported,
        chain: tuple[str, ...],
        found: _Found,
        seen: frozenset[tuple[str, str]],
    ) -> None:
        base = _absolute(module, imported)
        wanted = (*([imported.name] if imported.name else []), *chain)
        if base is None:
            found.untracked.add(f"{'.'.join(wanted)} is imported from beyond the top-level package")
            return
        if ".".join((base, *wanted)) in _DYNAMIC_IMPORTS:
            found.untracked.add(f"{base}.{wanted[0]}() can reach any code")
            return
        source = self.module(base)
        if source is not None:
            self._follow_module(source, wanted, found, seen)
        elif imported.level or self._reader_finds(base):
            found.untracked.add(f"the module {base} cannot be read")

    def _follow_module(
        self, module: ParsedModule, chain: tuple[str, ...], found: _Found, seen: frozenset[tuple[str, str]]
    ) -> None:
        if not chain:
            found.targets.add(Target(module, None))
        elif not self._follow_name(module, chain[0], chain[1:], found, seen) and not _is_dunder(chain[0]):
            found.untracked.add(f"{module.name}.{chain[0]} is bound nowhere in the text of {module.name}")

    def _is_ours(self, module: ParsedModule, decorator: ast.expr) -> bool:
        root, chain = dotted(decorator.func if isinstance(decorator, ast.Call) else decorator)
        if not isinstance(root, ast.Name):
            return False
        key = (module, root.id, chain)
        if key not in self._ours:
            self._ours[key] = self._leads_to_us(module, root.id, chain, frozenset())
        return self._ours[key]

    def _leads_to_us(
        self, module: ParsedModule, name: str, chain: tuple[str, ...], seen: frozenset[tuple[str, str]]
    ) -> bool:
        if (module.name, name) in seen:
            return False
        seen |= {(module.name, name)}
        for binding in module.bindings.get(name, ()):
            base = _absolute(module, binding.imported) if binding.imported else None
            if binding.imported is None or base is None:
                continue
            if base.partition(".")[0] == "assetflow":
                return True
            wanted = (*([binding.imported.name] if binding.imported.name else []), *chain)
            source = self.module(base)
            while source is not None and wanted and wanted[0] not in source.bindings:
                source = self.module(f"{source.name}.{wanted[0]}")
                wanted = wanted[1:]
            if source is not None and wanted and self._leads_to_us(source, wanted[0], wanted[1:], seen):
                return True
        return False

    def _reader_finds(self, name: str) -> bool:
        place = self._reader.place(name)
        return place is not None and self.inside(place.path)

    def _parse(self, name: str, path: str, package: str) -> ParsedModule | None:
        source = self._reader.file(name, path, package)
        if source is None:
            return None
        try:
            return ParsedModule(source)
        except (SyntaxError, ValueError):
            return None


def _counts(binding: Binding) -> bool:
    """Whether the statement itself is part of the component: an import is, if a condition at run time decides it."""
    return binding.imported is None or not all(map(_is_type_checking, binding.guards))


def _is_type_checking(guard: ast.expr) -> bool:
    root, chain = dotted(guard)
    return isinstance(root, ast.Name) and (root.id, *chain)[-1] == "TYPE_CHECKING"


def _binds_all(nodes: list[ast.AST], target: Target) -> bool:
    """Whether the statements that bind ``target`` are all among ``nodes``."""
    if target.name is None:
        return False
    return all(any(node is binding.statement for node in nodes) for binding in target.module.bindings[target.name])


def _absolute(module: ParsedModule, imported: Imported) -> str | None:
    if not imported.level:
        return imported.module
    parts = module.source.package.split(".")
    if imported.level > len(parts) or not module.source.package:
        return None
    base = parts[: len(parts) - imported.level + 1]
    return ".".join([*base, imported.module] if imported.module else base)


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")
