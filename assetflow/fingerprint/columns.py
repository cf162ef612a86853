"""Arrow arrays without their accidents: the same values give the same bytes, however they are laid out.

What does not count: chunks, slices, bits beneath nulls, the sign of zero, the kind of NaN, dictionary and run-end
encoding, views, and 32 or 64 bits for the offsets of texts and lists.
"""

from __future__ import annotations

from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from assetflow.errors import OutputError

# pyarrow describes neither its nested types nor its buffers well enough for a type checker.
Array: TypeAlias = Any
DataType: TypeAlias = Any
Bytes: TypeAlias = npt.NDArray[np.uint8]


def type_name(kind: DataType) -> str:
    """The canonical name of a type; equal for types that differ in layout alone.

    >>> type_name(pa.dictionary(pa.int8(), pa.large_string())), type_name(pa.list_(pa.timestamp("us", "UTC")))
    ('string', 'list<timestamp[us, tz=UTC]>')
    """
    if isinstance(kind, (pa.DictionaryType, pa.RunEndEncodedType)):
        return type_name(kind.value_type)
    if isinstance(kind, pa.BaseExtensionType):
        return f"{kind.extension_name}<{type_name(kind.storage_type)}>"
    if is_text(kind):
        return "string"
    if is_binary(kind):
        return "binary"
    if isinstance(kind, pa.MapType):
        return f"map<{type_name(kind.key_type)}, {type_name(kind.item_type)}>"
    if isinstance(kind, pa.FixedSizeListType):
        return f"list[{kind.list_size}]<{type_name(kind.value_type)}>"
    if is_list(kind):
        return f"list<{type_name(kind.value_type)}>"
    if isinstance(kind, pa.StructType):
        fields = (f"{kind.field(i).name!r}: {type_name(kind.field(i).type)}" for i in range(kind.num_fields))
        return f"struct<{', '.join(fields)}>"
    return str(kind)


def plain(array: Array) -> Array:
    """The array with encodings undone, views copied out and extension types as what they are stored in."""
    kind = array.type
    if isinstance(array, pa.ExtensionArray):
        return plain(array.storage)
    if isinstance(array, pa.DictionaryArray):
        return plain(array.dictionary_decode())
    if isinstance(kind, pa.RunEndEncodedType):
        return plain(cast("Any", pc).run_end_decode(array))
    if pt.is_map(kind):
        pairs = pa.struct([pa.field("key", kind.key_type), pa.field("value", kind.item_type)])
        return array.cast(pa.list_(pairs))
    if pt.is_string_view(kind):
        return array.cast(pa.large_string())
    if pt.is_binary_view(kind):
        return array.cast(pa.large_binary())
    return array


def is_text(kind: DataType) -> bool:
    """Whether values are texts, whatever the width of their offsets."""
    return pt.is_string(kind) or pt.is_large_string(kind) or pt.is_string_view(kind)


def is_binary(kind: DataType) -> bool:
    """Whether values are byte strings of any length."""
    return pt.is_binary(kind) or pt.is_large_binary(kind) or pt.is_binary_view(kind)


def is_list(kind: DataType) -> bool:
    """Whether values are lists of any kind; a map, once plain, is one."""
    return (
        pt.is_list(kind)
        or pt.is_large_list(kind)
        or pt.is_fixed_size_list(kind)
        or pt.is_list_view(kind)
        or pt.is_large_list_view(kind)
    )


def valid(array: Array) -> npt.NDArray[np.bool_]:
    """Which values are not null."""
    if not array.null_count:
        return np.ones(len(array), np.bool_)
    return array.is_valid().to_numpy(zero_copy_only=False)


def fixed_width(array: Array, decimals: int | None, column: str) -> Bytes:
    """The values of a type of fixed width as bytes, one row each: nulls as zeros, floats canonical.

    ``decimals`` rounds floats. Raises OutputError for a type that has no canonical form.
    """
    kind = array.type
    if pt.is_boolean(kind):
        values = array.fill_null(False) if array.null_count else array
        return values.to_numpy(zero_copy_only=False).view(np.uint8).reshape(-1, 1)
    try:
        width = kind.byte_width
    except ValueError:
        raise OutputError(
            f"column {column!r} has the type {kind}, which has no content hash",
            hint='store it as another type, or declare hashing="none"',
        ) from None
    values = _bytes(array.buffers()[1])[array.offset * width : (array.offset + len(array)) * width]
    if pt.is_floating(kind):
        values = canonical_floats(values.view(f"f{width}"), decimals).view(np.uint8)
    if not array.null_count:
        return values.reshape(len(array), width)
    if width in (1, 2, 4, 8):
        whole = np.where(valid(array), values.view(f"u{width}"), np.array(0, f"u{width}"))
        return whole.view(np.uint8).reshape(len(array), width)
    return np.where(valid(array)[:, None], values.reshape(len(array), width), np.uint8(0))


def canonical_floats(values: npt.NDArray[np.floating[Any]], decimals: int | None) -> npt.NDArray[np.floating[Any]]:
    """The values with one zero and one NaN, rounded if ``decimals`` is given."""
    if decimals is not None:
        with np.errstate(over="ignore", invalid="ignore"):
            rounded = np.round(values, decimals)
        # Rounding a huge number overflows on the way.
        values = np.where(np.isfinite(rounded), rounded, values)
    values = values + values.dtype.type(0)
    broken = np.isnan(values)
    if broken.any():
        values[broken] = np.nan
    return values


def texts(array: Array) -> tuple[npt.NDArray[np.int64], Bytes]:
    """The length of each text or byte string (0 for null), and all their bytes in one piece."""
    if array.null_count:
        # Bytes may hide beneath a null.
        lengths = np.zeros(len(array), np.int64)
        inner, data = texts(array.drop_null())
        lengths[valid(array)] = inner
        return lengths, data
    wide = pt.is_large_string(array.type) or pt.is_large_binary(array.type)
    if not len(array):
        return np.zeros(len(array), np.int64), np.empty(0, np.uint8)
    dtype = np.dtype(np.int64 if wide else np.int32)
    _, offset_buffer, data_buffer = array.buffers()
    whole = _bytes(offset_buffer)
    usable = whole[: len(whole) // dtype.itemsize * dtype.itemsize].view(dtype)
    offsets = usable[array.offset : array.offset + len(array) + 1].astype(np.int64)
    return np.diff(offsets), _bytes(data_buffer)[offsets[0] : offsets[-1]]


def list_lengths(array: Array) -> npt.NDArray[np.int64]:
    """The length of each list, 0 for null."""
    lengths = cast("Any", pc).list_value_length(array).cast(pa.int64())
    return lengths.fill_null(0).to_numpy(zero_copy_only=False)


def list_values(array: Array) -> Array:
    """The values of all lists that are not null, in one array."""
    return (array.drop_null() if array.null_count else array).flatten()


def struct_children(array: Array) -> list[Array]:
    """The fields of a struct, each null where the struct is."""
    return array.flatten()


def _bytes(buffer: pa.Buffer | None) -> Bytes:
    return np.empty(0, np.uint8) if buffer is None else np.frombuffer(cast("Any", buffer), np.uint8)
