"""Recording what attempts print: each line with its run, step, partition and attempt, in an append-only file.

Recording never stops a run: where the file cannot be written any more, the rest is not kept.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from assetflow.execution.output.lines import RECORD, Lines

FILE = "output.jsonl"
MOST_OF_ATTEMPT = 10_000_000
"""Characters that are kept of one attempt; of what comes after them, the last lines only."""

MOST_OF_RUN = 1_000_000_000
MOST_RUNS = 1_000
"""So many runs are kept the output of, the latest."""

_LAST_BYTES = 1 << 16
_LAST_LINES = 50
_TAIL = 25
"""Lines that the error of an attempt tells, when its process has died."""


@dataclass(frozen=True, slots=True)
class OutputLine:
    """One line; ``stream`` is stdout, stderr, log, or notice, which is assetflow's own.

    ``partition`` is a key, a range ``A...B`` of a batch, or None; ``level`` and ``logger`` are those of a log record.
    """

    at: str
    run: str
    step: str
    partition: str | None
    attempt: int
    stream: str
    text: str
    level: str | None = None
    logger: str | None = None

    def to_dict(self) -> dict[str, object]:
        """As a line of the file, and in the JSON document."""
        fields = ("at", "run", "step", "partition", "attempt", "stream", "text", "level", "logger")
        return {name: getattr(self, name) for name in fields[:7]} | {
            name: value for name in fields[7:] if (value := getattr(self, name)) is not None
        }


Echo = Callable[[OutputLine], None]


class RunOutput:
    """The output of one run, in ``<folder>/<run_id>/``; without a folder nothing is kept.

    ``echo`` is shown every line that is kept.
    """

    def __init__(
        self, folder: Path | None, run_id: str, clock: Callable[[], datetime], echo: Echo | None = None
    ) -> None:
        self.run_id = run_id
        self._path = folder / run_id / FILE if folder else None
        self._clock = clock
        self._echo = echo
        self._file: int | None = None
        self._left = MOST_OF_RUN
        self._lock = threading.Lock()

    def attempt(self, step: str, partition: str | None, attempt: int) -> AttemptOutput:
        """Where the output of one attempt goes."""
        return AttemptOutput(self, step, partition, attempt)

    def now(self) -> str:
        """The time for lines that are told now."""
        return self._clock().isoformat(timespec="milliseconds")

    def add(self, lines: Sequence[OutputLine], *, shown: bool) -> None:
        """Keep lines, and echo them unless they were ``shown`` already."""
        text = "".join(json.dumps(line.to_dict(), ensure_ascii=False) + "\n" for line in lines)
        with self._lock:
            self._write(text.encode("utf-8", "backslashreplace"))
        if self._echo is not None and not shown:
            for line in lines:
                self._echo(line)

    def close(self) -> None:
        """Nothing more comes."""
        with self._lock:
            if self._file is not None:
                os.close(self._file)
            self._file, self._path = None, None

    def _write(self, data: bytes) -> None:
        if self._path is None or self._left <= 0:
            return
        try:
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                _forget_oldest(self._path.parent.parent)
                self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            self._left -= len(data)
            while data:
                data = data[os.write(self._file, data) :]
        except OSError:
            self._left = 0


def _forget_oldest(folder: Path) -> None:
    with os.scandir(folder) as entries:
        ages = sorted((entry.stat().st_mtime_ns, entry.path) for entry in entries if entry.is_dir())
    for _, path in ages[: max(0, len(ages) - MOST_RUNS)]:
        shutil.rmtree(path, ignore_errors=True)


class AttemptOutput:
    """Takes what one attempt prints and logs; ``shown`` says that the user has seen it already."""

    def __init__(self, run: RunOutput, step: str, partition: str | None, attempt: int) -> None:
        self._run = run
        self._place = (run.run_id, step, partition, attempt)
        self._left = MOST_OF_ATTEMPT
        self._omitted = 0
        self._rest = b""
        self._batch: list[OutputLine] = []
        self._streams: dict[str, Lines] = {}
        self.tail: deque[str] = deque(maxlen=_TAIL)

    def feed(self, stream: str, data: bytes, *, shown: bool = False) -> None:
        """Take bytes that were printed."""
        if self._left <= 0:
            self._omit(data)
            return
        lines = self._streams.get(stream)
        if lines is None:
            lines = self._streams[stream] = Lines(lambda text: self._line(stream, text))
        lines.feed(data)
        self._pass(shown=shown)

    def log(self, level: str, logger: str, text: str, *, shown: bool = False) -> None:
        """Take one record of ``logging``."""
        if self._left <= 0:
            self._omit(text.encode("utf-8", "backslashreplace") + b"\n")
            return
        self._keep("log", text, level, logger)
        self._pass(shown=shown)

    def notice(self, text: str) -> None:
        """Add a sentence of assetflow's own."""
        self._batch.append(OutputLine(self._run.now(), *self._place, "notice", text))
        self._pass(shown=False)

    def end(self, *, shown: bool = False) -> None:
        """Nothing more comes: pass on lines without an end, and say what was left out."""
        for lines in self._streams.values():
            lines.end()
        if self._omitted:
            kept = self._rest.decode("utf-8", "backslashreplace").splitlines()[1:][-_LAST_LINES:]
            self.notice(
                f"{self._omitted:,} bytes were left out here, for an attempt keeps {MOST_OF_ATTEMPT:,} of its output"
                + (f"; its last {len(kept)} lines follow" if kept else "")
            )
            self._left = 1 << 62
            for text in kept:
                self._line("stdout", text)
            self._omitted, self._rest = 0, b""
        self._pass(shown=shown)

    def _omit(self, data: bytes) -> None:
        self._omitted += len(data)
        self._rest = (self._rest + data)[-_LAST_BYTES:]

    def _line(self, stream: str, text: str) -> None:
        record = _record(text) if stream == "stderr" else None
        if record is not None:
            self._keep("log", record[2], record[0], record[1])
        else:
            self._keep(stream, text)

    def _keep(self, stream: str, text: str, level: str | None = None, logger: str | None = None) -> None:
        self._left -= len(text) + 1
        self.tail.append(text)
        self._batch.append(OutputLine(self._run.now(), *self._place, stream, text, level, logger))

    def _pass(self, *, shown: bool) -> None:
        if self._batch:
            batch, self._batch = self._batch, []
            self._run.add(batch, shown=shown)


def _record(text: str) -> tuple[str, str, str] | None:
    """Level, logger and text of a line that holds a record of ``logging``."""
    if not text.startswith(RECORD.decode()):
        return None
    try:
        level, logger, message = json.loads(text[1:])
    except ValueError:
        return None
    return str(level), str(logger), str(message)


def encoded_record(level: str, logger: str, text: str) -> bytes:
    """One record of ``logging`` as a line among what a worker prints."""
    return RECORD + json.dumps([level, logger, text]).encode() + b"\n"
