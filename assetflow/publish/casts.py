"""Which Arrow types may become which others without losing anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


def castable(source: pa.DataType, target: pa.DataType, *, whole_floats: bool = False, midnights: bool = False) -> bool:
    """Whether a checked cast from ``source`` to ``target`` is either lossless or refused for its values.

    ``whole_floats`` allows floats to become integers, and ``midnights`` timestamps to become dates: what pandas makes
    of integers with gaps, and of dates.

    >>> import pyarrow as pa
    >>> castable(pa.int32(), pa.int64()), castable(pa.string(), pa.int64())
    (True, False)
    """
    import pyarrow as pa

    types = pa.types
    if source == target or types.is_null(source):
        return True
    if isinstance(source, pa.DictionaryType):
        return castable(_inner(source), target)
    if isinstance(target, pa.DictionaryType):
        return castable(source, _inner(target))
    if types.is_integer(source):
        return types.is_integer(target) or types.is_floating(target) or types.is_decimal(target)
    if types.is_floating(source):
        if types.is_floating(target):
            return source.bit_width <= target.bit_width
        return whole_floats and types.is_integer(target)
    if isinstance(source, pa.TimestampType):
        if isinstance(target, pa.TimestampType):
            return (source.tz is None) == (target.tz is None)
        return midnights and source.tz is None and types.is_date(target)
    if _is_list(source):
        return _is_list(target) and castable(_inner(source), _inner(target))
    if isinstance(source, pa.StructType):
        return isinstance(target, pa.StructType) and _fields_castable(source, target)
    return _family(source) is not None and _family(source) == _family(target)


def _inner(nested: Any) -> pa.DataType:
    return nested.value_type


def _is_list(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return isinstance(
        kind, pa.ListType | pa.LargeListType | pa.ListViewType | pa.LargeListViewType | pa.FixedSizeListType
    )


def _fields_castable(source: Any, target: Any) -> bool:
    return source.names == target.names and all(
        castable(ours.type, theirs.type) for ours, theirs in zip(source.fields, target.fields, strict=True)
    )


def _family(kind: pa.DataType) -> str | None:
    from pyarrow import types

    families = {
        "text": (types.is_string, types.is_large_string, types.is_string_view),
        "bytes": (types.is_binary, types.is_large_binary, types.is_binary_view, types.is_fixed_size_binary),
        "decimal": (types.is_decimal,),
        "date": (types.is_date,),
        "time": (types.is_time,),
        "duration": (types.is_duration,),
    }
    return next((name for name, tests in families.items() if any(test(kind) for test in tests)), None)
