"""``logging`` of user code: its records reach the run's output, and its own configuration is left as it is."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress

from assetflow.execution.output.recording import AttemptOutput, encoded_record

OURS = "assetflow.assets"
"""The loggers of ``context.log`` are below this one."""


class StructuredHandler(logging.Handler):
    """Writes records between the lines that a worker prints to stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        with suppress(Exception):
            sys.stderr.flush()
        data = encoded_record(record.levelname, record.name, self.format(record))
        with suppress(OSError):
            while data:
                data = data[os.write(2, data) :]


class AttemptHandler(logging.Handler):
    """Gives records to the output of the attempt; ``echo`` shows on stderr what nobody else would show."""

    def __init__(self, output: AttemptOutput, *, echo: bool) -> None:
        super().__init__()
        self._output = output
        self._echo = echo

    def emit(self, record: logging.LogRecord) -> None:
        """Take one record."""
        text = self.format(record)
        self._output.log(record.levelname, record.name, text, shown=True)
        if self._echo and (record.levelno >= logging.WARNING or record.name.startswith(OURS)):
            with suppress(Exception):
                original: object = getattr(sys.stderr, "original", sys.stderr)
                print(text, file=original)  # pyright: ignore[reportArgumentType]


@contextmanager
def logging_to(handler: logging.Handler, *, beside: bool = False) -> Generator[None]:
    """Let ``handler`` have the records that no other handler is there for, from INFO on.

    ``beside``: also those that the user's own handlers have; else what these print is seen where it is printed.
    """
    root, assets = logging.getLogger(), logging.getLogger(OURS)
    last, level, assets_level = logging.lastResort, root.level, assets.level
    configured = bool(root.handlers)
    if assets_level == logging.NOTSET:
        assets.setLevel(logging.INFO)
    if not configured:
        # Not a handler of the root logger: basicConfig() in a user's function would do nothing then.
        logging.lastResort = handler  # pyright: ignore[reportAttributeAccessIssue]
        if level == logging.WARNING:
            root.setLevel(logging.INFO)
    elif beside:
        root.addHandler(handler)
    try:
        yield
    finally:
        assets.setLevel(assets_level)
        logging.lastResort = last
        if not configured and level == logging.WARNING and root.level == logging.INFO and not root.handlers:
            root.setLevel(level)
        root.removeHandler(handler)
