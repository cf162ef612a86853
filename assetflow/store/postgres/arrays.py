"""Columns of many values as Postgres' binary arrays, both ways, without a step by value where it can be avoided."""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct

import numpy as np
from psycopg.adapt import Buffer, Dumper, Loader
from psycopg.pq import Format

from assetflow.planner.state import Integers

_HEAD = Struct(">iiIii")
_SIZE = Struct(">i").pack
_DOUBLE = Struct(">d").pack
_NUMBER = Struct(">q").pack
_NULL = _SIZE(-1)
_ELEMENT = np.dtype([("size", ">i4"), ("value", ">i8")])


class Packed(bytes):
    """An array as it is sent; each kind is a class of its own, for the driver to tell them apart."""


class Numbers(Packed):
    """64-bit integers."""


class Texts(Packed):
    """Texts."""


class Octets(Packed):
    """Bytes."""


class Doubles(Packed):
    """Floating point numbers."""


_ELEMENTS: dict[type[Packed], int] = {Numbers: 20, Texts: 25, Octets: 17, Doubles: 701}
ARRAYS: dict[type[Packed], int] = {Numbers: 1016, Texts: 1009, Octets: 1001, Doubles: 1022}
"""The number that Postgres gave to the type of each array."""

KINDS: dict[str, type[Packed]] = {"bigint": Numbers, "text": Texts, "bytea": Octets, "double precision": Doubles}
"""The arrays by the type of a column."""


def packed(values: Sequence[object], kind: type[Packed]) -> Packed:
    """The values as one array; None is NULL. Raises TypeError, ValueError and OverflowError for any other kind."""
    holes = None in values
    head = _HEAD.pack(1, holes, _ELEMENTS[kind], len(values), 1)
    if kind is Numbers and not holes:
        column = np.empty(len(values), _ELEMENT)
        column["size"] = 8
        column["value"] = np.array(values, np.int64)
        return kind(head + column.tobytes())
    parts: list[bytes] = [head]
    for value in values:
        if value is None:
            parts.append(_NULL)
            continue
        octets = _octets(value, kind)
        parts += (_SIZE(len(octets)), octets)
    return kind(b"".join(parts))


def _octets(value: object, kind: type[Packed]) -> bytes:
    if kind is Texts and isinstance(value, str):
        return value.encode()
    if kind is Octets and isinstance(value, bytes):
        return value
    if kind is Numbers and isinstance(value, int):
        try:
            return _NUMBER(value)
        except Exception as error:
            raise OverflowError(str(error)) from error
    if kind is Doubles and isinstance(value, int | float):
        return _DOUBLE(value)
    raise TypeError(f"{value!r} does not fit into a column of {kind.__name__.lower()}")


class PackedDumper(Dumper):
    """Sends an array as it is."""

    format = Format.BINARY

    def dump(self, obj: Packed) -> Buffer | None:
        """The octets themselves."""
        return obj


class NumbersLoader(Loader):
    """Gives an array of 64-bit integers without NULL as numpy has them."""

    format = Format.BINARY

    def load(self, data: Buffer) -> Integers:
        """The numbers."""
        octets = memoryview(data)
        dimensions = Struct(">i").unpack_from(octets)[0]
        if not dimensions:
            return np.empty(0, np.int64)
        return np.frombuffer(octets, _ELEMENT, offset=_HEAD.size)["value"].astype(np.int64)
