"""The one event stream: what happens in the server and what the store records, in one order, resumable."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from assetflow.documents import dumps

KEPT = 10_000
"""How many events a client may have missed and still be told each of them."""

_POLL = 0.5
_ALIVE = 15.0
_BATCH = 1_000

Source = Callable[[int], Awaitable[tuple[list[Mapping[str, Any]], int]]]
"""Gives the store's events after a number, and the number of the last of them."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its place in the stream, the last number of the store at that place, and a document."""

    number: int
    seq: int
    kind: str
    data: Mapping[str, Any]


class EventLog:
    """Events in order. An id is ``<number>.<store's number>.<server>``; to a new server only the middle one counts."""

    def __init__(self, source: Source) -> None:
        self.server = secrets.token_hex(4)
        self._source = source
        self._kept: deque[Event] = deque(maxlen=KEPT)
        self._number = 0
        self.seq = 0
        self._news = asyncio.Event()
        self._listeners = 0
        self._closed = False
        self._polling: asyncio.Task[None] | None = None
        self._watchers: list[Callable[[Event], None]] = []

    def add(self, kind: str, data: Mapping[str, Any]) -> None:
        """Append an event of the server."""
        self._append(Event(self._number + 1, self.seq, kind, data))

    def watch(self, watcher: Callable[[Event], None]) -> None:
        """Call this with every event, as it happens."""
        self._watchers.append(watcher)

    def close(self) -> None:
        """End all streams."""
        self._closed = True
        self._wake()
        if self._polling is not None:
            self._polling.cancel()

    async def poll(self) -> None:
        """Take in what the store has recorded."""
        while True:
            found, last = await self._source(self.seq)
            for row in found:
                self.seq = row["seq"]
                self._append(Event(self._number + 1, self.seq, "store", row))
            self.seq = max(self.seq, last)
            if len(found) < _BATCH:
                return

    async def stream(self, last_id: str | None) -> AsyncGenerator[bytes]:
        """The stream as bytes, from after ``last_id`` on; without one, from now on.

        ``resync`` tells a client that some events are lost to it: it is to read everything anew.
        """
        self._listeners += 1
        if self._polling is None:
            self._polling = asyncio.create_task(self._poll_on())
        try:
            number, seq, first = self._place(last_id)
            yield first
            while seq is not None and seq < self.seq and not self._closed:
                rows, last = await self._source(seq)
                for row in rows:
                    yield self._formatted(Event(number, row["seq"], "store", row))
                seq = last if rows else None
            while not self._closed:
                missed = self._after(number)
                if missed:
                    if missed[0].number > number + 1:
                        yield self._formatted(Event(missed[0].number - 1, missed[0].seq, "resync", {}))
                    for event in missed:
                        yield self._formatted(event)
                    number = missed[-1].number
                    continue
                news = self._news
                try:
                    async with asyncio.timeout(_ALIVE):
                        await news.wait()
                except TimeoutError:
                    yield b": alive\n\n"
        finally:
            self._listeners -= 1

    def _after(self, number: int) -> list[Event]:
        if not self._kept or self._number == number:
            return []
        return list(islice(self._kept, max(0, number + 1 - self._kept[0].number), None))

    def _place(self, last_id: str | None) -> tuple[int, int | None, bytes]:
        """From which number on a client is told, after which of the store before that, and what it is told first."""
        head = b"retry: 1000\n"
        if last_id:
            parts = last_id.split(".")
            number = parts[0]
            if len(parts) == 3 and parts[2] == self.server and number.isdecimal() and int(number) <= self._number:
                return int(number), None, head + b": resumed\n\n"
            seq = int(parts[1]) if len(parts) == 3 and parts[1].isdecimal() and len(parts[1]) < 19 else None
            resync = Event(self._number, self.seq if seq is None else seq, "resync", {})
            return self._number, seq, head + self._formatted(resync)
        return self._number, None, head + self._formatted(Event(self._number, self.seq, "hello", {}))

    async def _poll_on(self) -> None:
        while not self._closed:
            if self._listeners:
                await self.poll()
            await asyncio.sleep(_POLL)

    def _append(self, event: Event) -> None:
        self._number = event.number
        self._kept.append(event)
        for watcher in self._watchers:
            watcher(event)
        self._wake()

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    def _formatted(self, event: Event) -> bytes:
        name = f"{event.number}.{event.seq}.{self.server}"
        return f"id: {name}\nevent: {event.kind}\ndata: {dumps(event.data)}\n\n".encode("ascii")
