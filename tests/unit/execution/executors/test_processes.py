"""The pool of worker processes: whatever ends a worker ends one attempt, and nothing of it stays behind."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import wait
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from assetflow import asset
from assetflow.errors import StepCanceled, StepTimeout, WorkerDied

if TYPE_CHECKING:
    from tests.unit.execution.executors.conftest import Start


@asset
def nothing() -> int:
    return 1


@asset
def whoami() -> list[int]:
    return [os.getpid(), os.getppid(), os.getpgrp()]


@asset
def killed() -> int:
    print("so far", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
    return 1


@asset
def left() -> int:
    print("no newline", end="")
    sys.stdout.flush()
    os._exit(3)


@asset
def crashed() -> int:
    return ctypes.string_at(0)  # type: ignore[return-value]


@asset
def closes_everything() -> int:
    os.closerange(3, 256)
    time.sleep(60)
    return 1


def test_a_worker_serves_many_tasks(start: Start) -> None:
    pool = start([nothing, whoami])
    assert pool.value("nothing") == "1"
    assert pool.value("whoami") == pool.value("whoami")


def test_every_worker_is_used(start: Start) -> None:
    @asset
    def naps() -> int:
        time.sleep(0.05)
        return os.getpid()

    pool = start([naps], workers=3)
    futures = [pool.executor.submit(pool.task("naps")) for _ in range(12)]
    pids = {future.result(60).outcomes[0].outputs[0].inline for future in futures}
    assert len(pids) == 3


@pytest.mark.parametrize(
    ("name", "said", "output"),
    [
        ("killed", "killed: the worker process was killed (SIGKILL) during attempt 2", "so far"),
        ("left", "left: the worker process ended with exit code 3 during attempt 2", "no newline"),
        ("crashed", "crashed: the worker process crashed (SIGSEGV) during attempt 2", "in crashed"),
    ],
)
def test_the_death_of_a_worker_is_one_failed_attempt(start: Start, name: str, said: str, output: str) -> None:
    pool = start([nothing, killed, left, crashed])
    pool.value("nothing")
    error = pool.failure(name, attempt=2)
    assert isinstance(error, WorkerDied)
    assert error.message == said
    assert error.transient
    assert error.hint
    assert output in error.output
    assert error.location is not None
    assert error.location.path.endswith("test_processes.py")
    assert pool.value("nothing") == "1"
    assert any(output in text for _, text in pool.lines(name))


def test_a_worker_that_is_killed_from_outside_in_mid_task(start: Start, tmp_path: Path) -> None:
    there = tmp_path / "there"

    @asset
    def hangs() -> int:
        there.write_text(str(os.getpid()))
        time.sleep(60)
        return 1

    pool = start([nothing, hangs], workers=2)
    future = pool.executor.submit(pool.task("hangs"))
    others = [pool.executor.submit(pool.task("nothing")) for _ in range(20)]
    until(there.exists)
    until(lambda: bool(there.read_text()))
    os.kill(int(there.read_text()), signal.SIGTERM)
    error = future.exception(60)
    assert isinstance(error, WorkerDied)
    assert "was ended by a signal (SIGTERM)" in error.message
    assert all(other.result(60) for other in others)


def test_an_idle_worker_that_dies_is_replaced(start: Start) -> None:
    pool = start([whoami])
    pid = _pid(pool.value("whoami"))
    os.kill(pid, signal.SIGKILL)
    until(lambda: not alive(pid))
    for _ in range(3):  # what was sent to it before its end was heard of may be lost with it
        if pool.executor.submit(pool.task("whoami")).exception(60) is None:
            break
    assert _pid(pool.value("whoami")) != pid


def test_a_worker_that_closes_its_files_is_ended(start: Start) -> None:
    pool = start([nothing, closes_everything])
    assert "the worker process" in pool.failure("closes_everything").message
    assert pool.value("nothing") == "1"


def test_a_timeout_ends_the_worker(start: Start) -> None:
    @asset
    def hangs() -> int:
        print("waiting")
        time.sleep(60)
        return 1

    pool = start([nothing, hangs])
    pool.value("nothing")
    began = time.monotonic()
    error = pool.failure("hangs", timeout=0.2)
    assert time.monotonic() - began < 10
    assert isinstance(error, StepTimeout)
    assert "hangs" in error.message
    assert pool.lines("hangs") == [("stdout", "waiting")]
    assert pool.value("nothing") == "1"


def test_stopping_a_task_that_runs_and_one_that_waits(start: Start, tmp_path: Path) -> None:
    there = tmp_path / "there"

    @asset
    def hangs() -> int:
        there.touch()
        time.sleep(60)
        return 1

    pool = start([nothing, hangs])
    running = pool.executor.submit(pool.task("hangs"))
    waiting = pool.executor.submit(pool.task("hangs"))
    after = pool.executor.submit(pool.task("nothing"))
    until(there.exists)
    pool.executor.stop(waiting)
    pool.executor.stop(running)
    for future in (running, waiting):
        error = future.exception(60)
        assert isinstance(error, StepCanceled)
        assert error.message == "hangs: attempt 1 was stopped, for its run was canceled"
    assert after.result(60).outcomes[0].error is None


def test_closing_now_stops_what_runs(start: Start, tmp_path: Path) -> None:
    there = tmp_path / "there"

    @asset
    def hangs() -> int:
        there.touch()
        time.sleep(60)
        return 1

    pool = start([hangs], workers=2)
    futures = [pool.executor.submit(pool.task("hangs")) for _ in range(4)]
    until(there.exists)
    pool.executor.close(now=True)
    assert all(isinstance(future.exception(0), StepCanceled) for future in futures)


def test_closing_waits_for_what_runs(start: Start) -> None:
    @asset
    def naps() -> int:
        time.sleep(0.1)
        return 1

    pool = start([naps], workers=2)
    futures = [pool.executor.submit(pool.task("naps")) for _ in range(4)]
    pool.executor.close()
    assert [future.result(0).outcomes[0].error for future in futures] == [None] * 4


def test_a_task_that_takes_too_much_memory_is_ended(start: Start) -> None:
    @asset
    def hoards() -> int:
        held = []
        while True:
            held.append(b"x" * 10_000_000)
            time.sleep(0.01)

    pool = start([nothing, hoards])
    error = pool.failure("hoards", max_memory=400_000_000)
    assert isinstance(error, WorkerDied)
    assert error.message.startswith("hoards: took ")
    assert error.message.endswith(" of memory in attempt 1, more than its max_memory of 400 MB, and was ended")
    assert error.hint is not None
    assert "max_memory" in error.hint
    assert pool.value("nothing") == "1"


def test_the_memory_of_its_children_counts(start: Start) -> None:
    @asset
    def hoards() -> int:
        code = "import time; held = b'x' * 400_000_000; time.sleep(60)"
        subprocess.run([sys.executable, "-c", code], check=True)
        return 1

    pool = start([hoards])
    assert "more than its max_memory of 300 MB" in pool.failure("hoards", max_memory=300_000_000).message


def test_isolated_tasks_have_a_process_of_their_own(start: Start) -> None:
    pool = start([whoami], isolated=True)
    assert len({pool.value("whoami") for _ in range(4)}) == 4


def test_one_task_may_be_isolated_among_others(start: Start) -> None:
    pool = start([whoami])
    shared = _pid(pool.value("whoami"))
    alone = _pid(pool.run("whoami", isolated=True).outcomes[0].outputs[0].inline)
    again = _pid(pool.value("whoami"))
    assert len({shared, alone, again}) == 3


def test_what_user_code_starts_ends_with_its_worker(start: Start, tmp_path: Path) -> None:
    note = tmp_path / "pids"

    @asset
    def starts() -> int:
        children = [subprocess.Popen(["sleep", "60"]) for _ in range(2)]
        children.append(subprocess.Popen(["sleep", "60"], start_new_session=True))
        note.write_text(" ".join(str(child.pid) for child in children))
        os._exit(1)

    pool = start([starts])
    assert isinstance(pool.failure("starts"), WorkerDied)
    same_group, same_group_too, elsewhere = map(int, note.read_text().split())
    until(lambda: not alive(same_group) and not alive(same_group_too))
    pool.executor.close()
    until(lambda: not alive(elsewhere))


def test_a_forked_copy_of_a_worker_ends_where_the_call_ends(start: Start) -> None:
    @asset
    def forks() -> int:
        pid = os.fork()
        if pid:
            os.waitpid(pid, 0)
        return 1 if pid else 2

    pool = start([forks])
    assert [pool.value("forks") for _ in range(3)] == ["1"] * 3


def test_no_process_stays_when_the_coordinator_is_killed(tmp_path: Path) -> None:
    note = tmp_path / "pids"
    script = tmp_path / "script.py"
    script.write_text(
        "import os, subprocess, time\n"
        "from pathlib import Path\n"
        "from assetflow import asset, materialize\n"
        "@asset\n"
        "def hangs() -> int:\n"
        "    child = subprocess.Popen(['sleep', '60'])\n"
        f"    Path({str(note)!r}).write_text(f'{{os.getpid()}} {{os.getppid()}} {{child.pid}}')\n"
        "    time.sleep(60)\n"
        "    return 1\n"
        "with __import__('assetflow').Project([hangs]) as project:\n"
        "    project.materialize(executor='processes', workers=1)\n"
    )
    with subprocess.Popen([sys.executable, str(script)], stdin=subprocess.DEVNULL) as coordinator:
        until(lambda: note.exists() and len(note.read_text().split()) == 3)
        pids = list(map(int, note.read_text().split()))
        assert all(map(alive, pids))
        coordinator.kill()
    until(lambda: not any(map(alive, pids)))


def test_a_launcher_that_is_killed_is_replaced(start: Start) -> None:
    pool = start([nothing, whoami])
    worker, launcher, group = _numbers(pool.value("whoami"))
    assert worker == group
    os.kill(launcher, signal.SIGKILL)
    until(lambda: not alive(worker))
    for _ in range(3):
        if pool.executor.submit(pool.task("nothing")).exception(60) is None:
            break
    assert _numbers(pool.value("whoami"))[1] != launcher


def test_fresh_interpreters_where_forking_is_not_to_be_trusted(start: Start) -> None:
    pool = start([nothing, whoami, killed], may_fork=False)
    worker, launcher, group = _numbers(pool.value("whoami"))
    assert worker == group
    command = Path(f"/proc/{worker}/cmdline").read_bytes() if Path("/proc/self").exists() else b"work_spawned"
    assert b"work_spawned" in command
    assert pool.failure("killed").message == "killed: the worker process was killed (SIGKILL) during attempt 1"
    assert pool.value("nothing") == "1"
    assert alive(launcher)


def test_an_interrupt_of_the_terminal_does_not_reach_workers(start: Start) -> None:
    @asset
    def groups() -> list[int]:
        return [os.getsid(0), os.getpgrp()]

    pool = start([groups])
    session, group = _numbers(pool.value("groups"))
    assert session != os.getsid(0)
    assert group != os.getpgrp()


def test_tasks_may_be_submitted_from_several_threads(start: Start) -> None:
    pool = start([nothing], workers=2)
    failures: list[BaseException | None] = []

    def work() -> None:
        futures = [pool.executor.submit(pool.task("nothing")) for _ in range(50)]
        wait(futures)
        failures.extend(future.exception() for future in futures)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == [None] * 200


def test_workers_do_not_share_random_numbers(start: Start) -> None:
    @asset
    def draws() -> list[float]:
        import random

        import numpy as np

        return [random.random(), float(np.random.random())]

    pool = start([draws], isolated=True)
    found = [pool.value("draws") for _ in range(3)]
    assert len(set(found)) == 3


def until(holds: object, seconds: float = 20) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether a process is there, and not only waited for."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(done.stdout.strip()) and not done.stdout.startswith("Z")


def _numbers(text: str | None) -> list[int]:
    import json

    return json.loads(text or "[]")


def _pid(text: str | None) -> int:
    return _numbers(text)[0]
