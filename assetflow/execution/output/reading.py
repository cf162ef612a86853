"""Reading what a run printed, while it goes on or afterwards."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from assetflow.execution.output.recording import FILE, OutputLine


def output_lines(folder: Path, run_id: str, step: str | None = None) -> Iterator[OutputLine]:
    """The lines of a run in their order, those of one step only where that is asked for."""
    return followed_lines(folder, run_id, step, lambda: False, lambda: None)


def followed_lines(
    folder: Path, run_id: str, step: str | None, goes_on: Callable[[], bool], wait: Callable[[], None]
) -> Iterator[OutputLine]:
    """The same, and what comes as long as the run ``goes_on``; ``wait`` is called when there is nothing new."""
    path = folder / run_id / FILE
    place, held = 0, b""
    while True:
        last = not goes_on()  # asked before reading: what was printed at the very end is read then, too
        with suppress(FileNotFoundError), open(path, "rb") as file:
            file.seek(place)
            while data := file.read(1 << 20):
                place += len(data)
                *whole, held = (held + data).split(b"\n")
                for text in whole:
                    line = _line(text)
                    if line is not None and step in (None, line.step):
                        yield line
        if last:
            return
        wait()


def _line(text: bytes) -> OutputLine | None:
    try:
        return OutputLine(**json.loads(text))
    except (ValueError, TypeError):
        return None  # cut off when the machine went down


def forget_output(folder: Path, run_id: str) -> None:
    """Delete what a run printed."""
    shutil.rmtree(folder / run_id, ignore_errors=True)
