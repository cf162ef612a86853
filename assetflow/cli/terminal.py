"""Where output goes: what was asked for to stdout; progress, warnings and errors to stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedWriter, FileIO, TextIOWrapper
from typing import TYPE_CHECKING, Any, TextIO

from assetflow.cli.words import visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_UNLIMITED = 10_000
"""Columns of a pipe: a line or a table that no terminal bounds is not cut."""

_LEAST_WIDTH = 16
"""A column of longer texts is folded at no less than this."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command has to say: as a document, as text for people, and the exit code that sums it up."""

    document: Callable[[], Mapping[str, object]]
    show: Callable[[Page], None]
    exit_code: int = 0


class Page:
    """Text for people: lines, and tables whose columns align. Colour only on a terminal, and never the only sign."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._console: Console | None = None

    @property
    def console(self) -> Console:
        """The rich console behind the page; made when first needed."""
        if self._console is None:
            from rich.console import Console

            bounded = self._stream.isatty() or os.environ.get("COLUMNS", "").isdecimal()
            self._console = Console(
                file=self._stream,
                width=None if bounded else _UNLIMITED,
                highlight=False,
                markup=False,
                emoji=False,
                legacy_windows=False,
            )
        return self._console

    def line(self, text: str = "", *, style: str | None = None, lead: str | None = None, lines: bool = False) -> None:
        """Print a text as it is, without wrapping; ``lead`` is the part at its beginning that ``style`` applies to.

        It is one line, whatever the names and messages in it hold, unless ``lines`` keeps the line ends.
        """
        text = visible(text, lines=lines)
        if style is None or not self._stream.isatty():
            self._stream.write(text + "\n")
            return
        from rich.text import Text

        styled = Text(text)
        styled.stylize(style, 0, len(text) if lead is None else len(lead))
        self.console.print(styled, soft_wrap=True)

    def table(self, columns: Sequence[Column | str], rows: Sequence[Sequence[object]]) -> None:
        """Print rows under their headings; None is an empty cell.

        Where a terminal is too narrow even with folded cells, it wraps the lines: no column is ever left out.
        """
        from rich import box
        from rich.cells import cell_len
        from rich.table import Table
        from rich.text import Text

        chosen = [column if isinstance(column, Column) else Column(column) for column in columns]
        cells = [["" if cell is None else visible(str(cell)) for cell in row] for row in rows]
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
        least = 0
        for place, column in enumerate(chosen):
            heading = visible(column.name)
            longest = max(cell_len(text) for text in (heading, *(row[place] for row in cells)))
            narrowest = longest if column.whole or column.right else min(longest, _LEAST_WIDTH)
            least += narrowest + 2
            justify = "right" if column.right else "left"
            table.add_column(Text(heading), justify=justify, min_width=narrowest, overflow="fold")
        for row in cells:
            table.add_row(*(_painted(Text(text), column) for text, column in zip(row, chosen, strict=True)))
        console = self.console
        width = console.width
        console.width = max(width, least)
        with console.capture() as capture:
            console.print(table)
        console.width = width
        self._stream.writelines(line.rstrip() + "\n" for line in capture.get().splitlines())


def _painted(text: Text, column: Column) -> Text:
    for character, style in (column.styles or {}).items():
        text.highlight_words([character], style)
    return text


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: ``right`` aligns numbers, ``whole`` never folds a cell."""

    name: str
    right: bool = False
    whole: bool = False
    styles: Mapping[str, str] | None = None
    """By character: how a terminal shows it."""


@contextmanager
def stdout_for_document(claimed: bool) -> Generator[TextIO]:
    """Give the stream for the answer. When ``claimed``, all that others print to stdout goes to stderr.

    That holds for what user code, its libraries and its subprocesses print, at the level of the file descriptor.
    """
    if not claimed:
        yield sys.stdout
        return
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        buffered = BufferedWriter(_Surviving(kept, "w", closefd=False))
        with TextIOWrapper(buffered, encoding="utf-8") as stream, _printing_to_stderr():
            yield stream
    finally:
        os.dup2(kept, 1)
        os.close(kept)


@contextmanager
def _printing_to_stderr() -> Generator[None]:
    before, sys.stdout = sys.stdout, sys.stderr
    try:
        yield
    finally:
        sys.stdout = before


def end_document() -> None:
    """Let nothing follow the document on stdout: neither exit handlers nor threads of user code."""
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        os.dup2(2, 1)


def reopen_closed() -> None:
    """Give a standard stream that the caller has closed a way to nowhere, for all code expects there to be one.

    Else the next file that is opened, a database perhaps, would become that stream.
    """
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.dup2(nowhere, descriptor)
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8", closefd=False))


class _Surviving(FileIO):
    """A descriptor to which writing goes on, to nowhere, after the reader at the other end of the pipe has gone."""

    def write(self, data: Any, /) -> int:
        """Write, or drop what nobody can read."""
        try:
            return super().write(data)
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            return memoryview(data).nbytes


def survive_lost_readers() -> None:
    """Let nothing fail because the reader of stdout or stderr has gone: a run is more than its progress."""
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        before: TextIO = getattr(sys, name)
        before.flush()
        raw = _Surviving(descriptor, "w", closefd=False)
        buffered = BufferedWriter(raw)
        at_once = name == "stderr" or raw.isatty()
        setattr(sys, name, TextIOWrapper(buffered, before.encoding, "backslashreplace", line_buffering=at_once))


def survive_any_text() -> None:
    """Make stdout and stderr print what their encoding cannot hold as an escape, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]


def forget_stdout() -> None:
    """After the reader of a pipe has gone: let nothing fail when Python flushes stdout at its exit."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
