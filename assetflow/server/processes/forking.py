"""A process that makes copies of itself on request: each gets a socket of its own, and does one job.

The template does so with warm libraries, a loaded project with the user's modules. Where a copy would not be safe,
because threads run or connections are open, a fresh interpreter is started instead.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType
from typing import NoReturn, cast

from assetflow.server.processes.wire import receive, send

_SAFE_THREADS = frozenset({"jemalloc_bg_thd"})
"""Threads that a copy starts again by itself: the allocator's own."""

_LOOK_AFTER = 2.0
"""Seconds between looks at whether the server is still there, beside being told."""


def may_be_copied(*, sockets: int) -> bool:
    """Whether a copy of this process would be whole: no thread but the main one, no ``sockets`` but that many.

    Where that cannot be seen, it is not.
    """
    try:
        tasks = os.listdir("/proc/self/task")
        names = {_comm(task) for task in tasks if int(task) != os.getpid()}
        return names <= _SAFE_THREADS and _sockets() <= sockets
    except OSError:
        return False


def _comm(task: str) -> str:
    with open(f"/proc/self/task/{task}/comm") as file:
        return file.read().strip()


def _sockets() -> int:
    found = 0
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            found += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
    return found


def interpreter(statement: str) -> list[str]:
    """The command line of a fresh interpreter that finds modules where this one does, and then does ``statement``."""
    return [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}\n{statement}"]


def _woken(number: int, frame: FrameType | None) -> None:
    """Nothing is to be done in the handler: that there is one writes to the wakeup descriptor."""


class Forker:
    """Serves requests on one socket, in the main thread: ``fork`` with a socket for the copy, ``kill``, ``retire``.

    It reports each copy that has ended. It ends when the server has gone, with its copies, or, once retired, after the
    last of them.
    """

    def __init__(self, control: socket.socket, become: Callable[[socket.socket], None], fresh: str | None) -> None:
        """``become`` is what a copy does; ``fresh`` the statement of an interpreter to start instead, where given."""
        self._control = control
        self._become = become
        self._fresh = fresh
        self._children: dict[int, int] = {}
        self._retired = False
        self._ending = False

    def serve(self) -> None:
        """Serve until there is nothing more to do."""
        awake, wakes = os.pipe()
        os.set_blocking(wakes, False)
        os.set_blocking(awake, False)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._asked_to_end)
        signal.signal(signal.SIGCHLD, _woken)
        signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
        self._pipe = (awake, wakes)
        parent = os.getppid()
        try:
            while not (self._retired and not self._children):
                ready, _, _ = select.select([self._control, awake], (), (), _LOOK_AFTER)
                if awake in ready:
                    with suppress(BlockingIOError):
                        os.read(awake, 4096)
                self._reap()
                if self._ending:
                    return
                if self._control in ready and not self._request():
                    return
                if os.getppid() != parent and not self._retired:
                    return
        except (BrokenPipeError, ConnectionError):
            return
        finally:
            self._end_all()

    def _asked_to_end(self, number: int, frame: FrameType | None) -> None:
        self._ending = True

    def _request(self) -> bool:
        message, descriptors = receive(self._control)
        if message is None:
            return False
        ticket = cast("int", message.get("ticket", 0))
        match message["do"]:
            case "fork":
                try:
                    pid = self._start(descriptors)
                finally:
                    for descriptor in descriptors:
                        os.close(descriptor)
                self._children[pid] = ticket
            case "kill":
                number = cast("int", message["signal"])
                for pid, held in self._children.items():
                    if held == ticket:
                        with suppress(OSError):
                            os.kill(pid, number)
            case _:
                self._retired = True
        return True

    def _start(self, descriptors: Sequence[int]) -> int:
        if self._fresh is not None:
            statement = self._fresh.format(descriptor=descriptors[0])
            process = subprocess.Popen(interpreter(statement), pass_fds=tuple(descriptors), stdin=subprocess.DEVNULL)
            process.returncode = 0  # waited for by _reap
            return process.pid
        pid = os.fork()
        if not pid:
            self._begin(descriptors[0])
        return pid

    def _begin(self, descriptor: int) -> NoReturn:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            self._control.close()
            for each in self._pipe:
                os.close(each)
            self._become(socket.socket(fileno=descriptor))
            code = 0
        except KeyboardInterrupt:
            pass
        except BaseException as error:
            sys.excepthook(type(error), error, error.__traceback__)
        finally:
            with suppress(BaseException):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if (ticket := self._children.pop(pid, None)) is not None:
                send(self._control, {"ended": ticket, "code": os.waitstatus_to_exitcode(status)})

    def _end_all(self) -> None:
        """Interrupt what still runs: a run records that it was canceled; kill what does not listen."""
        for pid in self._children:
            with suppress(OSError):
                os.kill(pid, signal.SIGTERM)
        for pid in self._children:
            for _ in range(100):
                with suppress(OSError):
                    if os.waitpid(pid, os.WNOHANG)[0]:
                        break
                select.select((), (), (), 0.05)
            else:
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
