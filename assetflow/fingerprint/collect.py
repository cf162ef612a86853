"""Everything of the project that a function object reaches: its code, its helpers, what it captured.

The text says what a function refers to; the object says what a closure, a default or a partial holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import cast

from assetflow.fingerprint.linking import Component, Linker, Part, Target, part
from assetflow.fingerprint.modules import Definition, ParsedModule
from assetflow.fingerprint.values import encode

_SHOWN = 2_000


class Collector:
    """Gathers the components that one function reaches; ``parts`` and ``untracked`` are the result."""

    def __init__(self, linker: Linker) -> None:
        self.parts: dict[str, dict[bytes, Part]] = {}
        self.untracked: set[str] = set()
        self._linker = linker
        self._targets: set[Target] = set()
        self._seen: set[int] = set()

    def collect(self, function: Callable[..., object]) -> bool:
        """Gather what ``function`` reaches; False if the text of the function itself cannot be found."""
        layers = unwrapped(function)
        innermost = layers[-1]
        if not isinstance(innermost, FunctionType):
            return False
        found = self._find(innermost)
        if found is None:
            return False
        name = f"{found[0].name}.{found[1][0].qualname}"
        self._seen.update(id(layer) for layer in layers if isinstance(layer, FunctionType))
        self._layers(layers, name)
        return True

    def collect_object(self, name: str, value: object) -> None:
        """Gather the class of an object, and its attributes, under ``name``."""
        self._value(name, type(value))
        self._mapping(name, _attributes(value))

    def _layers(self, layers: Sequence[object], name: str) -> None:
        for layer in layers:
            # The innermost counts wherever it comes from; a wrapper from a library does not.
            if isinstance(layer, FunctionType):
                if layer is layers[-1] or self._linker.inside(layer.__code__.co_filename):
                    self._function(layer, name)
            else:
                self._bound(layer, name)

    def _bound(self, layer: object, name: str) -> None:
        """What a method or a partial holds beside its function."""
        if isinstance(layer, MethodType):
            owner = layer.__self__
            self._value(f"{name}:self", owner if isinstance(owner, type) else type(owner))
            if not isinstance(owner, type):
                self.untracked.add(f"{name}:self: the state of an object of type {type(owner).__qualname__}")
        elif isinstance(layer, partial):
            bound = cast("partial[object]", layer)
            for position, value in enumerate(bound.args):
                self._value(f"{name}:{position}", value)
            self._mapping(name, bound.keywords)

    def _find(self, function: FunctionType) -> tuple[ParsedModule, Sequence[Definition]] | None:
        module = self._linker.module_of(function)
        definitions = module.functions_of(function.__code__) if module else ()
        return (module, definitions) if module and definitions else None

    def _function(self, function: FunctionType, path: str) -> None:
        found = self._find(function)
        if found is None:
            self.untracked.add(f"{path}: the source of {function.__module__}.{function.__qualname__} cannot be found")
            return
        module, definitions = found
        components = [self._linker.function(module, definition) for definition in definitions]
        for component in components:
            self._add(component)
        for name, value in _captured(function):
            if isinstance(value, ModuleType):
                self._captured_module(components, name, value, path)
            else:
                self._value(f"{path}:{name}", value)
        if any(definition.around for definition in definitions):
            self._mapping(path, _defaults(function))

    def _captured_module(self, components: Iterable[Component], name: str, value: ModuleType, path: str) -> None:
        module = self._linker.module(value.__name__)
        for use in (use for component in components for use in component.captured if use.name == name):
            if module is not None:
                targets, untracked = self._linker.attribute(module, use.chain)
                self._follow(targets)
                self.untracked.update(f"{path}: {reason}" for reason in untracked)

    def _add(self, component: Component) -> None:
        self._record(component)
        self._follow(component.targets)

    def _follow(self, targets: Iterable[Target]) -> None:
        pending = list(targets)
        while pending:
            target = pending.pop()
            if target not in self._targets:
                self._targets.add(target)
                component = self._linker.component(target)
                self._record(component)
                pending.extend(component.targets)

    def _record(self, component: Component) -> None:
        kept = self.parts.setdefault(component.name, {})
        kept.update((piece.digest, piece) for piece in component.parts)
        self.untracked.update(component.untracked)

    def _mapping(self, path: str, values: Mapping[str, object]) -> None:
        for name, value in values.items():
            self._value(f"{path}:{name}", value)

    def _value(self, path: str, value: object) -> None:
        plain = encode(value)
        if plain is not None:
            self._keep(path, plain, repr(value)[:_SHOWN])
        elif isinstance(value, ModuleType):
            module = self._linker.module(value.__name__)
            self._keep(path, value.__name__.encode(), value.__name__)
            self._follow([Target(module, None)] if module else ())
        elif isinstance(value, type):
            self._class(path, value)
        elif isinstance(value, BuiltinFunctionType):
            self._reference(path, value.__module__, value.__qualname__)
        elif isinstance(value, (list, tuple)):
            self._items(path, cast("object", value), enumerate(cast("Sequence[object]", value)))
        elif isinstance(value, dict):
            self._items(path, cast("object", value), cast("dict[object, object]", value).items())
        elif callable(value) and isinstance(unwrapped(value)[-1], FunctionType):
            self._callable(path, value)
        else:
            self.untracked.add(f"{path}: a value of type {type(value).__qualname__}")

    def _items(self, path: str, container: object, items: Iterable[tuple[object, object]]) -> None:
        # A container may hold itself.
        if id(container) in self._seen:
            return
        self._seen.add(id(container))
        for key, item in items:
            self._value(f"{path}[{key!r}]", item)
        self._seen.discard(id(container))

    def _callable(self, path: str, value: Callable[..., object]) -> None:
        layers = unwrapped(value)
        innermost = cast("FunctionType", layers[-1])
        if id(innermost) in self._seen:
            return
        self._reference(path, innermost.__module__, innermost.__qualname__)
        if self._linker.inside(innermost.__code__.co_filename):
            self._seen.update(id(layer) for layer in layers if isinstance(layer, FunctionType))
            self._layers(layers, path)

    def _class(self, path: str, value: type) -> None:
        self._reference(path, value.__module__, value.__qualname__)
        module = self._linker.module(value.__module__)
        if module is None or id(value) in self._seen:
            return
        self._seen.add(id(value))
        if value.__qualname__ in module.bindings:
            self._follow([Target(module, value.__qualname__)])
            return
        definitions = module.definitions.get(value.__qualname__, ())
        if not definitions:
            self.untracked.add(f"{path}: the source of {value.__module__}.{value.__qualname__} cannot be found")
        for definition in definitions:
            self._add(self._linker.function(module, definition))
        for method in vars(value).values():
            if isinstance(method, FunctionType):
                self._mapping(path, dict(_captured(method)))

    def _reference(self, path: str, module: str | None, qualname: str) -> None:
        name = f"{module}.{qualname}"
        self._keep(path, name.encode(), name)

    def _keep(self, path: str, content: bytes, text: str) -> None:
        piece = part(b"value " + content, text)
        self.parts.setdefault(path, {})[piece.digest] = piece


def unwrapped(function: object) -> list[object]:
    """``function`` and what it wraps (``__wrapped__``, methods, partials), outermost first."""
    layers = [function]
    while True:
        outer = layers[-1]
        if isinstance(outer, partial):
            inner: object = cast("partial[object]", outer).func
        elif isinstance(outer, MethodType):
            inner = outer.__func__
        else:
            inner = getattr(outer, "__wrapped__", None)
        if inner is None or any(inner is layer for layer in layers):
            return layers
        layers.append(inner)


def _attributes(value: object) -> dict[str, object]:
    """The attributes of an object, in its ``__dict__`` or in slots."""
    held = dict(vars(value))
    for kind in type(value).__mro__:
        slots: str | Iterable[str] = vars(kind).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__") and hasattr(value, name):
                held[name] = getattr(value, name)
    return held


def _captured(function: FunctionType) -> list[tuple[str, object]]:
    held: list[tuple[str, object]] = []
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            held.append((name, cell.cell_contents))
        except ValueError:
            # Not bound yet: a name that is assigned further down in the function around.
            continue
    return held


def _defaults(function: FunctionType) -> dict[str, object]:
    code = function.__code__
    values = function.__defaults__ or ()
    named = code.co_varnames[code.co_argcount - len(values) : code.co_argcount]
    return {**dict(zip(named, values, strict=True)), **(function.__kwdefaults__ or {})}
