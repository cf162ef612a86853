"""The content hash of a table in which the order of rows counts: blake3 over its canonical columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
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

_BLOCK = 1 << 16


def ordered_digest(columns: Sequence[tuple[str, pa.ChunkedArray[Any]]], rows: int, decimals: Mapping[str, int]) -> str:
    """32 hex digits for the columns, in their order, with their names and types."""
    state = blake3(max_threads=blake3.AUTO)
    state.update(f"ordered {rows} {[(name, type_name(column.type)) for name, column in columns]}".encode())
    for name, column in columns:
        _column(state, [plain(chunk) for chunk in column.chunks], decimals.get(name), name)
    return state.hexdigest(length=16)


def _column(state: blake3, chunks: Sequence[Array], decimals: int | None, name: str) -> None:
    chunks = [chunk for chunk in chunks if len(chunk)]
    if not chunks or pt.is_null(chunks[0].type):
        return
    kind = chunks[0].type
    has_nulls = any(chunk.null_count for chunk in chunks)
    state.update(b"\1" if has_nulls else b"\0")
    if has_nulls:
        for chunk in chunks:
            _update(state, valid(chunk).view(np.uint8))
    if is_text(kind) or is_binary(kind):
        _texts(state, chunks)
    elif is_list(kind):
        for chunk in chunks:
            _update(state, list_lengths(chunk).view(np.uint8))
        _column(state, [plain(list_values(chunk)) for chunk in chunks], decimals, name)
    elif pt.is_struct(kind):
        for fields in zip(*map(struct_children, chunks), strict=True):
            _column(state, [plain(field) for field in fields], decimals, name)
    else:
        # Blocks that fit the processor's cache; whatever their size, the bytes are the same.
        for chunk in chunks:
            block = _BLOCK if chunk.null_count or pt.is_floating(kind) else len(chunk)
            for start in range(0, len(chunk), block):
                _update(state, fixed_width(chunk.slice(start, block), decimals, name))


def _texts(state: blake3, chunks: Sequence[Array]) -> None:
    found = [texts(chunk) for chunk in chunks]
    for lengths, _ in found:
        _update(state, lengths.view(np.uint8))
    for _, data in found:
        _update(state, data)


def _update(state: blake3, data: np.ndarray[Any, np.dtype[Any]]) -> None:
    if data.size:
        state.update(np.ascontiguousarray(data).reshape(-1).data)
