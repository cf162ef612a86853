"""What the sample reaches: constants, classes and functions in odd forms."""
# The odd forms are the point.
# ruff: noqa
# fmt: off

from __future__ import annotations

import dataclasses
from datetime import timedelta

STEP: int = 0x10
NAMES = ("a", 'b', "c" "d")
BIG = 123456789012345678901234567890
SMALL = 1e-300, 1e999, -0.0, 3.5j
RAW = b"\x00\xff", r"\d+", "é\N{BULLET}\ud800", ...
LATER = timedelta(days=1)


@dataclasses.dataclass(frozen=True)
class Row:
    """One row."""

    name: str
    size: float = 1.5

    @property
    def label(self) -> str:
        return f"{self.name!r:>{STEP}} {self.size:.2f}{{}}" f" {self.size=}"


def clean(rows: list[Row], /, *, strict: bool = False) -> list[Row]:
    """Clean them."""
    kept: list[Row] = [row for row in rows if row.name not in NAMES[1:] and not strict]
    assert kept is not None, f"nothing {'left'}" " at all"
    return kept


def odd(n: int) -> bool:
    return n != 0 and even(n - 1)


def even(n: int) -> bool:
    return n == 0 or odd(n - 1)
