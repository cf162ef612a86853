"""A syntax tree as bytes: equal for equal meaning, on every supported Python.

``ast.dump`` and ``ast.unparse`` change between Python versions, so the format is our own: the node's class, then
each field that holds something, by name. A field that a later Python adds is empty in older code and leaves no trace.
Left out is what cannot change a result: positions, docstrings, ``pass``, type comments, the annotations of
local variables and module globals, and the decorators that the caller names.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import Literal, cast

Scope = Literal["module", "class", "function"]

_DROPPED_FIELDS = frozenset({"ctx", "kind", "type_comment", "type_ignores", "simple"})
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def serialise(node: ast.AST, drops_decorator: Callable[[ast.expr], bool], scope: Scope = "module") -> bytes:
    """The canonical bytes of ``node``, which stands in a scope of the given kind.

    >>> def code(text): return serialise(ast.parse(text), lambda decorator: False)
    >>> code("def f(x): return (x)  # the same") == code("def f(x):\\n  '''Doc.'''\\n  return x")
    True
    >>> code("def f(x): return x") == code("def f(y): return y")
    False
    """
    out: list[bytes] = []
    # An explicit stack: a sum of a thousand terms nests a thousand deep.
    stack: list[tuple[object, Scope]] = [(node, scope)]
    while stack:
        item, where = stack.pop()
        if isinstance(item, bytes):
            out.append(item)
        elif isinstance(item, ast.Name):
            # By far the most frequent node; the same bytes as below.
            out.append(b"(Name id=%s)" % _leaf(item.id))
        elif isinstance(item, ast.Constant):
            out.append(_constant(item.value))
        elif isinstance(item, ast.AST):
            pieces = _pieces(item, where, drops_decorator)
            pieces.reverse()
            stack.extend(pieces)
        else:
            out.append(_leaf(item))
    return b"".join(out)


def _pieces(node: ast.AST, where: Scope, drops_decorator: Callable[[ast.expr], bool]) -> list[tuple[object, Scope]]:
    pieces: list[tuple[object, Scope]] = [(b"(", where)]
    name = type(node).__name__
    fields: dict[str, object] = {
        field: getattr(node, field, None) for field in node._fields if field not in _DROPPED_FIELDS
    }
    if isinstance(node, ast.AnnAssign) and where != "class":
        name = "Assign"
        fields = {"targets": [node.target], "value": node.value}
    elif isinstance(node, _FUNCTIONS):
        fields["decorator_list"] = [item for item in node.decorator_list if not drops_decorator(item)]
    elif isinstance(node, ast.JoinedStr):
        fields["values"] = _joined(node.values)
    elif isinstance(node, ast.FormattedValue) and not _format_spec(node.format_spec):
        fields["format_spec"] = None
    pieces.append((name.encode(), where))
    inside = _inner_scope(node, where)
    for field, value in fields.items():
        # Decorators, defaults and bases are evaluated in the scope around; only statements are in the inner one.
        below = inside if field == "body" else where
        if value is None:
            continue
        if not isinstance(value, list):
            pieces.extend([(b" " + field.encode() + b"=", where), (value, below)])
            continue
        items = cast("list[object]", value)
        if field in _BLOCKS:
            items = [item for item in items if not _without_effect(item, below)]
        if items:
            pieces.append((b" " + field.encode() + b"=[", where))
            pieces.extend((item, below) for item in items)
            pieces.append((b"]", where))
    pieces.append((b")", where))
    return pieces


_BLOCKS = frozenset({"body", "orelse", "finalbody"})


def _inner_scope(node: ast.AST, where: Scope) -> Scope:
    if isinstance(node, (*_FUNCTIONS, ast.Lambda)):
        return "function"
    return "class" if isinstance(node, ast.ClassDef) else where


def _without_effect(item: object, where: Scope) -> bool:
    if isinstance(item, ast.Expr):
        return isinstance(item.value, ast.Constant) and isinstance(item.value.value, str)
    if isinstance(item, ast.AnnAssign):
        return item.value is None and where != "class"
    return isinstance(item, ast.Pass)


def _joined(values: Iterable[ast.expr]) -> list[ast.expr]:
    """The parts of an f-string with neighbouring texts joined and empty ones gone."""
    parts: list[ast.expr] = []
    text = ""
    for value in values:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            text += value.value
            continue
        if text:
            parts.append(ast.Constant(text))
            text = ""
        parts.append(value)
    return [*parts, ast.Constant(text)] if text else parts


def _format_spec(spec: ast.expr | None) -> bool:
    return spec is not None and not (isinstance(spec, ast.JoinedStr) and not _joined(spec.values))


def _leaf(value: object) -> bytes:
    if value is None:
        return b"-"
    if isinstance(value, str):
        text = value.encode("utf-8", "surrogatepass")
        return b"'%d:%s" % (len(text), text)
    if isinstance(value, int):
        return b"#%d;" % value
    raise TypeError(f"unexpected {type(value).__name__} in a syntax tree")


def _constant(value: object) -> bytes:
    match value:
        case None | True | False:
            return f"<{value}>".encode()
        case int():
            return f"<int {value:x}>".encode()
        case float():
            return f"<float {value.hex()}>".encode()
        case complex():
            return f"<complex {value.real.hex()} {value.imag.hex()}>".encode()
        case str():
            text = value.encode("utf-8", "surrogatepass")
            return b"<str %d:%s>" % (len(text), text)
        case bytes():
            return b"<bytes %d:%s>" % (len(value), value)
        case _:
            return b"<...>"
