"""What counts as a sale."""

from __future__ import annotations


def amount(line: str) -> int:
    return int(line.split()[1])


def is_sale(line: str) -> bool:
    return amount(line) > 0
