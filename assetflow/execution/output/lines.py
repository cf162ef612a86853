"""Lines out of the bytes that a process prints, as a terminal would show them in the end."""

from __future__ import annotations

import re
from collections.abc import Callable

RECORD = b"\x1e"
"""Begins a line that holds a record of ``logging`` as JSON."""

_IN_A_LINE = re.compile(rb"(?<=[^\n])\x1e")
_LONGEST = 1 << 16
"""Bytes; a longer line is told in pieces."""


class Lines:
    """Takes bytes as they come and passes each line on, once it has ended, without its end.

    Of a line that was rewritten after a carriage return, as progress bars do, only the last state is passed on. Bytes
    that are not UTF-8 are shown as escapes.

    >>> lines = Lines(print)
    >>> lines.feed(b"10%\\r 50%\\r100%\\nre")
    100%
    >>> lines.feed(b"ady \\xff\\r\\n")
    ready \\xff
    >>> lines.feed(b"no end")
    >>> lines.end()
    no end
    """

    def __init__(self, take: Callable[[str], None]) -> None:
        self._take = take
        self._pending = b""

    def feed(self, data: bytes) -> None:
        """Take what was printed next."""
        data = self._pending + data
        if RECORD in data:
            data = _IN_A_LINE.sub(b"\n" + RECORD, data)
        *whole, pending = data.split(b"\n")
        for line in whole:
            self._pass(line)
        while len(pending) > _LONGEST:
            cut = _LONGEST
            while cut > _LONGEST - 4 and pending[cut] & 0xC0 == 0x80:
                cut -= 1  # not in the middle of a character
            self._pass(pending[:cut])
            pending = pending[cut:]
        # What comes may be the end of this line, so the state before the last carriage return may be the final one.
        before, returned, after = pending.rpartition(b"\r")
        self._pending = before.rpartition(b"\r")[2] + returned + after if returned else pending

    def end(self) -> None:
        """Nothing more comes: pass on a line without an end."""
        if self._pending:
            self._pass(self._pending)
        self._pending = b""

    def _pass(self, line: bytes) -> None:
        states = line.split(b"\r")
        shown = next((state for state in reversed(states) if state), b"")
        self._take(shown.decode("utf-8", "backslashreplace"))
