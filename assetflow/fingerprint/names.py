"""Which names a piece of code takes from outside itself, by Python's scoping rules.

One walk records, per scope, what is bound and what is read; then each scope, innermost first, hands what it does
not bind to the scope around it. What is left at the end belongs to the module.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import statement binds: a module, or with ``name`` a name in it; ``level`` counts leading dots."""

    module: str
    level: int = 0
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Use:
    """A name that is read, with the attributes taken from it: ``h.clean.fast`` is ``h`` with ``("clean", "fast")``.

    ``imported`` is set where an import inside the code binds the name; ``annotation`` where only a type is meant.
    """

    name: str
    chain: tuple[str, ...] = ()
    annotation: bool = False
    imported: Imported | None = None


@dataclass(frozen=True, slots=True)
class Names:
    """The outside names of a piece of code, and what a reader of the code cannot follow."""

    uses: frozenset[Use]
    unclear: frozenset[str]


def imports(node: ast.Import | ast.ImportFrom) -> list[tuple[str, Imported]]:
    """The names that an import statement binds; ``*`` for a star import.

    >>> imports(ast.parse("import shop.helpers").body[0])
    [('shop', Imported(module='shop', level=0, name=None))]
    >>> imports(ast.parse("from .helpers import clean as c").body[0])
    [('c', Imported(module='helpers', level=1, name='clean'))]
    """
    if isinstance(node, ast.ImportFrom):
        return [
            (alias.asname or alias.name, Imported(node.module or "", node.level, alias.name)) for alias in node.names
        ]
    return [
        (alias.asname, Imported(alias.name))
        if alias.asname
        else (alias.name.partition(".")[0], Imported(alias.name.partition(".")[0]))
        for alias in node.names
    ]


def _keep_all(decorator: ast.expr) -> bool:
    return False


def names(nodes: Iterable[ast.AST], drops_decorator: Callable[[ast.expr], bool] = _keep_all) -> Names:
    """The outside names of ``nodes``, which stand at the top level of a module; dropped decorators take none.

    >>> found = names(ast.parse("def f(x): return [clean(y, x) for y in h.rows]").body)
    >>> sorted((use.name, use.chain) for use in found.uses)
    [('clean', ()), ('h', ('rows',))]
    """
    walk = _Walk(drops_decorator)
    for node in nodes:
        walk.visit(node, walk.top)
    return walk.finish()


def local_names(function: ast.AST) -> frozenset[str]:
    """The names that a function or class body binds for itself."""
    walk = _Walk(_keep_all)
    walk.visit(function, walk.top)
    inner = next((scope for scope in walk.scopes if scope.node is function), None)
    return frozenset(inner.bound - inner.outer) if inner else frozenset()


@dataclass(slots=True)
class _Scope:
    kind: Literal["module", "class", "function", "comprehension"]
    parent: _Scope | None
    node: ast.AST | None = None
    bound: set[str] = field(default_factory=set[str])
    outer: set[str] = field(default_factory=set[str])
    imports: dict[str, set[Imported]] = field(default_factory=dict[str, set[Imported]])
    uses: set[Use] = field(default_factory=set[Use])
    dynamic: set[str] = field(default_factory=set[str])


@dataclass(slots=True)
class _Walk:
    drops_decorator: Callable[[ast.expr], bool]
    top: _Scope = field(default_factory=lambda: _Scope("module", None))
    scopes: list[_Scope] = field(default_factory=list[_Scope])
    unclear: set[str] = field(default_factory=set[str])
    stack: list[tuple[ast.AST, _Scope, bool]] = field(default_factory=list[tuple[ast.AST, _Scope, bool]])

    def visit(self, node: ast.AST, scope: _Scope) -> None:
        self.stack.append((node, scope, False))
        while self.stack:
            self._node(*self.stack.pop())

    def finish(self) -> Names:
        for scope in reversed(self.scopes):
            self._hand_up(scope)
        return Names(frozenset(self.top.uses), frozenset(self.unclear))

    def _hand_up(self, scope: _Scope) -> None:
        assert scope.parent is not None
        local = scope.bound - scope.outer
        for use in scope.uses:
            if use.imported is None and use.name in local:
                for imported in scope.imports.get(use.name, ()):
                    scope.parent.uses.add(Use(use.name, use.chain, use.annotation, imported))
                # A class body reads the module's name until it has bound its own.
                if scope.kind != "class":
                    continue
            _visible(scope).uses.add(use)
        for name in scope.dynamic:
            if name in local and name not in scope.imports:
                self.unclear.add("getattr() with a computed name")
            else:
                _visible(scope).dynamic.add(name)

    def _open(self, kind: Literal["class", "function", "comprehension"], parent: _Scope, node: ast.AST) -> _Scope:
        scope = _Scope(kind, parent, node)
        self.scopes.append(scope)
        return scope

    def _push(self, nodes: Iterable[ast.AST | None], scope: _Scope, annotation: bool) -> None:
        self.stack.extend((node, scope, annotation) for node in nodes if node is not None)

    def _node(self, node: ast.AST, scope: _Scope, annotation: bool) -> None:
        match node:
            case ast.Name():
                self._name(node, scope, annotation)
            case ast.Attribute():
                self._attribute(node, scope, annotation)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                scope.bound.add(node.name)
                self._function(node, scope)
            case ast.Lambda():
                inner = self._open("function", scope, node)
                self._arguments(node.args, scope, inner)
                self._push([node.body], inner, False)
            case ast.ClassDef():
                scope.bound.add(node.name)
                outside = self._type_parameters(node, scope)
                self._push([*node.decorator_list], scope, False)
                self._push([*node.bases, *node.keywords], outside, False)
                self._push(node.body, self._open("class", outside, node), False)
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                self._comprehension(node, scope, annotation)
            case ast.NamedExpr():
                holder = scope
                while holder.kind == "comprehension" and holder.parent is not None:
                    holder = holder.parent
                holder.bound.add(node.target.id)
                self._push([node.value], scope, annotation)
            case ast.AnnAssign():
                # A local variable's annotation changes nothing; a class body's does (dataclasses read it).
                self._push([node.target, node.value], scope, annotation)
                if scope.kind == "class":
                    self._push([node.annotation], scope, True)
            case ast.Import() | ast.ImportFrom():
                self._import(node, scope)
            case ast.Global():
                scope.outer.update(node.names)
                self.top.uses.update(Use(name) for name in node.names)
            case ast.Nonlocal():
                scope.outer.update(node.names)
            case ast.Call():
                self._call(node, scope)
                self._push(ast.iter_child_nodes(node), scope, annotation)
            case ast.Constant():
                if annotation and isinstance(node.value, str):
                    self._forward_reference(node.value, scope)
            case _:
                for attribute in ("name", "rest"):
                    # Exception handlers and the captures of match patterns.
                    if isinstance(bound := getattr(node, attribute, None), str):
                        scope.bound.add(bound)
                self._push(ast.iter_child_nodes(node), scope, annotation)

    def _name(self, node: ast.Name, scope: _Scope, annotation: bool) -> None:
        if isinstance(node.ctx, ast.Load):
            scope.uses.add(Use(node.id, (), annotation))
        else:
            scope.bound.add(node.id)

    def _attribute(self, node: ast.Attribute, scope: _Scope, annotation: bool) -> None:
        root, chain = dotted(node)
        if isinstance(root, ast.Name):
            scope.uses.add(Use(root.id, chain, annotation))
        else:
            self._push([root], scope, annotation)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: _Scope) -> None:
        self._push((item for item in node.decorator_list if not self.drops_decorator(item)), scope, False)
        outside = self._type_parameters(node, scope)
        inner = self._open("function", outside, node)
        self._arguments(node.args, outside, inner)
        self._push([node.returns], outside, True)
        self._push(node.body, inner, False)

    def _type_parameters(self, node: ast.AST, scope: _Scope) -> _Scope:
        parameters: list[ast.AST] = getattr(node, "type_params", [])
        if not parameters:
            return scope
        inner = self._open("comprehension", scope, node)
        inner.node = None
        inner.bound.update(getattr(parameter, "name", "") for parameter in parameters)
        self._push((child for parameter in parameters for child in ast.iter_child_nodes(parameter)), inner, True)
        return inner

    def _arguments(self, args: ast.arguments, outside: _Scope, inner: _Scope) -> None:
        parameters = [*args.posonlyargs, *args.args, *args.kwonlyargs]
        parameters.extend(extra for extra in (args.vararg, args.kwarg) if extra is not None)
        inner.bound.update(parameter.arg for parameter in parameters)
        self._push((parameter.annotation for parameter in parameters), outside, True)
        self._push([*args.defaults, *args.kw_defaults], outside, False)

    def _comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp, scope: _Scope, annotation: bool
    ) -> None:
        inner = self._open("comprehension", scope, node)
        first, *rest = node.generators
        self._push([first.iter], scope, annotation)
        self._push([first.target, *first.ifs, *rest], inner, annotation)
        self._push(
            [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt],
            inner,
            annotation,
        )

    def _import(self, node: ast.Import | ast.ImportFrom, scope: _Scope) -> None:
        if scope.kind == "module":
            return
        for name, imported in imports(node):
            scope.bound.add(name)
            scope.imports.setdefault(name, set()).add(imported)

    def _call(self, node: ast.Call, scope: _Scope) -> None:
        if not (isinstance(node.func, ast.Name) and node.func.id == "getattr" and len(node.args) > 1):
            return
        if isinstance(node.args[1], ast.Constant):
            return
        root, _ = dotted(node.args[0])
        if isinstance(root, ast.Name):
            scope.dynamic.add(root.id)
        else:
            self.unclear.add("getattr() with a computed name")

    def _forward_reference(self, text: str, scope: _Scope) -> None:
        try:
            expression = ast.parse(text, mode="eval").body
        except (SyntaxError, ValueError):
            return
        self._push([expression], scope, True)


def dotted(node: ast.expr) -> tuple[ast.expr, tuple[str, ...]]:
    """The root of an attribute chain, and the attributes taken from it in order."""
    chain: list[str] = []
    while isinstance(node, ast.Attribute):
        chain.append(node.attr)
        node = node.value
    return node, tuple(reversed(chain))


def _visible(scope: _Scope) -> _Scope:
    """The nearest scope around whose names this one sees: class bodies are skipped."""
    around = scope.parent
    assert around is not None
    if scope.kind != "class":
        while around.kind == "class" and around.parent is not None:
            around = around.parent
    return around
