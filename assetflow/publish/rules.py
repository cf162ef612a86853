"""Whether the values of one column satisfy its ``Field``: bounds, allowed values, patterns, uniqueness."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from assetflow.definitions.schema import FieldRules

_BOUNDS = (
    ("ge", "greater_equal", "below"),
    ("gt", "greater", "not above"),
    ("le", "less_equal", "above"),
    ("lt", "less", "not below"),
)


def rule_problems(array: Any, rules: FieldRules) -> list[str]:
    """What is wrong with a ``pyarrow.ChunkedArray``, with the number of offending values and the first of them.

    Nulls satisfy every rule, NaN no bound.

    >>> import pyarrow as pa
    >>> rule_problems(pa.chunked_array([[7, -1, None, -2]]), FieldRules(ge=0))
    ['2 of 4 values are below ge=0; first -1 in row 1']
    """
    import pyarrow as pa

    compute = _compute()

    if isinstance(array.type, pa.DictionaryType):
        array = array.cast(array.type.value_type)
    problems: list[str] = []
    for name, function, wrong in _BOUNDS:
        bound = getattr(rules, name)
        if bound is None:
            continue
        try:
            limit = _limit(array.type, name, bound)
            inside = compute.call_function(function, [array, limit])
        except (pa.ArrowException, OverflowError) as error:
            problems.append(f"{name}={bound!r} cannot be compared with {array.type}: {error}")
            continue
        problems += _offending(array, compute.invert(inside), f"are {wrong} {name}={bound!r}")
    if rules.isin is not None:
        allowed = compute.is_in(array, value_set=_values(array.type, rules.isin))
        problems += _offending(array, compute.invert(allowed), f"are not among isin={list(rules.isin)!r}")
    if rules.pattern is not None:
        expression = re.compile(rules.pattern)
        texts: list[str] = compute.unique(array.drop_null()).to_pylist()
        wrong_texts: list[str] = [text for text in texts if not expression.fullmatch(text)]
        unmatched = compute.is_in(array, value_set=pa.array(wrong_texts, array.type))
        problems += _offending(array, unmatched, f"do not match pattern={rules.pattern!r}")
    return problems + (_repeated(array) if rules.unique else [])


def _limit(kind: Any, name: str, bound: Any) -> Any:
    import pyarrow as pa

    if isinstance(bound, float) and math.isfinite(bound) and pa.types.is_integer(kind):
        # Compared as floats, large integers would be rounded.
        return pa.scalar(math.ceil(bound) if name in ("ge", "lt") else math.floor(bound))
    return pa.scalar(bound)


def _values(kind: Any, values: Iterable[Any]) -> Any:
    import pyarrow as pa

    arrow: Any = pa
    possible: list[object] = []
    for value in values:
        try:
            possible.append(arrow.scalar(value).cast(kind).as_py())
        except pa.ArrowException:
            continue  # no value of this type equals it
    return arrow.array(possible, kind)


def _offending(array: Any, wrong: Any, text: str) -> list[str]:

    compute = _compute()

    wrong = compute.and_(compute.fill_null(wrong, False), array.is_valid())
    count: int | None = compute.sum(wrong).as_py()
    if not count:
        return []
    first: int = compute.index(wrong, True).as_py()
    if count == 1:
        text = text.replace("are ", "is ", 1) if text.startswith("are ") else text.replace("do not", "does not", 1)
    return [f"{count} of {len(array)} values {text}; first {_short(array[first].as_py())} in row {first}"]


def _repeated(array: Any) -> list[str]:
    import pyarrow as pa

    compute = _compute()

    present = array.drop_null()
    try:
        counts = compute.value_counts(present)
        many = compute.greater(counts.field("counts"), 1)
        repeated: list[object] = counts.field("values").filter(many).to_pylist()
    except pa.ArrowNotImplementedError:  # lists and structs
        values: dict[str, object] = {repr(value): value for value in present.to_pylist()}
        tally = Counter(repr(value) for value in present.to_pylist())
        repeated = [value for text, value in values.items() if tally[text] > 1]
    if not repeated:
        return []
    verb = "value occurs" if len(repeated) == 1 else "values occur"
    return [f"unique=True, and {len(repeated)} {verb} more than once; first {_short(repeated[0])}"]


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _compute() -> Any:
    # Without types: those of the stubs fit few of its functions.
    from pyarrow import compute

    return compute
