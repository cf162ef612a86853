"""Capturing what a call in this very process prints, while it is shown as before."""

from __future__ import annotations

import io
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, TextIO

from assetflow.execution.output.recording import AttemptOutput
from assetflow.execution.output.records import AttemptHandler, logging_to


@contextmanager
def captured(output: AttemptOutput) -> Generator[None]:
    """What is printed and logged in this process goes to ``output`` too."""
    before = sys.stdout, sys.stderr
    tees = _Tee(sys.stdout, "stdout", output), _Tee(sys.stderr, "stderr", output)
    sys.stdout, sys.stderr = tees
    try:
        with logging_to(AttemptHandler(output, echo=not _configured()), beside=True):
            yield
    finally:
        if sys.stdout is tees[0]:
            sys.stdout = before[0]
        if sys.stderr is tees[1]:
            sys.stderr = before[1]
        for tee in tees:
            tee.release()
        output.end(shown=True)


def _configured() -> bool:
    import logging

    return bool(logging.getLogger().handlers)


class _Tee(io.TextIOBase):
    """A stream that passes everything on to the one that was there before, and a copy to the attempt's output."""

    def __init__(self, original: TextIO, stream: str, output: AttemptOutput) -> None:
        super().__init__()
        self.original = original
        self._stream = stream
        self._output: AttemptOutput | None = output

    def release(self) -> None:
        """The attempt is over; who still holds this stream writes to the original."""
        self._output = None

    def write(self, text: str, /) -> int:
        """Write a text."""
        written = self.original.write(text)
        if self._output is not None:
            self._output.feed(self._stream, text.encode("utf-8", "backslashreplace"), shown=True)
        return written

    def flush(self) -> None:
        """Flush the original."""
        self.original.flush()

    def isatty(self) -> bool:
        """As the original."""
        return self.original.isatty()

    def fileno(self) -> int:
        """As the original."""
        return self.original.fileno()

    def writable(self) -> bool:
        """It is."""
        return True

    def close(self) -> None:
        """The original stays open."""

    @property
    def encoding(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """As the original."""
        return self.original.encoding

    @property
    def errors(self) -> str | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """As the original."""
        return self.original.errors

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)
