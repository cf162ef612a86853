"""The coordinator's side of the launcher process: asking for workers, and hearing how they ended.

A launcher takes half a second to start, so one that a run no longer needs is kept for the next run of this process.
"""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from assetflow.execution.executors.launcher import ONE_THREAD, REPORT, REQUEST

MAY_FORK = sys.platform == "linux"
"""Elsewhere system libraries do not survive a fork, so every worker is a fresh interpreter."""


@dataclass(frozen=True, slots=True)
class Report:
    """``mode``: whether workers are forked, and its threads. ``started``: ticket, pid. ``ended``: pid, wait status."""

    kind: Literal["mode", "started", "ended"]
    first: int
    second: int


_KINDS: dict[bytes, Literal["mode", "started", "ended"]] = {b"m": "mode", b"s": "started", b"e": "ended"}


class Launcher:
    """A launcher process; ``control`` becomes readable when it has something to report."""

    def __init__(self, *, may_fork: bool = MAY_FORK) -> None:
        self.control, other = socket.socketpair()
        self.may_fork = may_fork
        self.lost = False
        self._held = b""
        self._lock = threading.Lock()
        given = {name: os.environ[name] for name in ONE_THREAD if name in os.environ}
        code = (
            f"import sys; sys.path[:] = {sys.path!r}\n"
            "from assetflow.execution.executors.launcher import main\n"
            f"main({other.fileno()}, {may_fork}, {given!r})"
        )
        warnings = [option for each in sys.warnoptions for option in ("-W", each)]
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  # closed by close()
        with other:
            # In a session of its own: Ctrl-C is for the coordinator alone.
            self._process = subprocess.Popen(
                [sys.executable, *warnings, "-c", code],
                pass_fds=(other.fileno(),),
                start_new_session=True,
                env={**os.environ, **dict.fromkeys(ONE_THREAD, "1")},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._said,
            )

    def start(self, ticket: int, descriptors: Sequence[int]) -> None:
        """Ask for a worker, which is given copies of ``descriptors``."""
        with self._lock, suppress(OSError):  # that it has gone is seen when it is listened to
            socket.send_fds(self.control, [REQUEST.pack(b"f", ticket)], list(descriptors))

    def kill(self, pid: int) -> None:
        """End a worker, with all that its code has started."""
        with self._lock, suppress(OSError):
            self.control.sendall(REQUEST.pack(b"k", pid))

    def clear(self) -> None:
        """End all workers, and whatever their code has left running."""
        with self._lock, suppress(OSError):
            self.control.sendall(REQUEST.pack(b"c", 0))

    def reports(self) -> list[Report]:
        """What it has reported; ``lost`` is set when it has gone."""
        try:
            data = self.control.recv(1 << 16, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        self.lost = not data
        self._held += data
        whole = len(self._held) - len(self._held) % REPORT.size
        found = [Report(_KINDS[kind], one, two) for kind, one, two in REPORT.iter_unpack(self._held[:whole])]
        self._held = self._held[whole:]
        return found

    def said(self) -> str:
        """What it printed: why it could not go on."""
        os.lseek(self._said.fileno(), 0, os.SEEK_SET)
        return self._said.read().decode("utf-8", "backslashreplace").strip()

    def close(self) -> None:
        """Let it end, and wait for that."""
        self.control.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._said.close()


_idle: list[Launcher] = []
_owner = os.getpid()
_idle_lock = threading.Lock()


def take_launcher(*, may_fork: bool = MAY_FORK) -> Launcher:
    """A launcher for one run."""
    with _idle_lock:
        for place, each in enumerate(_idle):
            if os.getpid() == _owner and each.may_fork == may_fork:
                return _idle.pop(place)
    return Launcher(may_fork=may_fork)


def give_back(launcher: Launcher) -> None:
    """Keep a launcher without workers for the next run."""
    with _idle_lock:
        if not launcher.lost and not _idle:
            _idle.append(launcher)
            return
    launcher.close()


def _close_idle() -> None:
    if os.getpid() == _owner:
        while _idle:
            _idle.pop().close()


def _forget_idle() -> None:
    """In a forked copy of this process, the launcher is not its own."""
    for launcher in _idle:
        with suppress(OSError):
            os.close(launcher.control.detach())


atexit.register(_close_idle)
os.register_at_fork(after_in_child=_forget_idle)
