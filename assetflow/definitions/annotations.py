"""What the annotations of a function say: in which form a value arrives, or is returned.

The tables of pandas, pyarrow and duckdb are recognised by module and name, so that none of them is imported here.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import FunctionType, NoneType, UnionType
from typing import Annotated, Any, ForwardRef, Literal, NewType, TypeVar, Union, get_args, get_origin

from assetflow.definitions.functions import underlying
from assetflow.definitions.schema import Schema, is_schema
from assetflow.definitions.values import NoData
from assetflow.errors import DefinitionError

Container = Literal["one", "dict", "paths", "none", "any"]
TypeTag = Literal["pandas", "arrow", "dataset", "duckdb", "value", "any"]

_TABLES: Mapping[tuple[str, str], TypeTag] = {
    ("pandas", "DataFrame"): "pandas",
    ("pyarrow", "Table"): "arrow",
    ("pyarrow", "Dataset"): "dataset",
    ("duckdb", "DuckDBPyRelation"): "duckdb",
}
_MISSING = object()
_MOST_LAYERS = 64


@dataclass(frozen=True, slots=True)
class Arrival:
    """In which form a value arrives in a parameter, or leaves by ``return``.

    ``container``: ``"one"`` value for all partitions, a ``"dict"`` of them by partition key, the ``"paths"`` of their
    files, ``"none"`` (no value at all), or ``"any"`` (nothing is said). ``type`` and ``python`` are those of the value,
    inside a dict those of each; ``python`` is None where nothing is said.
    """

    container: Container
    type: TypeTag
    python: Any = None
    schema: type[Schema] | None = None

    @property
    def is_table(self) -> bool:
        """Whether the value is a table for certain."""
        return self.type in ("pandas", "arrow", "dataset", "duckdb")

    def __str__(self) -> str:
        """A stable text of what counts for the code version: ``one:pandas``, ``dict:value:int``."""
        return f"{self.container}:{self.type}:{type_text(self.python)}" if self.type == "value" else self._short()

    def _short(self) -> str:
        return self.container if self.container in ("any", "none", "paths") else f"{self.container}:{self.type}"


ANY = Arrival("any", "any")
NOTHING = Arrival("none", "any")
PATHS = Arrival("paths", "any")


class Annotations:
    """The annotations of one function, evaluated one by one as they are asked for."""

    __slots__ = ("_function", "_unreadable", "_written")

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = underlying(function)
        self._written: Mapping[str, object] = {}
        self._unreadable: DefinitionError | None = None
        try:
            if isinstance(self._function, FunctionType):
                self._written = self._function.__annotations__
        except Exception as error:  # evaluated only now since Python 3.14, and may raise anything
            self._unreadable = _unreadable("the annotations", error)

    def parameter(self, name: str) -> Arrival:
        """How the value of a parameter arrives. Raises DefinitionError.

        >>> def total(orders: dict[str, int]): ...
        >>> str(Annotations(total).parameter("orders"))
        'dict:value:int'
        """
        try:
            annotation = self._annotation(name)
            return ANY if annotation is _MISSING else self._arriving(annotation)
        except DefinitionError as error:
            raise DefinitionError(f"parameter {name!r}: {error.message}", hint=error.hint) from None

    def returns(self, *, batch: bool = False) -> Arrival:
        """What is returned; in a ``batch``, ``dict[str, T]`` holds one T per partition. Raises DefinitionError.

        >>> def total() -> dict[str, int]: ...
        >>> str(Annotations(total).returns()), str(Annotations(total).returns(batch=True))
        ('one:value:dict[str, int]', 'dict:value:int')
        """
        try:
            annotation = self._annotation("return")
            return ANY if annotation is _MISSING else self._returned(annotation, batch=batch)
        except DefinitionError as error:
            raise DefinitionError(f"return annotation: {error.message}", hint=error.hint) from None

    def returned_outputs(self, names: Sequence[str], *, batch: bool = False) -> tuple[Arrival, ...]:
        """What each output of a multi-asset is: from ``dict[str, T]`` or ``tuple[T, U]``. Raises DefinitionError.

        >>> def both() -> tuple[int, str]: ...
        >>> [str(output) for output in Annotations(both).returned_outputs(["a", "b"])]
        ['one:value:int', 'one:value:str']
        """
        try:
            annotation = self._annotation("return")
            return (ANY,) * len(names) if annotation is _MISSING else self._outputs(annotation, names, batch=batch)
        except DefinitionError as error:
            raise DefinitionError(f"return annotation: {error.message}", hint=error.hint) from None

    def _annotation(self, name: str) -> object:
        if self._unreadable:
            raise self._unreadable
        return self._written.get(name, _MISSING)

    def _outputs(self, annotation: object, names: Sequence[str], *, batch: bool) -> tuple[Arrival, ...]:
        kind, _ = self._bare(annotation)
        origin, inner = get_origin(kind), get_args(kind)
        if kind is Any or kind is object or kind is dict or kind is tuple:
            return (ANY,) * len(names)
        if kind in (None, NoneType):
            return (NOTHING,) * len(names)
        if origin in (dict, Mapping) and len(inner) == 2:
            return (self._returned(inner[1], batch=batch),) * len(names)
        if origin is tuple:
            each = inner[:1] * len(names) if len(inner) == 2 and inner[1] is Ellipsis else inner
            if len(each) == len(names):
                return tuple(self._returned(output, batch=batch) for output in each)
        raise DefinitionError(
            f"{type_text(kind)} is not what several outputs are returned as",
            hint=f"return a dict by name or a tuple in order, of {len(names)}: {', '.join(names)}",
        )

    def _arriving(self, annotation: object) -> Arrival:
        kind, schema = self._bare(annotation)
        if schema:
            raise DefinitionError(
                "a schema for what arrives is not supported yet by this version",
                hint="give the schema to the asset that returns it",
            )
        if kind in (None, NoneType):
            raise DefinitionError("nothing can arrive as None", hint="annotate the type, or name the asset in deps=")
        if kind is Path:
            raise DefinitionError("a version may have several files", hint="annotate list[Path]")
        origin, inner = get_origin(kind), get_args(kind)
        if origin in (list, Sequence) and self._bare(inner[0])[0] is Path:
            return PATHS
        if origin not in (dict, Mapping) or len(inner) != 2 or self._bare(inner[0])[0] is not str:
            return _plain(kind)
        each = self._arriving(inner[1])
        if each.container == "paths":
            raise DefinitionError("paths by partition key are not supported", hint="annotate list[Path]")
        if each.container == "dict":
            return Arrival("dict", "value", self._bare(inner[1])[0])
        return replace(each, container="dict")

    def _returned(self, annotation: object, *, batch: bool) -> Arrival:
        kind, schema = self._bare(annotation)
        if kind in (None, NoneType):
            return NOTHING
        inner = get_args(kind)
        if batch and get_origin(kind) in (dict, Mapping) and len(inner) == 2:
            each = self._returned(inner[1], batch=False)
            return replace(each, container="dict", schema=each.schema or schema)
        return replace(_plain(kind), schema=schema)

    def _bare(self, annotation: object) -> tuple[object, type[Schema] | None]:
        """The annotation evaluated, without ``Annotated``, ``| None`` and aliases; and the schema that it carried."""
        schema: type[Schema] | None = None
        for _ in range(_MOST_LAYERS):
            if isinstance(annotation, str | ForwardRef):
                annotation = self._evaluated(annotation)
                continue
            if type(annotation) is type:
                return annotation, schema
            origin = get_origin(annotation)
            if origin is Annotated:
                annotation, *notes = get_args(annotation)
                carried = [self._evaluated(note) if isinstance(note, ForwardRef) else note for note in notes]
                schema = next(filter(is_schema, carried), schema)
            elif origin in (Union, UnionType):
                rest = [each for each in get_args(annotation) if each not in (NoneType, NoData)]
                if len(rest) != 1:
                    return annotation, schema
                annotation = rest[0]
            elif isinstance(annotation, NewType):
                annotation = annotation.__supertype__
            elif type(annotation).__name__ == "TypeAliasType":
                annotation = getattr(annotation, "__value__")  # noqa: B009  # the type is newer than Python 3.11
            else:
                return annotation, schema
        raise DefinitionError(f"{type_text(annotation)} has no end", hint="annotate a type that does not name itself")

    def _evaluated(self, written: str | ForwardRef) -> object:
        text = written if isinstance(written, str) else written.__forward_arg__
        function = self._function
        names = function.__globals__ if isinstance(function, FunctionType) else {}
        first, *rest = text.split(".")
        enclosing = _enclosing(function)
        # Most annotations are dotted names, which are ten times quicker to follow than to compile.
        found = _MISSING if first in enclosing else names.get(first, getattr(builtins, first, _MISSING))
        for name in rest:
            found = getattr(found, name, _MISSING)
        if found is not _MISSING:
            return found
        try:
            return eval(text, names, enclosing)
        except Exception as error:  # an annotation is an expression of the user's and may raise anything
            raise _unreadable(repr(text), error) from None


def _unreadable(what: str, error: Exception) -> DefinitionError:
    return DefinitionError(
        f"{what} cannot be read ({type(error).__name__}: {error})",
        hint="import what it names at the top of the module, not under TYPE_CHECKING",
    )


def _enclosing(function: object) -> dict[str, object]:
    if not isinstance(function, FunctionType) or not function.__closure__:
        return {}
    cells = zip(function.__code__.co_freevars, function.__closure__, strict=True)
    return {name: cell.cell_contents for name, cell in cells if cell != type(cell)()}


def _plain(kind: object) -> Arrival:
    if kind is Any or kind is object or isinstance(kind, TypeVar):
        return ANY
    if isinstance(kind, type):
        library = kind.__module__.partition(".")[0].lstrip("_")
        return Arrival("one", _TABLES.get((library, kind.__qualname__), "value"), kind)
    return Arrival("one", "value", kind)


def type_text(kind: object) -> str:
    """A type as a stable text, the same on every Python: ``int``, ``shop.models.Order``, ``dict[str, int]``.

    >>> type_text(dict[str, list[Path]]), type_text(int | None)
    ('dict[str, list[pathlib.Path]]', 'int | None')
    """
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return " | ".join(type_text(each) for each in get_args(kind))
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, get_args(kind)))}]"
    if origin is not None:
        return f"{type_text(origin)}[{', '.join(type_text(each) for each in get_args(kind))}]"
    if kind is NoneType or kind is None:
        return "None"
    if kind is Path:
        return "pathlib.Path"
    if isinstance(kind, type):
        return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return "..." if kind is Ellipsis else str(kind)
