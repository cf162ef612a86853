"""One worker as the coordinator sees it: its process, the socket to it, and the pipes in which its output arrives."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from assetflow.errors import AssetflowError
from assetflow.execution.executors.launching import Launcher
from assetflow.execution.executors.wire import Inbox, send
from assetflow.execution.executors.worker import Order
from assetflow.execution.output.recording import AttemptOutput
from assetflow.execution.task import Task, TaskResult

_READ_AT_ONCE = 1 << 16


@dataclass(slots=True, eq=False)
class Job:
    """A task that was submitted."""

    task: Task
    future: Future[TaskResult]
    deadline: float | None = None
    """When it has to have ended, by the monotonic clock; set when it begins."""


@dataclass(slots=True, eq=False)
class Worker:
    """A worker; ``job`` is what it does, ``ended_for`` why we ended it."""

    ticket: int
    connection: socket.socket
    inbox: Inbox
    pipes: dict[int, str]
    output: AttemptOutput
    pid: int | None = None
    ready: bool = False
    used: bool = False
    retired: bool = False
    gone: bool = False
    silent_since: float | None = None
    """When its socket was closed from the other side, though its process may still be there."""
    job: Job | None = None
    ended_for: AssetflowError | None = None
    _streams: tuple[int, ...] = field(default=())

    @classmethod
    def start(cls, ticket: int, launcher: Launcher, setup: int, output: AttemptOutput) -> Worker:
        """Ask the launcher for a worker; ``setup`` is an open file with its WorkerSetup."""
        ours, theirs = socket.socketpair()
        out, out_end = os.pipe()
        err, err_end = os.pipe()
        for descriptor in (out, err):
            os.set_blocking(descriptor, False)
        with theirs:
            launcher.start(ticket, (theirs.fileno(), out_end, err_end, setup))
        os.close(out_end)
        os.close(err_end)
        return cls(ticket, ours, Inbox(ours), {out: "stdout", err: "stderr"}, output)

    @property
    def idle(self) -> bool:
        """Whether it can be given a task."""
        return self.ready and self.job is None and not self.retired and not self.gone and self.silent_since is None

    def begin(self, job: Job, output: AttemptOutput, now: datetime) -> None:
        """Give it a task. That it has gone meanwhile is seen by whoever listens to it."""
        self.output.end()
        self.job, self.output, self.used = job, output, True
        with suppress(OSError):
            send(self.connection, Order(job.task, now))

    def drain(self) -> None:
        """Read what it has printed until now."""
        for pipe in list(self.pipes):
            for data in self._arrived(pipe):
                self.output.feed(self.pipes[pipe], data)

    def read(self, pipe: int) -> bool:
        """Read what has arrived in one pipe; whether there may be more some time."""
        try:
            data = os.read(pipe, _READ_AT_ONCE)
        except BlockingIOError:
            return True
        if data:
            self.output.feed(self.pipes[pipe], data)
        return bool(data)

    def _arrived(self, pipe: int) -> Iterator[bytes]:
        with suppress(BlockingIOError):
            while data := os.read(pipe, _READ_AT_ONCE):
                yield data

    def retire(self) -> None:
        """Let it end; no more tasks for it."""
        self.retired = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """It is no more."""
        self.gone = True
        self.output.end()
        self.connection.close()
        for pipe in self.pipes:
            os.close(pipe)
        self.pipes.clear()
