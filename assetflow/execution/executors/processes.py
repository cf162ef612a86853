"""The executor that runs tasks in worker processes, and outlives whatever happens to them.

A thread listens to the workers and to their launcher. A worker's death is one failed attempt: its future raises
WorkerDied, another worker takes its place, and nothing else notices.
"""

from __future__ import annotations

import itertools
import os
import pickle
import selectors
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from contextlib import suppress
from functools import partial

from assetflow.errors import AssetflowError, ProjectError, SourceLocation
from assetflow.execution.executors.crew import Job, Worker
from assetflow.execution.executors.deaths import attempt_of, died, ending_of, out_of_memory, stopped
from assetflow.execution.executors.launching import MAY_FORK, Launcher, give_back, take_launcher
from assetflow.execution.executors.memory import memory_of
from assetflow.execution.executors.setup import WorkerCode, WorkerSetup, graph_digest
from assetflow.execution.executors.worker import Done, Ready, Unusable
from assetflow.execution.output.recording import RunOutput
from assetflow.execution.task import Task, TaskResult, timed_out
from assetflow.execution.workshop import Workshop

_MEMORY_EVERY = 0.05
"""Seconds between looks at the memory of workers whose task has a limit."""

_SILENT = 0.5
"""Seconds that a worker has to end after it closed its socket."""

_FAREWELL = 1.0
"""Seconds that idle workers have to end by themselves."""

_FALSE_STARTS = 3
"""So many workers in a row may die before they are ready; then the project cannot be loaded."""

_FOREVER = float("inf")

_tickets = itertools.count(1)


class ProcessExecutor:
    """Runs tasks in ``workers`` processes that load the project's code by themselves.

    ``isolated`` gives every task a process of its own. Nothing is started before the first task.
    """

    deferred = True

    def __init__(
        self,
        workshop: Workshop,
        code: WorkerCode,
        workers: int,
        *,
        isolated: bool = False,
        may_fork: bool = MAY_FORK,
    ) -> None:
        self.slots = workers
        self._workshop = workshop
        self._code = code
        self._isolated = isolated
        self._may_fork = may_fork
        self._output = workshop.output or RunOutput(None, "", workshop.clock)
        self._lock = threading.RLock()
        self._pending: deque[Job] = deque()
        self._workers: dict[int, Worker] = {}
        self._false_starts = 0
        self._closing = False
        self._launcher: Launcher | None = None
        self._setup = -1
        self._selector = selectors.DefaultSelector()
        self._thread: threading.Thread | None = None
        self._awake, self._wakes = -1, -1

    def submit(self, task: Task) -> Future[TaskResult]:
        """Start a task; it waits for a worker where all are busy. Raises AssetflowError where none can be started."""
        job = Job(task, Future())
        job.future.set_running_or_notify_cancel()
        with self._lock:
            if self._thread is None:
                self._open()
            self._pending.append(job)
            self._hand_out()
            if task.timeout is not None or task.max_memory is not None:
                self._wake()
        return job.future

    def stop(self, future: Future[TaskResult]) -> None:
        """End a task now; its future raises StepCanceled."""
        with self._lock:
            waiting = next((job for job in self._pending if job.future is future), None)
            if waiting is not None:
                self._pending.remove(waiting)
            for worker in self._workers.values():
                if worker.job is not None and worker.job.future is future:
                    self._end(worker, stopped(worker.job.task))
        if waiting is not None:
            future.set_exception(stopped(waiting.task))

    def close(self, *, now: bool = False) -> None:
        """Let go of workers, once they are done; ``now``: without waiting for what they do."""
        if self._thread is None or self._closing:
            return
        with self._lock:
            running = [worker.job.future for worker in self._workers.values() if worker.job]
            running += [job.future for job in self._pending]
            if now:
                for future in running:
                    self.stop(future)
        wait_for(running)
        with self._lock:
            self._closing = True
            for worker in self._workers.values():
                worker.retire()
            self._wake()
        self._thread.join()

    # All below is called with the lock held, or by the thread that listens.

    def _open(self) -> None:
        workshop = self._workshop
        setup = WorkerSetup(
            self._code,
            graph_digest(workshop.graph),
            workshop.check_versions,
            str(workshop.storage.root),
            workshop.storage.owner,
            os.getcwd(),
            tuple(sys.path),
            tuple(sys.argv),
            dict(os.environ),
        )
        with tempfile.TemporaryFile() as file:
            pickle.dump(setup, file, protocol=5)
            file.flush()
            self._setup = os.dup(file.fileno())
        self._awake, self._wakes = os.pipe()
        os.set_blocking(self._wakes, False)
        self._selector.register(self._awake, selectors.EVENT_READ, None)
        self._listen_to(take_launcher(may_fork=self._may_fork))
        self._thread = threading.Thread(target=self._attend, name="assetflow workers", daemon=True)
        self._thread.start()

    def _listen_to(self, launcher: Launcher) -> None:
        self._launcher = launcher
        self._selector.register(launcher.control, selectors.EVENT_READ, launcher)

    def _wake(self) -> None:
        with suppress(BlockingIOError):
            os.write(self._wakes, b"w")

    def _hand_out(self) -> None:
        """Give tasks to idle workers, and start workers for the others."""
        waiting: deque[Job] = deque()
        idle = deque(worker for worker in self._workers.values() if worker.idle)
        while self._pending and idle:
            job = self._pending.popleft()
            fresh = self._isolated or job.task.isolated
            worker = next((each for each in idle if not (fresh and each.used)), None)
            if worker is None:
                # Its place goes to a fresh one.
                idle.popleft().retire()
                waiting.append(job)
                continue
            idle.remove(worker)
            self._begin(worker, job)
        self._pending.extendleft(reversed(waiting))
        wanted = len(self._pending) - sum(not (w.ready or w.gone or w.retired) for w in self._workers.values())
        present = sum(not (worker.gone or worker.retired) for worker in self._workers.values())
        for _ in range(min(wanted, self.slots - present)):
            self._start_worker()

    def _begin(self, worker: Worker, job: Job) -> None:
        task = job.task
        job.deadline = None if task.timeout is None else time.monotonic() + task.timeout
        worker.begin(job, self._output.attempt(*attempt_of(task)), self._workshop.clock())

    def _start_worker(self) -> None:
        assert self._launcher is not None
        nobody = RunOutput(None, "", self._workshop.clock).attempt("", None, 0)
        worker = Worker.start(next(_tickets), self._launcher, self._setup, nobody)
        self._workers[worker.ticket] = worker
        self._selector.register(worker.connection, selectors.EVENT_READ, worker)
        for pipe in worker.pipes:
            self._selector.register(pipe, selectors.EVENT_READ, worker)

    def _end(self, worker: Worker, reason: AssetflowError) -> None:
        """Kill a worker; its task fails for the reason given first."""
        if worker.ended_for is None:
            worker.ended_for = reason
            if worker.pid is not None and self._launcher is not None:
                self._launcher.kill(worker.pid)

    def _attend(self) -> None:
        try:
            self._listen()
        except BaseException as error:
            # Nobody may wait for ever for a thread that is no more.
            with self._lock:
                jobs = [*self._pending, *(worker.job for worker in self._workers.values() if worker.job)]
                self._pending.clear()
            for job in jobs:
                if not job.future.done():
                    job.future.set_exception(error)
            raise

    def _listen(self) -> None:
        ended_by = _FOREVER
        while True:
            ready = self._selector.select(self._patience())
            settled: list[Callable[[], object]] = []
            with self._lock:
                for key, _ in ready:
                    self._hear(key, settled)
                self._look_after(settled)
                if not self._closing:
                    self._hand_out()
                closing, left = self._closing, bool(self._workers)
                if closing and ended_by == _FOREVER:
                    ended_by = time.monotonic() + _FAREWELL
            # Outside the lock: whoever waits for a result may submit the next task at once.
            for settle in settled:
                settle()
            if closing and (not left or time.monotonic() > ended_by):
                break
        self._shut_down()

    def _shut_down(self) -> None:
        launcher = self._launcher
        assert launcher is not None
        left = list(self._workers.values())
        for worker in left:
            self._forget(worker)
        launcher.clear()
        self._selector.close()
        for descriptor in (self._awake, self._wakes, self._setup):
            os.close(descriptor)
        give_back(launcher)

    def _patience(self) -> float | None:
        """How long nothing has to be looked after, in seconds."""
        now, limits = time.monotonic(), list[float]()
        with self._lock:
            if self._closing:
                limits.append(0.02)
            for worker in self._workers.values():
                if worker.silent_since is not None:
                    limits.append(worker.silent_since + _SILENT - now)
                job = worker.job
                if job is not None and worker.ended_for is None:
                    if job.deadline is not None:
                        limits.append(job.deadline - now)
                    if job.task.max_memory is not None:
                        limits.append(_MEMORY_EVERY)
        soonest = min(limits, default=_FOREVER)
        return None if soonest == _FOREVER else max(0.0, soonest)

    def _hear(self, key: selectors.SelectorKey, settled: list[Callable[[], object]]) -> None:
        teller: object = key.data
        if teller is None:
            os.read(self._awake, 4096)
        elif isinstance(teller, Launcher):
            self._hear_launcher(teller, settled)
        elif isinstance(teller, Worker) and not teller.gone:
            if key.fileobj is teller.connection:
                self._hear_worker(teller, settled)
            elif not teller.read(key.fd):
                self._selector.unregister(key.fd)

    def _hear_worker(self, worker: Worker, settled: list[Callable[[], object]]) -> None:
        for message in worker.inbox.messages():
            match message:
                case Ready():
                    worker.ready = True
                    self._false_starts = 0
                case Unusable(error=error):
                    worker.retire()
                    self._give_up(error, settled)
                case Done():
                    self._settle(worker, message, settled)
                case _:
                    raise AssertionError(message)
        if worker.inbox.closed and worker.silent_since is None:
            worker.silent_since = time.monotonic()
            self._selector.unregister(worker.connection)

    def _settle(self, worker: Worker, done: Done, settled: list[Callable[[], object]]) -> None:
        job = worker.job
        if job is None or worker.ended_for is not None:
            return
        worker.drain()
        worker.output.end()
        worker.job = None
        if self._isolated or job.task.isolated:
            worker.retire()
        result, error = done.result, done.error
        if result is not None:
            settled.append(lambda: job.future.set_result(result))
        else:
            settled.append(lambda: job.future.set_exception(error or AssertionError()))

    def _hear_launcher(self, launcher: Launcher, settled: list[Callable[[], object]]) -> None:
        by_pid = {worker.pid: worker for worker in self._workers.values()}
        for report in launcher.reports():
            if report.kind == "started" and (worker := self._workers.get(report.first)):
                worker.pid = report.second
                by_pid[worker.pid] = worker
                if worker.ended_for is not None:
                    launcher.kill(worker.pid)
            elif report.kind == "ended" and (worker := by_pid.get(report.first)):
                self._buried(worker, report.second, settled)
        if launcher.lost:
            self._selector.unregister(launcher.control)
            for worker in list(self._workers.values()):
                if worker.pid is not None:
                    with suppress(OSError):
                        os.killpg(worker.pid, 9)
                self._buried(worker, None, settled)
            said = launcher.said()
            launcher.close()
            if self._false_starts >= _FALSE_STARTS:
                self._give_up(_cannot_start(said), settled)
            self._listen_to(Launcher(may_fork=self._may_fork))

    def _buried(self, worker: Worker, status: int | None, settled: list[Callable[[], object]]) -> None:
        """A worker's process has ended: so has its task, unless its result came through."""
        if worker.silent_since is None:
            self._hear_worker(worker, settled)
        worker.drain()
        worker.output.end()
        job, reason = worker.job, worker.ended_for
        if job is not None:
            error = reason or died(job.task, status, worker.output.tail, self._location(job.task))
            settled.append(lambda: job.future.set_exception(error))
        elif not worker.ready and not worker.retired:
            self._false_starts += 1
            if self._false_starts >= _FALSE_STARTS:
                self._give_up(_no_start(status, worker), settled)
        self._forget(worker)

    def _forget(self, worker: Worker) -> None:
        self._workers.pop(worker.ticket, None)
        for each in (worker.connection, *worker.pipes):
            with suppress(KeyError, ValueError):
                self._selector.unregister(each)
        worker.close()

    def _give_up(self, error: AssetflowError, settled: list[Callable[[], object]]) -> None:
        """No worker can be had: what waits for one fails."""
        jobs, self._pending = list(self._pending), deque()
        self._false_starts = 0
        settled += [partial(job.future.set_exception, error) for job in jobs]

    def _look_after(self, settled: list[Callable[[], object]]) -> None:
        """End what takes too long or too much, and what does not answer any more."""
        now = time.monotonic()
        for worker in self._workers.values():
            if worker.silent_since is not None and now > worker.silent_since + _SILENT and worker.pid is not None:
                assert self._launcher is not None
                self._launcher.kill(worker.pid)
                worker.silent_since = _FOREVER
            job = worker.job
            if job is None or worker.ended_for is not None:
                continue
            if job.deadline is not None and now >= job.deadline:
                self._end(worker, timed_out(job.task))
            elif job.task.max_memory is not None and worker.pid is not None:
                used = memory_of(worker.pid)
                if used > job.task.max_memory:
                    worker.drain()
                    tail = list(worker.output.tail)
                    self._end(worker, out_of_memory(job.task, used, tail, self._location(job.task)))

    def _location(self, task: Task) -> SourceLocation | None:
        return self._workshop.graph.nodes[task.computation].computation.location


def _no_start(status: int | None, worker: Worker) -> ProjectError:
    said = "\n".join(worker.output.tail)
    return ProjectError(
        f"the worker processes end while they load the project ({ending_of(status)})" + (f":\n{said}" if said else ""),
        hint="import the definitions in a fresh interpreter to see why, or use the inline executor",
    )


def _cannot_start(said: str) -> ProjectError:
    return ProjectError(
        f"no worker processes can be started: {said or 'what starts them has ended'}", hint="use the inline executor"
    )
