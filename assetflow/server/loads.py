"""Loading the project again and again: what is current, what the last load changed, and what is wrong with it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assetflow.documents import document_of
from assetflow.errors import ProjectError
from assetflow.server.children import Child, ChildGone, Forking, Logger, Template, ended_text
from assetflow.server.comparing import changes_between
from assetflow.server.events import EventLog
from assetflow.server.generations import Answer, Generation, Retired
from assetflow.server.processes.noting import Stamp
from assetflow.server.processes.spawning import Spawned, spawn_template
from assetflow.server.watching import saves

LOAD_SECONDS = 60.0
"""A load that takes longer is given up."""

_STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class LastLoad:
    """The last load: whether it succeeded, what it changed, and what that made stale, once that is known."""

    number: int
    at: datetime
    seconds: float
    files: tuple[str, ...]
    error: Mapping[str, Any] | None = None
    changes: Mapping[str, Any] | None = None
    became: Mapping[str, Any] | None = field(default=None)

    def to_dict(self, current: int | None, loading: bool) -> dict[str, Any]:
        """The load document; ``current`` is the number of the load that answers."""
        return {
            "load": self.number,
            "at": self.at.isoformat(),
            "seconds": round(self.seconds, 3),
            "files": list(self.files),
            "error": self.error,
            "changes": self.changes,
            "became": self.became,
            "current": current,
            "loading": loading,
        }


class Loads:
    """Holds the current load; a save begins a new one, which takes its place if it succeeds."""

    def __init__(
        self, root: Path, *, poll: bool = False, log: Logger = print, load_seconds: float = LOAD_SECONDS
    ) -> None:
        self.root = root
        self.events = EventLog(self._stored_events)
        self.current: Generation | None = None
        self.last: LastLoad | None = None
        self.settled = asyncio.Event()
        """Set once the first load has ended, however it did."""
        self._poll = poll
        self._log = log
        self._load_seconds = load_seconds
        self._template: Template | None = None
        self._wanted: set[str] = set()
        self._news = asyncio.Event()
        self._stop = asyncio.Event()
        self._also: dict[str, Stamp] = {}
        self._number = 0
        self._loading = False
        self._judged: Generation | None = None
        self._judging: asyncio.Task[None] | None = None
        self._waiting_to_be_judged: Generation | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, spawned: Spawned | None = None) -> None:
        """Begin: the first load, and watching. ``spawned`` is a template that was started already."""
        self._template = await Template.take(spawned or spawn_template(), self._log)
        self._tasks = [asyncio.create_task(self._load_on()), asyncio.create_task(self._watch())]
        self.request(())

    async def stop(self) -> None:
        """End everything that was started."""
        self._stop.set()
        self.events.close()
        self._news.set()
        for task in [*self._tasks, *([self._judging] if self._judging else [])]:
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task
        for generation in {self.current, self._judged, self._waiting_to_be_judged}:
            if generation is not None:
                generation.close()
        if self._template is not None:
            await self._template.stop(_STOP_SECONDS)

    def request(self, files: Iterable[str]) -> None:
        """Load anew; a load that goes on is given up."""
        self._wanted.update(files)
        self._news.set()

    def document(self) -> dict[str, Any]:
        """The load document."""
        last = self.last or LastLoad(0, datetime.now(UTC), 0.0, ())
        return last.to_dict(self.current.number if self.current else None, self._loading or self._news.is_set())

    @property
    def processes(self) -> int | None:
        """The process id of the template, which all others descend from."""
        return None if self._template is None else self._template.pid

    async def _watch(self) -> None:
        poll = self._poll
        while not self._stop.is_set():
            try:
                async for files in saves(self.root, self._excluded, lambda: self._also, self._stop, poll=poll):
                    self.request(files)
            except OSError as error:  # as many folders as this cannot be watched
                self._log(
                    f"the project's folders cannot be watched ({error}); looking for saves again and again instead"
                )
                poll = True
                self.request(())

    def _excluded(self) -> list[Path]:
        own = [self.root / ".assetflow"]
        return own if self.current is None else [*own, Path(self.current.loaded["storage"])]

    async def _load_on(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            self._loading = True
            await self._load_once()
            self._loading = False

    async def _load_once(self) -> None:
        assert self._template is not None
        self._number += 1
        files = tuple(sorted(self._shown(path) for path in self._wanted))
        began, at = time.perf_counter(), datetime.now(UTC)
        child: Child | None = None
        told: dict[str, Any] | None
        try:
            child = await self._template.fork()
            child.send({"root": str(self.root)})
            told = await self._first(child)
        except ChildGone as gone:
            told = document_of(_died(gone.code))
        except TimeoutError:
            told = document_of(_too_long(self._load_seconds))
        if told is None:
            assert child is not None
            child.end()
            return  # a newer save: the files stay wanted
        self._wanted.clear()
        last = LastLoad(self._number, at, time.perf_counter() - began, files)
        read: Mapping[str, Sequence[int]] = told.get("files", {})
        self._also = {path: (changed, size, number) for path, (changed, size, number) in read.items()} or self._also
        if "error" in told:
            if child is not None:
                child.end()
            self._finish(LastLoad(last.number, last.at, last.seconds, files, error=told["error"]))
        else:
            assert child is not None
            self._take_over(child, told, last)
        self.settled.set()

    async def _first(self, child: Child) -> dict[str, Any] | None:
        """What a loading process tells; None when a newer save came first. Raises ChildGone and TimeoutError."""
        told, newer = asyncio.create_task(child.receive()), asyncio.create_task(self._news.wait())
        try:
            done, _ = await asyncio.wait((told, newer), timeout=self._load_seconds, return_when=asyncio.FIRST_COMPLETED)
            if newer in done:
                return None
            if told in done:
                return told.result()
            child.end()
            raise TimeoutError
        finally:
            for task in (told, newer):
                task.cancel()
                with suppress(asyncio.CancelledError, ChildGone):
                    await task

    def _take_over(self, child: Child, told: Mapping[str, Any], last: LastLoad) -> None:
        before = self.current
        process = Forking(child.connection)
        process.begin()
        self.current = Generation(last.number, told, process)
        changes = changes_between(before.loaded if before else None, told)
        self._finish(LastLoad(last.number, last.at, last.seconds, last.files, changes=changes))
        if (passed_over := self._waiting_to_be_judged) is not None:
            self._retiring(passed_over)
        self._waiting_to_be_judged = self.current
        if self._judging is None or self._judging.done():
            self._judging = asyncio.create_task(self._judge())

    def _finish(self, last: LastLoad) -> None:
        self.last = last
        self._loading = False
        self.events.add("loaded" if last.error is None else "broken", self.document())

    async def _judge(self) -> None:
        """Find out what the current load has made stale, against the last one of which that is known."""
        while (new := self._waiting_to_be_judged) is not None:
            self._waiting_to_be_judged = None
            old = self._judged
            before: object = {}
            if old is not None:
                answer = await old.ask("standing")
                before = answer.document()["standing"] if answer.status == 200 else {}
            answer = await new.ask("standing", before=before)
            if old is not None:
                self._retiring(old)
            self._judged = new
            if new is not self.current:
                continue
            if not self.events.seq:
                await self._begin_events(new)
            document = answer.document()
            if old is None or answer.status != 200:
                became: dict[str, Any] = {"stale": [], "settled": [], "error": document.get("error")}
            else:
                became = {"stale": document["stale"], "settled": document["settled"], "error": None}
            last = self.last
            if last is not None and last.number == new.number:
                self.last = LastLoad(
                    last.number, last.at, last.seconds, last.files, changes=last.changes, became=became
                )
            self.events.add("stale", {"load": new.number, **became})

    def _retiring(self, generation: Generation) -> None:
        task = asyncio.create_task(generation.retire())
        self._tasks.append(task)
        task.add_done_callback(self._tasks.remove)

    async def ask(self, question: str, **asked: object) -> Answer:
        """Ask the current load, once the first one has ended; without one, the answer is what is wrong."""
        return await self.from_current(lambda current: current.ask(question, **asked))

    async def ask_once(self, question: str, seconds: float, **asked: object) -> Answer:
        """The same in a process of its own, which is killed after so many ``seconds``."""
        return await self.from_current(lambda current: current.ask_once(question, seconds, **asked))

    async def from_current(self, answered: Callable[[Generation], Awaitable[Answer]]) -> Answer:
        """What the current load gives, once the first one has ended."""
        await self.settled.wait()
        while True:
            if self.current is None:
                return self.refusal()
            with suppress(Retired):
                return await answered(self.current)

    def refusal(self) -> Answer:
        """Why nothing can be answered: no load has succeeded yet."""
        error = self.last.error if self.last is not None else None
        return Answer.of({"status": 503, "document": {"error": error}})

    async def _begin_events(self, generation: Generation) -> None:
        answer = await generation.ask("last_event")
        if answer.status == 200:
            self.events.seq = answer.document()["last"]

    async def _stored_events(self, since: int) -> tuple[list[Mapping[str, Any]], int]:
        if self.current is None:
            return [], since
        answer: Answer = await self.current.ask("events", since=since, limit=1_000)
        if answer.status != 200:
            return [], since
        document = answer.document()
        return document["events"], document["last"]

    def _shown(self, path: str) -> str:
        try:
            return str(Path(path).relative_to(self.root.resolve()))
        except ValueError:
            return path


def _died(code: int | None) -> ProjectError:
    return ProjectError(
        f"the process that loaded the definitions {ended_text(code)}",
        hint="a library that the definitions import ended it; import your definitions module by itself to see where",
    )


def _too_long(seconds: float) -> ProjectError:
    return ProjectError(
        f"loading the definitions took longer than {seconds:g} s",
        hint="move slow work out of the modules into the functions of the assets",
    )
