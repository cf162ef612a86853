"""Whether a plain value is of the type that an annotation names."""

from __future__ import annotations

import sys
from types import UnionType
from typing import Any, Literal, NewType, TypeVar, Union, cast, get_args, get_origin, is_typeddict

_NUMPY_KINDS = frozenset("biufU")  # bool, integers, float, text; not times and not complex numbers


def matches(kind: object, value: object) -> bool:
    """Whether ``value`` is of type ``kind``, looking at containers only from outside; an int is fine for a float.

    >>> matches(dict[str, int], {"a": "b"}), matches(float, 1), matches(int | None, "x")
    (True, True, False)
    """
    if kind is None:
        return value is None
    if kind is Any or isinstance(kind, TypeVar):
        return True
    if isinstance(kind, NewType):
        return matches(kind.__supertype__, value)
    origin = get_origin(kind) or kind
    if origin in (Union, UnionType):
        return any(matches(each, value) for each in get_args(kind))
    if origin is Literal:
        return value in get_args(kind)
    if is_typeddict(origin):
        return isinstance(value, dict)
    if not isinstance(origin, type):
        return True
    if origin is float and type(value) is int:
        return True
    try:
        return isinstance(value, origin)
    except TypeError:  # a protocol that cannot be asked
        return True


def without_numpy(value: object) -> object:
    """Plain numbers and texts instead of numpy's, also inside lists and dicts: what JSON can hold.

    >>> import numpy as np
    >>> without_numpy({"mean": np.float64(1.5), "days": [np.int64(3)]})
    {'mean': 1.5, 'days': [3]}
    """
    numpy = sys.modules.get("numpy")
    return _without(value, cast("type", numpy.generic), 0) if numpy is not None else value


def _without(value: object, generic: type, depth: int) -> object:
    if isinstance(value, generic):
        scalar: Any = value
        item = scalar.item() if scalar.dtype.kind in _NUMPY_KINDS else value
        return item if type(item) in (bool, int, float, str) else value
    if depth > 100:
        return value
    if type(value) is list:
        items = cast("list[object]", value)
        changed = [_without(item, generic, depth + 1) for item in items]
        return changed if any(new is not old for new, old in zip(changed, items, strict=True)) else items
    if type(value) is dict:
        entries = cast("dict[object, object]", value)
        renewed = {key: _without(item, generic, depth + 1) for key, item in entries.items()}
        return renewed if any(renewed[key] is not item for key, item in entries.items()) else entries
    return value
