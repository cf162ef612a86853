"""The server's side of its processes: started, asked and ended without ever waiting in the event loop."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import count
from typing import Any, Self, cast

from assetflow.server.processes.spawning import Spawned
from assetflow.server.processes.wire import HEAD, Message, packed, send

Logger = Callable[[str], None]

_LONGEST_LINE = 1 << 16


class ChildGone(Exception):
    """The process at the other end has ended; ``code`` is its exit code or minus a signal, where that is known."""

    def __init__(self, code: int | None = None) -> None:
        super().__init__(code)
        self.code = code


class Connection:
    """Messages to and from one process."""

    def __init__(self, mine: socket.socket, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._socket = mine
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls) -> tuple[Self, socket.socket]:
        """A connection, and the socket to hand to the process at its other end."""
        mine, theirs = socket.socketpair()
        return await cls.over(mine), theirs

    @classmethod
    async def over(cls, mine: socket.socket) -> Self:
        """A connection over a socket."""
        mine.setblocking(False)
        # Descriptors travel over a copy, for the event loop keeps the other one to itself.
        reader, writer = await asyncio.open_connection(sock=mine.dup())
        return cls(mine, reader, writer)

    def send(self, message: Mapping[str, object], descriptor: int | None = None) -> None:
        """Send a message, with a descriptor where given: then nothing else may be on its way."""
        try:
            if descriptor is None:
                self._writer.write(packed(message))
            else:
                send(self._socket, message, [descriptor])
        except OSError as error:
            raise ChildGone from error

    async def receive(self) -> Message:
        """The next message. Raises ChildGone."""
        try:
            head = await self._reader.readexactly(HEAD.size)
            body = await self._reader.readexactly(HEAD.unpack(head)[0])
        except (asyncio.IncompleteReadError, OSError) as error:
            raise ChildGone from error
        return cast("Message", json.loads(body))

    def close(self) -> None:
        """Let the other side see that nothing more comes."""
        self._writer.close()
        self._socket.close()


class Forking:
    """A process that makes copies of itself, as :class:`assetflow.server.processes.forking.Forker` does."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._tickets = count(1)
        self._ended: dict[int, asyncio.Future[int]] = {}
        self._reports: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """From now on, what it sends are reports of copies that have ended."""
        self._reports = asyncio.create_task(self._follow())

    async def fork(self) -> Child:
        """A copy, which waits for its first message. Raises ChildGone."""
        connection, theirs = await Connection.open()
        ticket = next(self._tickets)
        self._ended[ticket] = asyncio.get_running_loop().create_future()
        with theirs:
            self.connection.send({"do": "fork", "ticket": ticket}, theirs.fileno())
        return Child(self, ticket, connection)

    def kill(self, ticket: int, number: int) -> None:
        """Send a signal to a copy, if it is still there."""
        with suppress(ChildGone):
            self.connection.send({"do": "kill", "ticket": ticket, "signal": number})

    def retire(self) -> None:
        """Let it end once its last copy has."""
        with suppress(ChildGone):
            self.connection.send({"do": "retire"})

    async def ended(self, ticket: int) -> int:
        """Wait until a copy has ended; gives its exit code."""
        return await asyncio.shield(self._ended[ticket])

    async def all_ended(self, patience: float) -> None:
        """Wait until all copies have ended, but not for ever."""
        pending = [future for future in self._ended.values() if not future.done()]
        if pending:
            await asyncio.wait(pending, timeout=patience)

    def close(self) -> None:
        """End it, and its copies."""
        self.connection.close()
        if self._reports is not None:
            self._reports.cancel()

    async def _follow(self) -> None:
        try:
            while True:
                message = await self.connection.receive()
                future = self._ended.get(cast("int", message["ended"]))
                if future is not None and not future.done():
                    future.set_result(cast("int", message["code"]))
        except ChildGone:
            for future in self._ended.values():
                if not future.done():
                    future.set_result(-signal.SIGKILL)


class Child:
    """A copy of a process, with a job."""

    def __init__(self, parent: Forking, ticket: int, connection: Connection) -> None:
        self._parent = parent
        self._ticket = ticket
        self.connection = connection

    def send(self, message: Mapping[str, object]) -> None:
        """Send a message. Raises ChildGone."""
        self.connection.send(message)

    async def receive(self) -> Message:
        """The next message. Raises ChildGone, with how it ended."""
        try:
            return await self.connection.receive()
        except ChildGone as gone:
            try:
                code = await asyncio.wait_for(self._parent.ended(self._ticket), 2.0)
            except TimeoutError:
                raise gone from None
            raise ChildGone(code) from None

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send it a signal."""
        self._parent.kill(self._ticket, number)

    def close(self) -> None:
        """Ask nothing more of it."""
        self.connection.close()

    def end(self) -> None:
        """Kill it, and forget it."""
        self.kill()
        self.close()


class Template(Forking):
    """The warm process; what it and its copies print is passed to ``log``."""

    def __init__(self, connection: Connection, process: subprocess.Popen[bytes], output: int, log: Logger) -> None:
        super().__init__(connection)
        self._process = process
        self._output = asyncio.create_task(_follow_output(output, log))

    @classmethod
    async def take(cls, spawned: Spawned, log: Logger) -> Self:
        """Take over one that was started."""
        template = cls(await Connection.over(spawned.connection), spawned.process, spawned.output, log)
        template.begin()
        return template

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def stop(self, patience: float) -> None:
        """End it and everything that it has started; what does not end in time is killed."""
        loop = asyncio.get_running_loop()
        until = loop.time() + patience
        await self.all_ended(patience)
        self.close()
        while self._process.poll() is None and loop.time() < until:
            await asyncio.sleep(0.01)
        with suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        await asyncio.wait([self._output], timeout=1.0)
        self._output.cancel()


async def _follow_output(descriptor: int, log: Logger) -> None:
    reader = asyncio.StreamReader(limit=_LONGEST_LINE)
    pipe = os.fdopen(descriptor, "rb", buffering=0)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), pipe
    )
    held = b""
    try:
        while data := await reader.read(_LONGEST_LINE):
            *lines, held = (held + data).split(b"\n")
            for line in lines:
                log(line.decode("utf-8", "backslashreplace"))
            if len(held) > _LONGEST_LINE:
                log(held.decode("utf-8", "backslashreplace"))
                held = b""
        if held:
            log(held.decode("utf-8", "backslashreplace"))
    finally:
        transport.close()


def ended_text(code: int | None) -> str:
    """How a process ended, in words.

    >>> ended_text(-11), ended_text(3), ended_text(None)
    ('was ended by signal SIGSEGV', 'ended with exit code 3', 'ended')
    """
    if code is None:
        return "ended"
    if code < 0:
        with suppress(ValueError):
            return f"was ended by signal {signal.Signals(-code).name}"
        return f"was ended by signal {-code}"
    return f"ended with exit code {code}"


Json = dict[str, Any]
