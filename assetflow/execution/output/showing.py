"""Showing lines of workers where this process prints: the line, behind the asset partition that it comes from."""

from __future__ import annotations

import sys
from contextlib import suppress

from assetflow.execution.output.recording import OutputLine
from assetflow.keys import format_address


def show_line(line: OutputLine) -> None:
    """Print one line: stdout to stdout, everything else to stderr.

    >>> show_line(OutputLine("2024-01-01T00:00:00.000+00:00", "r1", "orders", "2024-01", 1, "stdout", "3 rows"))
    orders@2024-01 | 3 rows
    """
    stream = sys.stdout if line.stream == "stdout" else sys.stderr
    with suppress(OSError, ValueError):  # who closed it does not want to see it
        stream.write(f"{place_of_line(line)} | {line.text}\n")


def place_of_line(line: OutputLine) -> str:
    """The asset partition, or the first and the last of a batch."""
    if line.partition is not None and "..." in line.partition:
        return f"{line.step}@{line.partition}"
    return format_address(line.step, line.partition)
