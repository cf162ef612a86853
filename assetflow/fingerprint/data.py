"""Data hashes: the same content gives the same hash, so that an unchanged output stops a rebuild."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal

from assetflow.errors import OutputError
from assetflow.fingerprint.values import encode
from assetflow.keys import DataHash

if TYPE_CHECKING:
    import pyarrow as pa

Hashing = Literal["ordered", "rows", "none"]

_UNNAMED_INDEX = re.compile(r"__index_level_\d+__")


def hash_table(
    table: pa.Table,
    mode: Hashing = "ordered",
    decimals: Mapping[str, int] | None = None,
    *,
    nonce: bytes = b"",
) -> DataHash:
    """The content hash of a table; metadata and unnamed pandas indexes do not count.

    ``"rows"`` ignores the order of rows. ``"none"`` hashes only ``nonce``, which the caller makes new each time.
    ``decimals`` rounds float columns, by name, for the hash alone. Raises OutputError for a column of a type without
    canonical form (a union).

    >>> import pyarrow as pa
    >>> one, two = pa.table({"x": [1, 2]}), pa.table({"x": [2, 1]})
    >>> hash_table(one) == hash_table(two), hash_table(one, "rows") == hash_table(two, "rows")
    (False, True)
    """
    if mode == "none":
        return _hash(b"nonce", nonce)
    named = zip(table.column_names, table.columns, strict=True)
    columns = [(name, column) for name, column in named if not _UNNAMED_INDEX.fullmatch(name)]
    if mode == "rows":
        from assetflow.fingerprint.rows import rows_digest

        return DataHash(f"a1:{rows_digest(columns, table.num_rows, decimals or {})}")
    from assetflow.fingerprint.ordered import ordered_digest

    return DataHash(f"a1:{ordered_digest(columns, table.num_rows, decimals or {})}")


def hash_value(value: object) -> DataHash:
    """The content hash of a plain value: the order of a dict's keys does not count, ``1`` and ``1.0`` differ.

    Raises OutputError for a value that holds anything but plain ones.

    >>> hash_value({"a": 1, "b": (2,)}) == hash_value({"b": [2], "a": 1}), hash_value(1) == hash_value(1.0)
    (True, False)
    """
    encoded = encode(value)
    if encoded is None:
        raise OutputError(
            f"a value of type {type(value).__qualname__} has no content hash",
            hint='return plain values (numbers, texts, lists, dicts), or declare hashing="none"',
        )
    return _hash(b"value", encoded)


def hash_bytes(data: bytes | bytearray | memoryview) -> DataHash:
    """The content hash of bytes as they are."""
    return _hash(b"bytes", data)


def hash_text(data_version: str) -> DataHash:
    """The data hash of a source's partition, from the version that its observation gave."""
    return _hash(b"source", data_version.encode("utf-8", "surrogatepass"))


def hash_files(entries: Iterable[tuple[str, int, str]]) -> DataHash:
    """The content hash of files as ``(relative path, size, digest)``, in any order.

    >>> hash_files([("a", 1, "x"), ("b", 1, "y")]) == hash_files([("a", 1, "y"), ("b", 1, "x")])
    False
    """
    encoded = encode(sorted(entries))
    assert encoded is not None
    return _hash(b"files", encoded)


def _hash(kind: bytes, data: bytes | bytearray | memoryview) -> DataHash:
    from blake3 import blake3

    state = blake3(kind + b"\0")
    state.update(data)
    return DataHash(f"a1:{state.hexdigest(length=16)}")
