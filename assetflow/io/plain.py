"""Plain values: what JSON gives back exactly as it was."""

from __future__ import annotations

from typing import cast

_JSON_DEPTH = 100


def json_problem(value: object) -> str | None:
    """What keeps ``value`` from coming back from JSON exactly as it is, or None.

    >>> json_problem({"a": [1, 2.5, None, "x"]})
    >>> json_problem({"a": [(1, 2)]})
    "['a'][0] is a tuple"
    """
    return _json_problem(value, "", 0)


def _json_problem(value: object, path: str, depth: int) -> str | None:
    # Exact types: a subclass (an enum, a numpy float, an OrderedDict) would come back as the plain type.
    kind = type(value)
    if kind is bool or kind is float or value is None:
        return None
    if kind is int:
        # Python refuses to read integers of more than 4,300 digits.
        return f"{path or 'it'} is too long an integer" if abs(cast("int", value)) >> 14_000 else None
    if kind is str:
        try:
            cast("str", value).encode()
        except UnicodeEncodeError:
            return f"{path or 'it'} is a text with half a surrogate pair"
        return None
    if depth == _JSON_DEPTH:
        return f"{path[:40]}... is nested more than {_JSON_DEPTH} levels deep"
    if kind is list:
        inside = (_json_problem(item, f"{path}[{i}]", depth + 1) for i, item in enumerate(cast("list[object]", value)))
        return next((problem for problem in inside if problem), None)
    if kind is dict:
        entries = cast("dict[object, object]", value)
        for key, item in entries.items():
            if type(key) is not str:
                return f"{path or 'it'} has the key {key!r}, a {type(key).__name__}"
            problem = _json_problem(key, f"the key {key!r} of {path or 'it'}", depth) or _json_problem(
                item, f"{path}[{key!r}]", depth + 1
            )
            if problem:
                return problem
        return None
    return f"{path or 'it'} is a {kind.__name__}"
