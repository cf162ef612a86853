"""Sizes as users write them: ``"2GB"``, ``"512MiB"``, or a number of bytes."""

from __future__ import annotations

import re

from assetflow.errors import DefinitionError

_TEXT = re.compile(r"(\d{1,9}(?:\.\d{1,3})?) ?([kMGT]i?)?B", re.ASCII | re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def parse_size(value: object) -> int:
    """Read a size in bytes; kB, MB, GB, TB are powers of 1,000, KiB and so on of 1,024. Raises DefinitionError.

    >>> parse_size("2GB"), parse_size("1.5 KiB"), parse_size(4096)
    (2000000000, 1536, 4096)
    """
    size = 0
    if isinstance(value, int) and not isinstance(value, bool):
        size = value
    elif isinstance(value, str) and (match := _TEXT.fullmatch(value.strip())):
        unit = (match[2] or "").lower()
        size = int(float(match[1]) * (1024 if unit.endswith("i") else 1000) ** _POWERS[unit.removesuffix("i")])
    if size < 1:
        raise DefinitionError(f"{value!r} is no size", hint='write "500MB", "2GB", "1GiB", or a number of bytes')
    return size
