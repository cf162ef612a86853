"""The content hash of a table as a multiset of rows: their order does not count, how often each occurs does.

Each row gets two 64-bit hashes, computed column by column for many rows at once; their sums and the count are
what is hashed in the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as pt
from blake3 import blake3

from assetflow.fingerprint.columns import (
    Array,
    fixed_width,
    is_binary,
    is_list,
    is_text,
    list_lengths,
    list_values,
    plain,
    struct_children,
    texts,
    type_name,
    valid,
)

Words = npt.NDArray[np.uint64]

_BATCH = 1 << 17
_SEEDS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F], np.uint64)
_NULL = np.array([0x8F14E45FCEEA167A, 0x1D8E4E27C47D124F], np.uint64)


def rows_digest(columns: Sequence[tuple[str, pa.ChunkedArray[Any]]], rows: int, decimals: Mapping[str, int]) -> str:
    """32 hex digits for the rows of the columns in any order, with the columns' names, order and types."""
    total = np.zeros(2, np.uint64)
    names = [name for name, _ in columns]
    table = pa.table([column for _, column in columns], names=names)
    for batch in table.to_batches(max_chunksize=_BATCH):
        arrays = cast("Iterable[Array]", batch.columns)
        hashes = [_hashes(array, decimals.get(name), name) for name, array in zip(names, arrays, strict=True)]
        total += _combined(hashes, len(batch)).sum(axis=1, dtype=np.uint64)
    state = blake3(f"rows {rows} {[(name, type_name(column.type)) for name, column in columns]}".encode())
    state.update(total.tobytes())
    return state.hexdigest(length=16)


def _hashes(array: Array, decimals: int | None, name: str) -> Words:
    """Two hashes per value, shape ``(2, len(array))``."""
    array = plain(array)
    kind = array.type
    if pt.is_null(kind):
        return np.repeat(_NULL[:, None], len(array), axis=1)
    if is_text(kind) or is_binary(kind):
        found = _text_hashes(array)
    elif is_list(kind):
        found = _list_hashes(array, decimals, name)
    elif pt.is_struct(kind):
        children = [_hashes(child, decimals, name) for child in struct_children(array)]
        found = _combined(children, len(array))
    else:
        found = _fixed_hashes(fixed_width(array, decimals, name))
    if array.null_count:
        found = np.where(valid(array), found, _NULL[:, None])
    return found


def _fixed_hashes(rows: npt.NDArray[np.uint8]) -> Words:
    count, width = rows.shape
    words = -(-width // 8)
    if width in (1, 2, 4, 8):
        wide = np.ascontiguousarray(rows).view(f"u{width}").astype(np.uint64)
    else:
        padded = np.zeros((count, words * 8), np.uint8)
        padded[:, :width] = rows
        wide = padded.view(np.uint64)
    found = np.repeat(_SEEDS[:, None], count, axis=1)
    for word in range(words):
        found = _mixed(found ^ wide[:, word])
    return found


def _text_hashes(array: Array) -> Words:
    encoded = array.dictionary_encode()
    lengths, data = texts(encoded.dictionary)
    if not len(lengths):
        return np.repeat(_NULL[:, None], len(array), axis=1)
    ends = np.cumsum(lengths).tolist()
    view = np.ascontiguousarray(data).data
    digests = b"".join(
        blake3(view[start:end]).digest(length=16) for start, end in zip([0, *ends[:-1]], ends, strict=True)
    )
    by_value = np.frombuffer(digests, np.uint64).reshape(-1, 2).T
    indices = encoded.indices.fill_null(0).to_numpy(zero_copy_only=False)
    return by_value[:, indices]


def _list_hashes(array: Array, decimals: int | None, name: str) -> Words:
    lengths = list_lengths(array)
    ends = np.cumsum(lengths)
    starts = ends - lengths
    values = _hashes(list_values(array), decimals, name)
    position = np.arange(values.shape[1], dtype=np.uint64) - np.repeat(starts.astype(np.uint64), lengths)
    placed = _mixed(values + _mixed(position ^ _SEEDS[0]))
    sums = np.zeros((2, values.shape[1] + 1), np.uint64)
    np.cumsum(placed, axis=1, out=sums[:, 1:])
    return _mixed((sums[:, ends] - sums[:, starts]) ^ _mixed(lengths.astype(np.uint64) ^ _SEEDS[1]))


def _combined(columns: Sequence[Words], count: int) -> Words:
    """The hashes of rows from those of their values, column by column."""
    found = np.repeat(_SEEDS[:, None], count, axis=1)
    for column in columns:
        found = _mixed(found * np.uint64(0x100000001B3) + column)
    return found


def _mixed(words: Words) -> Words:
    """The finaliser of splitmix64: every bit of the input reaches every bit of the result."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
