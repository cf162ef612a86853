"""Splitting what one call returned for several partitions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from assetflow.definitions.annotations import ANY, Arrival, type_text
from assetflow.definitions.values import NO_DATA
from assetflow.errors import OutputError
from assetflow.io import arrow_table, mark_native, table_types
from assetflow.keys import AssetKey, format_address
from assetflow.publish.loading import BATCH_COLUMN
from assetflow.publish.matching import matches, without_numpy
from assetflow.publish.values import BATCH_PIECE

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class SplitBatch:
    """The value of each partition, and the error of each that the call left out; ``returns`` holds for each value."""

    values: Mapping[str, object]
    missing: Mapping[str, OutputError]
    returns: Arrival


def split_batch(value: object, keys: Sequence[str], column: str, returns: Arrival, asset: AssetKey) -> SplitBatch:
    """Split a batch's ``dict`` by partition key, or its table by ``column``, which is dropped, as is ``_partition``.

    ``NO_DATA`` stands for all partitions. Raises OutputError, which fails the whole call, for keys that were not asked
    for, and for what is neither a dict nor a table.

    >>> split = split_batch({"a": 1}, ["a", "b"], "partition", ANY, AssetKey("counts"))
    >>> split.values, [str(error.message) for error in split.missing.values()]
    ({'a': 1}, ['counts@b: the batch returned nothing for this partition'])
    """
    if value is NO_DATA or (value is None and returns.container == "none"):
        return SplitBatch(dict.fromkeys(keys, value), {}, returns)
    if isinstance(value, table_types()):
        values, each = _from_table(value, column, returns, asset)
    elif isinstance(value, Mapping):
        values, each = _from_dict(cast("Mapping[object, object]", value), returns, asset)
    else:
        raise OutputError(
            f"{asset}: a batch returned a {type(value).__qualname__}",
            hint=f"return a dict by partition key, or one table with the column {column!r}",
        )
    extra = [key for key in values if key not in set(keys)]
    if extra:
        raise OutputError(
            f"{asset}: the batch returned {len(extra)} partition(s) that were not asked for, such as {extra[0]!r}",
            hint="return only the keys in context.partition_keys",
        )
    missing = {
        key: OutputError(
            f"{format_address(asset, key)}: the batch returned nothing for this partition",
            hint="return NO_DATA for a partition without data",
        )
        for key in keys
        if key not in values
    }
    return SplitBatch(values, missing, each)


def _from_dict(value: Mapping[object, object], returns: Arrival, asset: AssetKey) -> tuple[dict[str, object], Arrival]:
    if returns.container == "one" and returns.is_table:
        raise _wrong_type(value, returns, asset)
    values: dict[str, object] = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise OutputError(
                f"{asset}: the batch returned a dict with the key {key!r}, a {type(key).__name__}",
                hint="the keys are partition keys, which are text: those in context.partition_keys",
            )
        values[key] = _without(item, BATCH_COLUMN)
    if returns.container != "dict":
        return values, replace(ANY, schema=returns.schema)
    return values, replace(returns, container="any" if returns.type == "any" else "one")


def _from_table(value: object, column: str, returns: Arrival, asset: AssetKey) -> tuple[dict[str, object], Arrival]:
    if returns.container == "dict" or not (returns.python is None or matches(returns.python, value)):
        raise _wrong_type(value, returns, asset)
    if type(value).__name__ == "DataFrame":
        frame = cast("pd.DataFrame", value)
        _require_column(column, list(map(str, frame.columns)), asset)
        labels: Any = frame[column]
        if labels.isna().any():
            raise _without_key(column, asset)
        codes, uniques = labels.factorize()
        rest: Any = frame.drop(columns=[name for name in (column, BATCH_COLUMN) if name in frame.columns])
        ordered = rest.take(np.argsort(codes, kind="stable"))
        pieces = {_key(uniques[code], column, asset): ordered.iloc[start:stop] for code, start, stop in _runs(codes)}
        return pieces, returns
    return _from_arrow(value, column, returns, asset)


def _from_arrow(value: object, column: str, returns: Arrival, asset: AssetKey) -> tuple[dict[str, object], Arrival]:
    table: Any = mark_native(arrow_table(value, asset), None)
    _require_column(column, table.column_names, asset)
    labels = table.column(column)
    if labels.null_count:
        raise _without_key(column, asset)
    encoded = labels.unify_dictionaries() if hasattr(labels.type, "index_type") else labels.dictionary_encode()
    encoded = encoded.combine_chunks()
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    uniques = encoded.dictionary.to_pylist()
    rest = table.drop_columns([name for name in (column, BATCH_COLUMN) if name in table.column_names])
    order = b"unordered" if type(value).__name__ == "DuckDBPyRelation" else b"ordered"
    rest = rest.replace_schema_metadata({**(rest.schema.metadata or {}), BATCH_PIECE: order})
    ordered = rest.take(np.argsort(codes, kind="stable"))
    pieces = {
        _key(uniques[code], column, asset): ordered.slice(start, stop - start) for code, start, stop in _runs(codes)
    }
    return pieces, replace(ANY, schema=returns.schema)


def _runs(codes: Any) -> Iterator[tuple[int, int, int]]:
    """Each code that occurs, and where its rows begin and end once they are sorted by code."""
    found, counts = np.unique(codes, return_counts=True)
    stops = np.cumsum(counts)
    return zip(found.tolist(), (stops - counts).tolist(), stops.tolist(), strict=True)


def _key(label: object, column: str, asset: AssetKey) -> str:
    if isinstance(label, str):
        return str(label)
    if isinstance(label, date) and not isinstance(label, datetime):
        return label.isoformat()
    if type(without_numpy(label)) is int:
        return str(label)
    raise OutputError(
        f"{asset}: the column {column!r} holds {label!r}, a {type(label).__name__}, and partition keys are text",
        hint="fill it with the keys in context.partition_keys",
    )


def _without(item: object, column: str) -> object:
    if not isinstance(item, table_types()):
        return item
    if type(item).__name__ == "DataFrame":
        frame = cast("pd.DataFrame", item)
        return frame.drop(columns=[column]) if column in frame.columns else frame
    table: Any = item
    if hasattr(table, "drop_columns") and column in table.column_names:
        return table.drop_columns([column])
    if type(item).__name__ == "DuckDBPyRelation" and column in table.columns:
        return table.select(*(f'"{name.replace(chr(34), chr(34) * 2)}"' for name in table.columns if name != column))
    return item


def _require_column(column: str, names: Sequence[str], asset: AssetKey) -> None:
    if column not in names:
        carried = f', or declare Batch(column="{BATCH_COLUMN}")' if BATCH_COLUMN in names else ""
        raise OutputError(
            f"{asset}: the table of a batch has no column {column!r}; it has {', '.join(names) or 'none'}",
            hint=f"add the partition key of each row as {column!r}{carried}",
        )


def _without_key(column: str, asset: AssetKey) -> OutputError:
    return OutputError(
        f"{asset}: the column {column!r} of a batch's table has nulls, so rows belong to no partition",
        hint="fill it with the keys in context.partition_keys",
    )


def _wrong_type(value: object, returns: Arrival, asset: AssetKey) -> OutputError:
    each = type_text(returns.python) if returns.python is not None else "its values"
    expected = f"a dict of {each}" if returns.container == "dict" else each
    return OutputError(
        f"{asset}: a batch returned a {type(value).__qualname__}, but its annotation says {expected}",
        hint="mend the function or its return annotation",
    )
