"""A parsed module: what its top-level names are bound to, and where its functions and classes are."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import CodeType

from assetflow.fingerprint.names import Imported, dotted, imports, local_names
from assetflow.fingerprint.sources import ModuleSource

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
_COMPREHENSION = re.compile(r"<(?:list|dict|set)comp>\.<locals>\.|<genexpr>\.<locals>\.")


@dataclass(frozen=True, slots=True)
class Binding:
    """One statement that binds a top-level name; ``guards`` are the conditions it stands under."""

    statement: ast.stmt
    guards: tuple[ast.expr, ...] = ()
    imported: Imported | None = None


@dataclass(frozen=True, slots=True)
class Definition:
    """A function or class, with the functions and classes around it, outermost first."""

    node: Function | ast.ClassDef
    qualname: str
    around: tuple[ast.AST, ...]

    @property
    def first_line(self) -> int:
        """Where its code object starts: at the first decorator."""
        decorators = [] if isinstance(self.node, ast.Lambda) else self.node.decorator_list
        return min([self.node.lineno, *(item.lineno for item in decorators)])

    def enclosing_names(self) -> frozenset[str]:
        """The names that the functions around it bind: at run time they are closure cells."""
        functions = (node for node in self.around if not isinstance(node, ast.ClassDef))
        return frozenset[str]().union(*map(local_names, functions))


class ParsedModule:
    """A module's syntax tree with its indexes, each made when first asked for. Raises SyntaxError."""

    def __init__(self, source: ModuleSource) -> None:
        self.source = source
        self.tree = ast.parse(source.text, source.path)

    @property
    def name(self) -> str:
        return self.source.name

    @cached_property
    def bindings(self) -> Mapping[str, Sequence[Binding]]:
        """Top-level name -> every statement that binds or alters it, in the order of the text."""
        found: dict[str, list[Binding]] = {}
        for name, binding in _bindings(self.tree.body, ()):
            found.setdefault(name, []).append(binding)
        for name, binding in _alterations(self.tree.body):
            if any(earlier.imported is None and _is_assignment(earlier.statement) for earlier in found.get(name, ())):
                found[name].append(binding)
        return found

    @cached_property
    def definitions(self) -> Mapping[str, Sequence[Definition]]:
        """Qualified name -> the functions and classes of that name."""
        found: dict[str, list[Definition]] = {}
        for definition in _definitions(self.tree, "", ()):
            found.setdefault(definition.qualname, []).append(definition)
        return found

    @cached_property
    def lambdas(self) -> Mapping[str, Sequence[Definition]]:
        """Qualified name -> the lambdas of that name."""
        found: dict[str, list[Definition]] = {}
        for definition in _lambdas(self.tree, "", ()):
            found.setdefault(definition.qualname, []).append(definition)
        return found

    def functions_of(self, code: CodeType) -> Sequence[Definition]:
        """The function that ``code`` was compiled from; several if the text does not tell them apart.

        The name decides, then the line: a text edited since the import has other lines, but rarely other names.
        """
        index = self.lambdas if code.co_name == "<lambda>" else self.definitions
        named = [
            item
            for item in index.get(_COMPREHENSION.sub("", code.co_qualname), ())
            if not isinstance(item.node, ast.ClassDef)
        ]
        if len(named) < 2:
            return named
        on_line = [item for item in named if item.first_line == code.co_firstlineno]
        if not on_line:
            return named if code.co_name == "<lambda>" else named[-1:]
        return [item for item in on_line if _spans(item.node, code)] or on_line

    def text(self, node: ast.AST) -> str:
        """The lines of the source on which ``node`` stands, decorators included; of a lambda just itself."""
        if isinstance(node, ast.Lambda):
            return ast.get_source_segment(self.source.text, node) or ""
        first = getattr(node, "lineno", 1)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            first = min([first, *(item.lineno for item in node.decorator_list)])
        return "".join(self._lines[first - 1 : getattr(node, "end_lineno", len(self._lines))])

    @cached_property
    def _lines(self) -> list[str]:
        # Not splitlines(), which splits at form feeds too; the parser does not.
        return re.split(r"(?<=\n)", self.source.text)


def _spans(node: ast.AST, code: CodeType) -> bool:
    """Whether the body of a lambda is where the instructions of ``code`` come from."""
    body = node.body if isinstance(node, ast.Lambda) else node
    first = getattr(body, "lineno", 0), getattr(body, "col_offset", 0)
    last = getattr(body, "end_lineno", 0), getattr(body, "end_col_offset", 0)
    places = [
        ((line, column), (end_line, end_column))
        for line, end_line, column, end_column in code.co_positions()
        if line is not None and end_line is not None and column is not None and end_column is not None
    ]
    # Instructions that set the frame up have an empty place.
    starts = [start for start, end in places if start < end]
    if not starts:
        # Python 3.12 gives no place to an instruction that returns a constant.
        return isinstance(body, ast.Constant) and repr(body.value) == repr(code.co_consts[-1])
    return first == min(starts) and last == max(end for start, end in places if start < end)


def _bindings(block: Iterable[ast.stmt], guards: tuple[ast.expr, ...]) -> Iterator[tuple[str, Binding]]:
    for statement in block:
        match statement:
            case ast.Import() | ast.ImportFrom():
                for name, imported in imports(statement):
                    yield name, Binding(statement, guards, imported)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield statement.name, Binding(statement, guards)
            case ast.If(test=test, body=body, orelse=orelse):
                for name in sorted(_stored(test)):
                    yield name, Binding(ast.copy_location(ast.Expr(test), test), guards)
                yield from _bindings([*body, *orelse], (*guards, test))
            case ast.Try() | ast.TryStar():
                handlers = [inner for handler in statement.handlers for inner in handler.body]
                yield from _bindings([*statement.body, *handlers, *statement.orelse, *statement.finalbody], guards)
            case ast.For() | ast.AsyncFor() | ast.While() | ast.With() | ast.AsyncWith() | ast.Match():
                # What a loop or a context binds depends on all of it; what it imports or defines does not.
                for name in sorted(_stored(statement)):
                    yield name, Binding(statement, guards)
                yield from _nested(statement, guards)
            case _:
                for name in sorted(_stored(statement)):
                    yield name, Binding(statement, guards)


def _nested(statement: ast.stmt, guards: tuple[ast.expr, ...]) -> Iterator[tuple[str, Binding]]:
    kept = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    for name, binding in _bindings(_statements_in(statement), guards):
        if isinstance(binding.statement, kept):
            yield name, binding


def _statements_in(statement: ast.AST) -> list[ast.stmt]:
    inner: list[ast.stmt] = []
    for field in _BLOCKS:
        for item in getattr(statement, field, ()):
            if isinstance(item, ast.stmt):
                inner.append(item)
            else:
                inner.extend(_statements_in(item))
    return inner


def _stored(statement: ast.AST) -> set[str]:
    """The names that a statement assigns to, directly or through an item or attribute of theirs."""
    found: set[str] = set()
    stack: list[ast.AST] = [statement]
    while stack:
        node = stack.pop()
        match node:
            case ast.Name(id=name, ctx=ast.Store()):
                found.add(name)
            case ast.Subscript(ctx=ast.Store()) | ast.Attribute(ctx=ast.Store()):
                root = _root(node)
                if isinstance(root, ast.Name):
                    found.add(root.id)
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                found.add(name)
            case _:
                pass
        if not isinstance(node, _OWN_SCOPE):
            stack.extend(ast.iter_child_nodes(node))
    return found


_OWN_SCOPE = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Lambda,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
)


def _root(node: ast.expr) -> ast.expr:
    while isinstance(node, (ast.Subscript, ast.Attribute)):
        node = node.value
    return node


def _alterations(block: Iterable[ast.stmt]) -> Iterator[tuple[str, Binding]]:
    """Calls on a name as a statement, such as ``COLUMNS.append("x")``: they alter what was assigned."""
    for statement in block:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            root, chain = dotted(statement.value.func)
            if chain and isinstance(root, ast.Name):
                yield root.id, Binding(statement)


def _is_assignment(statement: ast.stmt) -> bool:
    return not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))


def _definitions(node: ast.AST, prefix: str, around: tuple[ast.AST, ...]) -> Iterator[Definition]:
    for statement in _statements_in(node):
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            qualname = prefix + statement.name
            yield Definition(statement, qualname, around)
            inner = "." if isinstance(statement, ast.ClassDef) else ".<locals>."
            yield from _definitions(statement, qualname + inner, (*around, statement))
        else:
            yield from _definitions(statement, prefix, around)


def _lambdas(tree: ast.AST, prefix: str, around: tuple[ast.AST, ...]) -> Iterator[Definition]:
    stack = [(tree, prefix, around)]
    while stack:
        node, prefix, around = stack.pop()
        own: Sequence[ast.AST] = ()
        inner = prefix
        match node:
            case ast.Lambda():
                yield Definition(node, f"{prefix}<lambda>", around)
                own, inner = [node.body], f"{prefix}<lambda>.<locals>."
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                own, inner = node.body, f"{prefix}{node.name}.<locals>."
            case ast.ClassDef():
                own, inner = node.body, f"{prefix}{node.name}."
            case _:
                pass
        # Decorators, defaults and bases are evaluated outside: a lambda among them has the outer name.
        stack.extend((child, prefix, around) for child in ast.iter_child_nodes(node) if child not in own)
        stack.extend((child, inner, (*around, node)) for child in own)
