"""One worker: loads the project once, then runs one task after the other until nobody asks any more.

It never touches the store. What user code prints goes to two pipes, which the coordinator reads; at the end of a task
everything printed is in them before the result is sent.
"""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import os
import pickle
import random
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from io import BufferedWriter, FileIO, TextIOWrapper
from pathlib import Path

from assetflow.errors import AssetflowError, ProjectError, UserCodeError
from assetflow.execution.attempt import run_task
from assetflow.execution.executors.launcher import die_with_parent
from assetflow.execution.executors.setup import DefinitionsLoader, WorkerSetup, graph_digest
from assetflow.execution.executors.wire import receive, send
from assetflow.execution.measuring import Meter, Reading, process_usage
from assetflow.execution.output.records import StructuredHandler, logging_to
from assetflow.execution.sources import SourceFinder, Sources
from assetflow.execution.task import Task, TaskResult
from assetflow.execution.tracebacks import user_error
from assetflow.execution.workshop import Workshop
from assetflow.graph import build_graph
from assetflow.publish.folders import Storage
from assetflow.publish.registry import Managers


@dataclass(frozen=True, slots=True)
class Order:
    """One task for a worker; ``now`` is the coordinator's time when it was sent."""

    task: Task
    now: datetime


@dataclass(frozen=True, slots=True)
class Ready:
    """A worker has loaded the project."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """A worker could not load the project."""

    error: AssetflowError


@dataclass(frozen=True, slots=True)
class Done:
    """A task has ended; ``error`` is what run_task does not turn into an outcome."""

    result: TaskResult | None
    error: AssetflowError | None = None


def work_spawned(parent: int, connection: int, stdout: int, stderr: int, setup: int) -> None:
    """Be a worker in a fresh interpreter."""
    die_with_parent()
    if os.getppid() != parent:
        os._exit(0)
    work(connection, stdout, stderr, setup)
    os._exit(0)


def work(connection: int, stdout: int, stderr: int, setup: int) -> None:
    """Be a worker until the coordinator closes the connection."""
    _redirect(stdout, stderr)
    with socket.socket(fileno=connection) as talk, suppress(EOFError, ConnectionError, BrokenPipeError):
        workshop = _prepared(talk, _read(setup))
        if workshop is not None:
            _serve(talk, workshop)
    _flush()


def _redirect(stdout: int, stderr: int) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (stdout, 1), (stderr, 2)):
        os.dup2(source, target)
        os.close(source)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  # as long as the process lives
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        # Line by line, so that it can be followed.
        raw = FileIO(descriptor, "w", closefd=False)
        stream = TextIOWrapper(BufferedWriter(raw), "utf-8", "backslashreplace", line_buffering=True)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    faulthandler.enable(stream)


def _read(descriptor: int) -> WorkerSetup:
    # By position: other workers read the same open file.
    pieces: list[bytes] = []
    place = 0
    while piece := os.pread(descriptor, 1 << 20, place):
        pieces.append(piece)
        place += len(piece)
    os.close(descriptor)
    return pickle.loads(b"".join(pieces))


def _prepared(talk: socket.socket, setup: WorkerSetup) -> Workshop | None:
    os.environ.clear()
    os.environ.update(setup.environ)
    sys.path[:] = setup.path
    sys.argv[:] = setup.arguments
    sys.dont_write_bytecode = True
    os.chdir(setup.working_directory)
    random.seed()
    if "numpy" in sys.modules:
        import numpy as np

        np.random.seed()  # what a copy has inherited, all copies would share
    SourceFinder(Sources.of(setup.code.snapshot)).install()
    try:
        load: DefinitionsLoader = pickle.loads(setup.code.loader)
        definitions = load()
        graph = build_graph(definitions)
        if graph_digest(graph) != setup.digest:
            raise ProjectError(
                "the definitions that a worker loaded differ from those that the run was planned with",
                hint="declare the same whatever the process, the time and the environment, or use the inline executor",
            )
    except AssetflowError as error:
        send(talk, Unusable(plain_error(error)))
        return None
    except BaseException as error:
        send(talk, Unusable(user_error(error, "loading the project in a worker")))
        return None
    gc.freeze()
    workshop = Workshop(
        graph=graph,
        managers=Managers(definitions.io_managers),
        storage=Storage(Path(setup.storage), setup.storage_owner),
        check_versions=setup.check_versions,
        open_folder=None,
        clock=lambda: datetime.now().astimezone(),
        meter=Meter(time.perf_counter, _usage),
    )
    send(talk, Ready())
    return workshop


def _serve(talk: socket.socket, workshop: Workshop) -> None:
    flush = _flusher()
    while True:
        order = receive(talk)
        assert isinstance(order, Order)
        done = _carried_out(order, workshop)
        flush()
        try:
            send(talk, done)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            send(talk, Done(None, AssetflowError(f"{order.task.computation}: the result cannot be sent: {error}")))


def _carried_out(order: Order, workshop: Workshop) -> Done:
    task, began = order.task, time.monotonic()
    _forget_peak()

    def clock() -> datetime:
        return order.now + timedelta(seconds=time.monotonic() - began)

    try:
        with logging_to(StructuredHandler()):
            result = run_task(task, replace(workshop, clock=clock))
    except AssetflowError as error:
        return Done(None, plain_error(error))
    except KeyboardInterrupt:
        return Done(None, UserCodeError(f"{task.computation} raised KeyboardInterrupt"))
    outcomes = tuple(
        each if each.error is None else replace(each, error=plain_error(each.error)) for each in result.outcomes
    )
    return Done(replace(result, outcomes=outcomes))


def _usage() -> Reading:
    """What this process uses; its peak is counted anew from the beginning of each task."""
    used = process_usage()
    with suppress(OSError), open("/proc/self/status", "rb") as file:
        for line in file:
            if line.startswith(b"VmHWM:"):
                return Reading(used.cpu, int(line.split()[1]) * 1024)
    return used


def _forget_peak() -> None:
    with suppress(OSError), open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def plain_error(error: AssetflowError) -> AssetflowError:
    """The same error in a form that every process can read: a class of the user's own becomes the nearest of ours."""
    if type(error).__module__ == AssetflowError.__module__:
        with suppress(Exception):
            pickle.dumps(error)
            return error
    return UserCodeError(error.message, hint=error.hint, location=error.location)


def _flusher() -> Callable[[], None]:
    libc = ctypes.CDLL(None)

    def flush() -> None:
        _flush()
        libc.fflush(None)

    return flush


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # the user's code may have replaced or closed it
            stream.flush()
