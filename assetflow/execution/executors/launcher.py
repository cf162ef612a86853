"""The process that starts workers: a fresh interpreter with warm libraries, of which workers are forked copies.

It runs one thread and holds no connection, never loads user code, and is asked over one socket. Where forking is not
safe, it starts fresh interpreters instead. It tells how each worker ended, ends what a dead worker's code has started,
and ends itself, with all workers, once nobody holds the other side of its socket any more.
"""

from __future__ import annotations

import ctypes
import gc
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from importlib.metadata import entry_points
from types import FrameType

from assetflow.publish.registry import GROUP

REQUEST = struct.Struct("!cq")
"""``f`` and a ticket, with file descriptors: start a worker. ``k`` and a pid: kill it. ``c``: kill all."""

REPORT = struct.Struct("!cqq")
"""``m``, 1 if workers are forked, threads. ``s``, ticket, pid: started. ``e``, pid, wait status: ended."""

DESCRIPTORS = 4
"""Of a worker: its socket, where its stdout and stderr go, and its setup."""

WARM = (
    *("numpy", "pandas", "pyarrow", "pyarrow.compute", "pyarrow.dataset", "pyarrow.parquet", "duckdb"),
    *("pyroaring", "blake3", "cloudpickle", "ctypes", "logging", "faulthandler", "linecache"),
    *("assetflow", "assetflow.execution.executors.worker", "assetflow.execution.attempt"),
    *("assetflow.opening.workers", "assetflow.opening.loading"),
)
"""What is imported before workers are forked: libraries that start no threads and open nothing, and our own."""

ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
"""Variables that are 1 while the launcher imports, so that no library starts threads."""

_HARMLESS_THREADS = ("jemalloc_bg_thd",)
"""Arrow's allocator has one, and starts it anew in a copy."""

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LOOK_AFTER = 1.0
"""Seconds between looks at whether the coordinator is still there, beside being told."""


def main(descriptor: int, may_fork: bool, environ: Mapping[str, str]) -> None:
    """Serve requests until the coordinator has gone; ``environ`` is for what comes after the warm imports."""
    control = socket.socket(fileno=descriptor)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    forks = may_fork and hasattr(os, "fork") and _warm()
    for name in ONE_THREAD:
        os.environ.pop(name, None)
    os.environ.update(environ)
    _Launcher(control, forks=forks).serve()


def _warm() -> bool:
    """Import what workers are likely to need; whether copies of this process can be trusted."""
    for name in WARM:
        with suppress(ImportError):
            import_module(name)
    _warm_formats()
    gc.collect()
    gc.freeze()
    # A thread has its name only once it runs.
    for _ in range(20):
        if threads() == 1:
            return not _connections()
        time.sleep(0.01)
    return False


def _warm_formats() -> None:
    for point in entry_points(group=GROUP):
        if point.dist is not None and point.dist.name == "assetflow":
            with suppress(ImportError):
                point.load()


def threads() -> int:
    """How many threads this process has that a copy of it would miss; 0 where that cannot be seen."""
    found = 0
    with suppress(OSError):
        for thread in os.listdir("/proc/self/task"):
            with open(f"/proc/self/task/{thread}/comm") as file:
                found += file.read().strip() not in _HARMLESS_THREADS
    return found


def _connections() -> bool:
    """Whether anything but the control socket is open that copies would share."""
    found = 0
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            found += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
    return found > 1


def die_with_parent() -> None:
    """Let the kernel kill this process when the thread that started it ends; where the kernel can."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


class _Launcher:
    def __init__(self, control: socket.socket, *, forks: bool) -> None:
        self._control = control
        self._forks = forks
        self._coordinator = os.getppid()
        self._workers: set[int] = set()

    def serve(self) -> None:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        awake, wakes = os.pipe()
        os.set_blocking(wakes, False)
        os.set_blocking(awake, False)
        signal.signal(signal.SIGCHLD, _ignore)
        signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
        self._own = (awake, wakes)
        try:
            self._report(b"m", self._forks, threads())
            while True:
                ready, _, _ = select.select([self._control, awake], (), (), _LOOK_AFTER)
                if awake in ready:
                    with suppress(BlockingIOError):
                        os.read(awake, 4096)
                self._reap()
                if self._control in ready and not self._request():
                    return
                if os.getppid() != self._coordinator:
                    return
        except (BrokenPipeError, ConnectionError):
            return
        finally:
            self._clear()

    def _report(self, kind: bytes, first: int, second: int) -> None:
        self._control.sendall(REPORT.pack(kind, first, second))

    def _request(self) -> bool:
        message, descriptors, _, _ = socket.recv_fds(self._control, REQUEST.size, DESCRIPTORS)
        while message and len(message) < REQUEST.size:
            message += self._control.recv(REQUEST.size - len(message))
        if not message:
            return False
        kind, number = REQUEST.unpack(message)
        if kind == b"f":
            try:
                pid = self._start(descriptors)
            finally:
                for descriptor in descriptors:
                    os.close(descriptor)
            self._workers.add(pid)
            self._report(b"s", number, pid)
        elif kind == b"k":
            if number in self._workers:
                _kill_group(number)
        else:
            self._clear()
        return True

    def _start(self, descriptors: Sequence[int]) -> int:
        if not self._forks:
            return _spawn(descriptors)
        pid = os.fork()
        if pid:
            with suppress(OSError):
                os.setpgid(pid, pid)
            return pid
        self._become_worker(descriptors)
        raise AssertionError  # not reached: a worker never returns

    def _become_worker(self, descriptors: Sequence[int]) -> None:
        code = 1
        try:
            os.setpgid(0, 0)
            die_with_parent()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self._control.close()
            for descriptor in self._own:
                os.close(descriptor)
            gc.enable()
            from assetflow.execution.executors.worker import work

            work(*descriptors)
            code = 0
        finally:
            os._exit(code)

    def _reap(self) -> None:
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if found is None:
                return
            if found.si_pid in self._workers:
                # As long as it is not waited for, its number is not given to anybody else.
                _kill_group(found.si_pid)
            _, status = os.waitpid(found.si_pid, 0)
            if found.si_pid in self._workers:
                self._workers.discard(found.si_pid)
                self._report(b"e", found.si_pid, status)

    def _clear(self) -> None:
        """End the workers, and what their code has left running."""
        for pid in self._workers:
            _kill_group(pid)
        for pid in _children():
            if pid not in self._workers:
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)


def _ignore(number: int, frame: FrameType | None) -> None:
    """With a handler, the signal reaches the wakeup descriptor."""


def _kill_group(pid: int) -> None:
    with suppress(OSError):
        os.kill(pid, signal.SIGKILL)
    with suppress(OSError):
        os.killpg(pid, signal.SIGKILL)


def _children() -> list[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []


def _spawn(descriptors: Sequence[int]) -> int:
    """Start a fresh interpreter as a worker."""
    code = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        "from assetflow.execution.executors.worker import work_spawned\n"
        f"work_spawned({os.getpid()}, {', '.join(map(str, descriptors))})"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], pass_fds=tuple(descriptors), process_group=0, stdin=subprocess.DEVNULL
    )
    process.returncode = 0  # waited for by _reap, not by subprocess
    return process.pid
