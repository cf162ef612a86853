"""What a user's function looks like from outside: its place, its parameters, whether it can be called plainly."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType

from assetflow.errors import SourceLocation

_NOT_PLAIN = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR | inspect.CO_GENERATOR


@dataclass(frozen=True, slots=True)
class Parameters:
    """A function's parameters: ``names`` in order, those with a default, those that nobody could fill (as written)."""

    names: tuple[str, ...]
    optional: frozenset[str] = frozenset()
    refused: tuple[str, ...] = ()


def underlying(function: Callable[..., object]) -> Callable[..., object]:
    """The function whose parameters count: below ``functools.wraps`` wrappers, as ``inspect.signature`` has it."""
    seen: set[int] = set()
    while id(function) not in seen:
        seen.add(id(function))
        function = getattr(function, "__wrapped__", function)
    return function


def parameters_of(function: Callable[..., object]) -> Parameters:
    """The parameters of a function, or of anything else that can be called.

    >>> parameters_of(lambda context, orders, limit=3: ...).names
    ('context', 'orders', 'limit')
    """
    function = underlying(function)
    if not isinstance(function, FunctionType):
        return _inspected_parameters(function)
    code = function.__code__
    positional = code.co_argcount
    named = positional + code.co_kwonlyargcount
    names = code.co_varnames[:named]
    optional = {*names[positional - len(function.__defaults__ or ()) : positional], *(function.__kwdefaults__ or ())}
    refused = [f"{name}, /" for name in names[: code.co_posonlyargcount]]
    extra = named
    if code.co_flags & inspect.CO_VARARGS:
        refused.append(f"*{code.co_varnames[extra]}")
        extra += 1
    if code.co_flags & inspect.CO_VARKEYWORDS:
        refused.append(f"**{code.co_varnames[extra]}")
    return Parameters(names[code.co_posonlyargcount :], frozenset(optional), tuple(refused))


def _inspected_parameters(function: Callable[..., object]) -> Parameters:
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return Parameters((), refused=("unknown parameters",))
    plain = [each for each in found if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)]
    return Parameters(
        tuple(each.name for each in plain),
        frozenset(each.name for each in plain if each.default is not each.empty),
        tuple(str(each) for each in found if each not in plain),
    )


def not_plain(function: Callable[..., object]) -> str | None:
    """What kind of function this is, if calling it would not simply give its result.

    >>> def rows(): yield 1
    >>> not_plain(rows), not_plain(len)
    ('a generator function', None)
    """
    code = getattr(underlying(function), "__code__", None)
    flags: int = getattr(code, "co_flags", 0) & _NOT_PLAIN
    if not flags:
        return None
    return "a generator function" if flags == inspect.CO_GENERATOR else "an async function"


def name_of(function: Callable[..., object]) -> str:
    """The function's own name; the type's name for other callables."""
    return getattr(function, "__name__", type(function).__name__)


def location_of(function: Callable[..., object]) -> SourceLocation | None:
    """Where a function is written: the line of its first decorator, or of ``def`` without one."""
    function = underlying(function)
    code = getattr(getattr(function, "func", function), "__code__", None)
    return None if code is None else SourceLocation(_shown_path(code.co_filename), code.co_firstlineno)


def replaced_by(function: Callable[..., object]) -> Callable[..., object] | None:
    """The function further up in the same file whose name a module-level ``function`` is about to take, if any.

    One that an edit has removed from the file, and only a reload left in the module, does not count.
    """
    function = underlying(function)
    if not isinstance(function, FunctionType) or function.__qualname__ != function.__name__:
        return None
    earlier = function.__globals__.get(function.__name__)
    written = underlying(earlier) if callable(earlier) else None
    if not isinstance(written, FunctionType) or written.__code__.co_filename != function.__code__.co_filename:
        return None
    above = written.__code__.co_firstlineno < function.__code__.co_firstlineno
    return earlier if above and _is_still_written(written) else None


def _is_still_written(function: FunctionType) -> bool:
    import ast
    import linecache

    code = function.__code__
    linecache.checkcache(code.co_filename)
    text = "".join(linecache.getlines(code.co_filename, function.__globals__))
    if not text:
        return True
    found = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return any(
        node.name == code.co_name
        and min([node.lineno, *(each.lineno for each in node.decorator_list)]) == code.co_firstlineno
        for node in found
    )


def caller_location() -> SourceLocation | None:
    """The line that is being executed in the nearest caller that does not belong to these modules."""
    frame = sys._getframe()  # pyright: ignore[reportPrivateUsage]  # inspect.stack reads every file
    while frame and frame.f_globals.get("__name__", "").startswith("assetflow.definitions."):
        frame = frame.f_back
    return SourceLocation(_shown_path(frame.f_code.co_filename), frame.f_lineno) if frame else None


def _shown_path(path: str) -> str:
    try:
        inside = os.getcwd() + os.sep
    except OSError:
        return path
    return path.removeprefix(inside)
